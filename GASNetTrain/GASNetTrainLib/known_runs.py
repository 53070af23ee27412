"""Which run folders this person has trained in: kept between sessions, so that runs are found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

RUNS_KEY = "GASNet/Runs"


class Settings(Protocol):
    """As QSettings."""

    def value(self, key: str, default: Any = None) -> Any: ...

    def setValue(self, key: str, value: Any) -> None: ...


class KnownRuns:
    """Paths of run folders, latest first, in a settings object."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def paths(self) -> list[Path]:
        """The run folders that are still there."""
        return [path for path in self._all() if (path / "config.json").is_file()]

    def add(self, path: Path) -> None:
        """Remember a run folder; the latest comes first."""
        self._keep([path, *(known for known in self._all() if known != path)])

    def forget(self, path: Path) -> None:
        """Take a run folder off the list; its files stay."""
        self._keep([known for known in self._all() if known != path])

    def _all(self) -> list[Path]:
        try:
            return [Path(text) for text in json.loads(str(self._settings.value(RUNS_KEY, "[]")))]
        except (ValueError, TypeError):
            return []

    def _keep(self, paths: list[Path]) -> None:
        self._settings.setValue(RUNS_KEY, json.dumps([str(path) for path in paths]))
