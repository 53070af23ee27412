"""Work of Slicer's window in steps, between which it answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from GASNetSegmentLib.panel import single_shot

Step = tuple[int, Callable[[], None]]
"""Milliseconds to wait, then a function."""


class Steps:
    """Calls functions one after another; when one fails the rest is dropped."""

    def __init__(
        self, problems_shown: Callable[[], AbstractContextManager], ended: Callable[[], None]
    ) -> None:
        """
        Args:
            problems_shown: each function runs inside of one.
            ended: called after the last, or after a failure.
        """
        self._problems_shown, self._ended = problems_shown, ended
        self._left: list[Step] = []
        self._timer = single_shot(0, self._take)

    @property
    def going_on(self) -> bool:
        """Whether some are still to come."""
        return bool(self._left)

    def begin(self, *steps: Step) -> None:
        """Take these steps."""
        self._left = list(steps)
        self._timer.start(steps[0][0])

    def drop(self) -> None:
        """Take no more."""
        self._timer.stop()
        self._left = []

    def _take(self) -> None:
        if not self._left:
            return
        done = False
        with self._problems_shown():
            self._left[0][1]()
            done = True
        self._left = self._left[1:] if done else []
        if self._left:
            self._timer.start(self._left[0][0])
        else:
            self._ended()
