"""How fast this computer trains: measured by the trainings that it has done."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import TYPE_CHECKING

from GASNetLib.run.errors import RunError

if TYPE_CHECKING:
    from .run_handle import RunHandle


FEWEST = 3
"""The first iterations are slower than the rest."""


def measured_speed(runs: Iterable[RunHandle], preset: str, device: str) -> float | None:
    """Iterations per second of the latest training with this preset and device; None without."""
    for run in runs:
        try:
            config = run.folder.config()
        except RunError:
            continue
        if config["settings"]["name"] != preset or config["device"] != device:
            continue
        speeds = [event["per_second"] for event in run.events() if event["kind"] == "iteration"]
        if len(speeds) >= FEWEST:
            return median(speeds)
    return None
