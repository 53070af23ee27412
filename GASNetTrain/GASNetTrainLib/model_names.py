"""What models are called: the name in the package, which the training gave it, and not that of the file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from slicer.i18n import tr as _

from GASNetLib.errors import ModelError


def model_name(path: Path) -> str:
    """Name of a model file; a damaged one is called so."""
    try:
        found = path.stat()
    except OSError:
        return _("{file} (missing)").format(file=path.name)
    return _name(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _name(path: Path, changed: int, size: int) -> str:
    """Read once as long as the file stays as it is."""
    from GASNetLib.model import read_model_info  # it needs a package that may not be installed yet

    try:
        return read_model_info(path).name
    except ModelError:
        return _("{file} (damaged)").format(file=path.name)
