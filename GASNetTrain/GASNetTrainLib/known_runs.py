"""Which run folders this person has trained in: kept between sessions, so that runs are found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

RUNS_KEY, ENDS_KEY = "GASNet/Runs", "GASNet/EndsToTell"


class Settings(Protocol):
    """As QSettings."""

    def value(self, key: str, default: Any = None) -> Any: ...

    def setValue(self, key: str, value: Any) -> None: ...


class KnownRuns:
    """Run folders in a settings object: all that are known, and those whose end the person is to be told."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def paths(self) -> list[Path]:
        """The run folders that are still there, latest first."""
        return [path for path in self._all() if _is_there(path)]

    def add(self, path: Path) -> None:
        """Remember a run folder; the latest comes first."""
        kept = [path, *(known for known in self._all() if known != path)]
        self._settings.setValue(RUNS_KEY, json.dumps([str(path) for path in kept]))

    # --- ends that the person is to be told ---------------------------------------------------------------

    def await_end(self, path: Path) -> None:
        """A training has begun: its end is to be told, in this session or in a later one."""
        self._keep_ends({**self._ends(), path: False})

    def ends_to_tell(self) -> dict[Path, bool]:
        """The trainings that were awaited, and whether a start of Slicer has announced their end already."""
        return {path: announced for path, announced in self._ends().items() if _is_there(path)}

    def end_announced(self, path: Path) -> None:
        """Slicer's start has told of it in passing."""
        self._keep_ends({**self._ends(), path: True})

    def end_told(self, path: Path) -> None:
        """The person knows."""
        self._keep_ends({other: told for other, told in self._ends().items() if other != path})

    # --- settings -----------------------------------------------------------------------------------------

    def _all(self) -> list[Path]:
        try:
            return [Path(text) for text in json.loads(str(self._settings.value(RUNS_KEY, "[]")))]
        except (ValueError, TypeError):
            return []

    def _ends(self) -> dict[Path, bool]:
        try:
            kept = json.loads(str(self._settings.value(ENDS_KEY, "{}")))
            return {Path(text): bool(announced) for text, announced in kept.items()}
        except (ValueError, TypeError, AttributeError):
            return {}

    def _keep_ends(self, ends: dict[Path, bool]) -> None:
        if ends != self._ends():
            self._settings.setValue(ENDS_KEY, json.dumps({str(path): told for path, told in ends.items()}))


def _is_there(path: Path) -> bool:
    return (path / "config.json").is_file()
