"""How to start the real Python of this program, with the environment it needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def python_executable(slicer_home: str = "") -> str:
    """The interpreter to start workers with.

    In Slicer ``sys.executable`` is a launcher: killing it would leave the Python that it started. The
    real one
    lies in Slicer's ``bin``, and needs the environment that Slicer itself runs in, which a child inherits.

    Args:
        slicer_home: ``slicer.app.slicerHome``; empty outside of Slicer.
    """
    ending = ".exe" if os.name == "nt" else ""
    real = Path(slicer_home) / "bin" / f"python-real{ending}"
    if slicer_home and real.is_file():
        return str(real)
    return sys.executable


def worker_environment(engine_folder: Path) -> dict[str, str]:
    """This process's environment, with the engine importable and output in UTF-8."""
    environment = dict(os.environ)
    known = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join([str(engine_folder), *([known] if known else [])])
    environment["PYTHONIOENCODING"] = "utf-8"
    environment["PYTHONUNBUFFERED"] = "1"
    return environment
