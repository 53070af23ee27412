"""How fast a training goes, validations and previews included: seen in its events, for estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from GASNetLib.run.events import Event

ITERATIONS_LOOKED_AT = 20
"""The latest ones: terms that set in later make an iteration slower."""

EVENTS_LOOKED_AT = 2000
"""So that a look at a long training costs no more than one at a short one."""


@dataclass(frozen=True)
class Pace:
    """Seconds that things take.

    Attributes:
        iteration: of an iteration. validation: of one case of a validation, 0 before the first.
        preview: of a preview, 0 before the first.
    """

    iteration: float
    validation: float = 0.0
    preview: float = 0.0

    @classmethod
    def of(cls, events: Sequence[Event]) -> Pace | None:
        """As seen in the events of a training; None before its first iteration."""
        events = events[-EVENTS_LOOKED_AT:]
        iterations = [event for event in events if event["kind"] == "iteration"]
        if not iterations:
            return None
        latest = iterations[-ITERATIONS_LOOKED_AT:]
        iteration = median(1 / event["per_second"] for event in latest)
        validations = [
            seconds / max(1, len(found["cases"]))
            for found, seconds in _extra(events, "validation", iteration)
        ]
        previews = [seconds for _, seconds in _extra(events, "preview", iteration)]
        return cls(iteration, *(median(found) if found else 0.0 for found in (validations, previews)))

    def seconds(self, settings: Mapping[str, Any], validation_cases: int, done: int = 0) -> float:
        """How long a training takes from an iteration on.

        Args:
            settings: ``iterations``, ``val_every`` and ``preview_every`` of it.
            done: iterations that lie behind.
        """
        last = settings["iterations"]
        if done >= last:
            return 0.0

        def times(every: int) -> int:
            return -(-last // every) - done // every  # whatever the period, after the last iteration too

        validation = self.validation * validation_cases * times(settings["val_every"])
        return (last - done) * self.iteration + validation + self.preview * times(settings["preview_every"])

    def as_data(self) -> dict[str, float]:
        """Ready for JSON; ``Pace(**data)`` reads it."""
        return asdict(self)


def _extra(events: Sequence[Event], kind: str, iteration: float) -> list[tuple[Event, float]]:
    """Events of a kind with the seconds since the event before, less those that went into iterations."""
    found = []
    for before, event in pairwise(events):
        if event["kind"] == kind and "iteration" in before:
            between = (event["iteration"] - before["iteration"]) * iteration
            passed = (_time(event) - _time(before)).total_seconds() - between
            found.append((event, max(0.0, passed)))
    return found


def _time(event: Event) -> datetime:
    return datetime.fromisoformat(event["time"])
