"""Checkpoints: everything to go on exactly, in files that are whole or not there.

A checkpoint is one ``.safetensors`` file (no pickle) whose name carries iteration and SHA-256 of its content:
``000120-1f3a….safetensors``; ``best-…`` for the best parameters. A damaged one is recognised and passed over.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor

from ..atomic import PART_ENDING, write_atomically
from ..errors import GASNetError, ResourceError

KEPT = 2
"""How many of the latest are kept, besides the best: one may turn out damaged."""

ENDING = ".safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory: tensors by name, and the progress as plain data."""

    tensors: dict[str, Tensor]
    progress: dict


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write atomically, then remove all but the latest :data:`KEPT`.

    Raises:
        ResourceError: disk full or folder not writable; the checkpoints before stay.
    """
    path = _write(folder, f"{checkpoint.progress['iteration']:06d}", checkpoint)
    for old in sorted(checkpoints(folder), reverse=True)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def write_best(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write the best parameters atomically, then remove those before."""
    before = set(folder.glob(f"best-*{ENDING}"))
    path = _write(folder, "best", checkpoint)
    for old in before - {path}:
        old.unlink(missing_ok=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first; whether they are whole is not looked at."""
    return sorted(folder.glob(f"[0-9]*-*{ENDING}"))


def latest_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[Path]]:
    """The latest that is whole (None if there is none), and the damaged ones that were passed over."""
    damaged = []
    for path in reversed(checkpoints(folder)):
        checkpoint = read_checkpoint(path)
        if checkpoint is not None:
            return checkpoint, damaged
        damaged.append(path)
    return None, damaged


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint, or None if it is not whole."""
    try:
        content = path.read_bytes()
        if _digest(content) != path.stem.partition("-")[2]:
            return None
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return Checkpoint(parse(content), json.loads(header["__metadata__"]["progress"]))
    except (OSError, ValueError, KeyError, SafetensorError):
        return None


def remove_parts(folder: Path) -> None:
    """Remove what writers that were killed left behind; only while holding the run's lock."""
    for part in folder.glob(f".*{PART_ENDING}"):
        part.unlink(missing_ok=True)


def _write(folder: Path, name: str, checkpoint: Checkpoint) -> Path:
    content = serialise(checkpoint.tensors, {"progress": json.dumps(checkpoint.progress)})
    path = folder / f"{name}-{_digest(content)}{ENDING}"
    try:
        write_atomically(path, content)
    except (ResourceError, OSError) as error:
        reason = error.cause if isinstance(error, GASNetError) else f"{folder}: {error}."
        raise ResourceError(
            f"The checkpoint cannot be saved: {reason}",
            "Free disk space or make the folder writable, then resume: the checkpoint before is kept.",
        ) from error
    return path


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
