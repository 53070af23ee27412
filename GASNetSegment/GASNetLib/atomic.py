"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import ResourceError

PART_ENDING = ".part"
"""What a file is called while it is being written; one that stays behind is a writer that was killed."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file aside, flush it to the disk and rename it into place.

    Readers see the old content or the new one; several writers do not disturb each other.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to; an old file stays as it was.
    """
    aside = _aside(path)
    with _in_plain_words(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(content)
            _move(aside, path)
        finally:
            with suppress(OSError):  # there is none if all went well
                aside.unlink()


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """The same for writers that tell the format by the name: a path of that name, in a folder beside.

    Raises:
        ResourceError: as :func:`write_atomically`.
    """
    folder = _aside(path)
    with _in_plain_words(path):
        try:
            folder.mkdir(parents=True)
            yield folder / path.name
            _move(folder / path.name, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def check_writable(path: Path) -> None:
    """Find out before hours of work whether its result can be written; its folder is made.

    Raises:
        ResourceError: it cannot.
    """
    aside = _aside(path)
    with _in_plain_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        aside.touch()
        aside.unlink()


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{PART_ENDING}")


@contextmanager
def _in_plain_words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Free disk space, or choose a folder that you may write to.",
        ) from error


def _move(aside: Path, path: Path) -> None:
    with aside.open("r+b") as file:
        os.fsync(file.fileno())
    os.replace(aside, path)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make a rename last through a power loss; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
