"""How this module starts Python: the real interpreter, with the engine and this package importable."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import GASNetLib
from GASNetSegmentLib.interpreter import python_executable, worker_environment

OWN_FOLDER = Path(__file__).resolve().parents[1]
ENGINE_FOLDER = Path(GASNetLib.__file__).resolve().parents[1]


def environment() -> dict[str, str]:
    """The environment of a process that imports the engine and this package."""
    values = worker_environment(ENGINE_FOLDER)
    values["PYTHONPATH"] = os.pathsep.join([str(OWN_FOLDER), values["PYTHONPATH"]])
    return values


@dataclass(frozen=True)
class Interpreter:
    """The Python to start, and its environment."""

    executable: str
    environment: dict[str, str] = field(default_factory=environment)

    @classmethod
    def of_slicer(cls, slicer_home: str = "") -> Interpreter:
        """The real Python of a Slicer, not its launcher; without a home, the one that runs now."""
        return cls(python_executable(slicer_home))

    def command(self, module: str, *arguments: str) -> list[str]:
        """The command line that runs a module."""
        return [self.executable, "-m", module, *arguments]
