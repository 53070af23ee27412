"""``events.jsonl``: what happens in a training, one JSON object a line, for any program to follow.

Every event has ``v`` (version of this schema, 1), ``time`` (UTC, ISO 8601; the clock may jump) and ``kind``:

=============  ===================================================================================
kind           further fields
=============  ===================================================================================
prepared       ``cases`` read so far, ``total`` cases, ``what`` is being done
started        ``iteration`` it starts from, ``iterations`` in all, ``device``, ``threads``, ``world``
iteration      ``iteration`` (1-based), ``losses`` {term: value}, ``rates`` {network: learning rate},
               ``seconds`` spent training so far, ``per_second`` iterations, ``gpu_gb`` or null,
               ``share`` {``diseased``, ``healthy``}: part of the lungs marked as lesion, at the
               threshold of the model that would be saved
validation     ``iteration``, ``dice``, ``sensitivity``, ``specificity`` each {``mean``, ``sd``},
               ``cases`` {name: dice}, ``threshold``, ``best`` (bool), ``discriminator`` or null
preview        ``iteration``, ``file`` relative to the run folder
checkpoint     ``iteration``, ``file``, ``best`` (bool)
warning        ``iteration``, ``cause``, ``advice``, ``code``: memory, nan, collapse, source, checkpoint,
               compile
error          ``cause``, ``advice``; the training has ended
stopped        ``iteration``; as asked for; can be resumed
done           ``iteration``, ``best_iteration``, ``best_dice``, ``model`` relative to the run folder
=============  ===================================================================================

After a crash the iterations since the last checkpoint happen again: a ``started`` event says from where, and
what an earlier process told about later iterations no longer holds (:func:`history`).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import ResourceError
from ..json_lines import read_json_lines

VERSION = 1

FIELDS: dict[str, frozenset[str]] = {
    "prepared": frozenset({"cases", "total", "what"}),
    "started": frozenset({"iteration", "iterations", "device", "threads", "world"}),
    "iteration": frozenset({"iteration", "losses", "rates", "seconds", "per_second", "gpu_gb", "share"}),
    "validation": frozenset(
        {
            "iteration",
            "dice",
            "sensitivity",
            "specificity",
            "cases",
            "threshold",
            "best",
            "discriminator",
        }
    ),
    "preview": frozenset({"iteration", "file"}),
    "checkpoint": frozenset({"iteration", "file", "best"}),
    "warning": frozenset({"iteration", "cause", "advice", "code"}),
    "error": frozenset({"cause", "advice"}),
    "stopped": frozenset({"iteration"}),
    "done": frozenset({"iteration", "best_iteration", "best_dice", "model"}),
}

Event = dict[str, Any]


class EventLog:
    """Writes events; one writer at a time (see :func:`GASNetLib.run.process.exclusive`).

    A half-written last line, left by a process that was killed, is cut off first.

    Raises:
        ResourceError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _in_words(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            _cut_half_line(self._file)

    def write(self, kind: str, **fields: Any) -> None:
        """Append one event.

        Raises:
            ValueError: the fields are not those of the kind.
            ResourceError: it cannot be written; nothing of the line stays.
        """
        if fields.keys() != FIELDS[kind]:
            raise ValueError(f"fields of {kind!r} are {sorted(FIELDS[kind])}, not {sorted(fields)}")
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = json.dumps({"v": VERSION, "time": now, "kind": kind, **_plain(fields)}) + "\n"
        with _in_words(self._path):
            content = line.encode("ascii")
            if os.write(self._file, content) != len(content):
                _cut_half_line(self._file)
                raise OSError(28, "No space left on device")

    def close(self) -> None:
        """No more events."""
        os.close(self._file)


def read_events(path: Path, offset: int = 0, limit: int | None = None) -> tuple[list[Event], int]:
    """Events from a byte ``offset`` on, and the offset to go on from; for following a file that grows.

    As :func:`GASNetLib.json_lines.read_json_lines`, with its ``limit``; what is no event is left out.
    """
    values, offset = read_json_lines(path, offset, limit)
    events = [value for value in values if isinstance(value, dict) and isinstance(value.get("kind"), str)]
    return events, offset


def history(events: Iterable[Event]) -> list[Event]:
    """The events that still hold: without those of iterations that a later process did again."""
    kept: list[Event] = []
    for event in events:
        if event["kind"] == "started":
            start = event.get("iteration", 0)
            kept = [e for e in kept if e["kind"] == "started" or e.get("iteration", 0) <= start]
        kept.append(event)
    return kept


def _plain(value: Any) -> Any:
    """JSON knows no NaN and no infinity: null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _cut_half_line(file: int) -> None:
    size = os.lseek(file, 0, os.SEEK_END)
    end = size
    while end:
        start = max(0, end - 4096)
        os.lseek(file, start, os.SEEK_SET)
        newline = os.read(file, end - start).rfind(b"\n")
        end = start + newline + 1
        if newline >= 0:
            break
        end = start
    if end != size:
        os.ftruncate(file, end)


class _in_words:
    """Turns an operating system's error into one for people."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise ResourceError(
                f"{self._path} cannot be written: {error.strerror or error}.",
                "Free disk space, or choose a folder that you may write to; then resume the training.",
            ) from error
