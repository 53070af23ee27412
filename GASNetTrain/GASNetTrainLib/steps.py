"""Work of Slicer's window in steps, between which it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from GASNetSegmentLib.panel import single_shot


class Steps:
    """Runs a generator from one ``yield`` to the next, each in a turn of its own; when it fails, it ends."""

    def __init__(
        self, problems_shown: Callable[[], AbstractContextManager], ended: Callable[[], None] = lambda: None
    ) -> None:
        """
        Args:
            problems_shown: each step runs inside of one.
            ended: called after the last, or after a failure.
        """
        self._problems_shown, self._ended = problems_shown, ended
        self._steps: Iterator[int] | None = None
        self._timer = single_shot(0, self._take)

    @property
    def going_on(self) -> bool:
        """Whether some are still to come."""
        return self._steps is not None

    def begin(self, steps: Iterator[int]) -> None:
        """Take these steps, and no more of those before.

        Args:
            steps: yields the milliseconds to wait before it is resumed.
        """
        self.drop()
        self._steps = steps
        self._timer.start(0)

    def drop(self) -> None:
        """Take no more."""
        self._timer.stop()
        self._steps = None

    def _take(self) -> None:
        steps, wait = self._steps, None
        with self._problems_shown():
            wait = next(steps, None)
        if self._steps is not steps:  # dropped by what it did, or others have begun
            return
        if wait is None:
            self._steps = None
            self._ended()
        else:
            self._timer.start(wait)
