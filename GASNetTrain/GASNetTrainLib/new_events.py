"""What is new in the history of a training since it was last looked at."""

from __future__ import annotations

from collections.abc import Sequence

from GASNetLib.run.events import Event


class NewEvents:
    """Tells which events of a growing history were not taken yet."""

    def __init__(self) -> None:
        self._source: object = None
        self._count = 0
        self._last: Event | None = None

    def begins_anew(self, source: object, events: Sequence[Event]) -> bool:
        """Whether it is another history: of another source, or with iterations that were done again."""
        count = self._count
        other = source != self._source or len(events) < count
        if other or (count and events[count - 1] is not self._last):
            self._source, self._count, self._last = source, 0, None
            return True
        return False

    def take(self, events: Sequence[Event], most: int | None = None) -> Sequence[Event]:
        """The next ones, at most so many."""
        new = events[self._count : None if most is None else self._count + most]
        if new:
            self._count, self._last = self._count + len(new), new[-1]
        return new
