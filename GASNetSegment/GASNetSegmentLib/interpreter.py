"""How to start the real Python of this program, with the environment it needs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from GASNetLib.errors import ResourceError


def python_executable(slicer_home: str = "") -> str:
    """The interpreter to start workers with.

    In Slicer ``sys.executable`` is a launcher, or empty where there is none. Killing a launcher would leave
    the Python that it started, so the real one is looked for first: in Slicer's ``bin``, then where the
    Python that runs inside Slicer comes from. Both need the environment of Slicer, which a child inherits.

    Args:
        slicer_home: ``slicer.app.slicerHome``; empty outside of Slicer.

    Raises:
        ResourceError: no interpreter is found.
    """
    if not slicer_home:
        return sys.executable
    for candidate in _candidates(Path(slicer_home)):
        if candidate and Path(candidate).is_file():
            return str(candidate)
    raise ResourceError("The Python of this Slicer is not found.", "Install 3D Slicer again.")


def _candidates(slicer_home: Path) -> list[str | Path]:
    """Where Slicer's Python may be, real interpreters first, launchers last."""
    windows = os.name == "nt"
    ending = ".exe" if windows else ""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [
        slicer_home / "bin" / f"python-real{ending}",
        Path(sys.base_prefix) / ("python.exe" if windows else f"bin/{version}"),
        sys.executable,
        slicer_home / "bin" / f"PythonSlicer{ending}",
        shutil.which("PythonSlicer") or "",
    ]


def worker_environment(engine_folder: Path) -> dict[str, str]:
    """This process's environment, with the engine importable and output in UTF-8.

    The child finds packages where this process finds them, wherever Slicer or an extension put them.
    """
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([str(engine_folder), *filter(None, sys.path)])
    environment["PYTHONIOENCODING"] = "utf-8"
    environment["PYTHONUNBUFFERED"] = "1"
    return environment
