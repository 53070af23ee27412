"""Views that are drawn one after another: by itself Slicer draws all at once, several times, as its layout
changes, and does not answer meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import slicer

from GASNetSegmentLib.panel import single_shot


class StepwiseDrawing:
    """Holds back what Slicer's slice and 3D views draw while their layout changes."""

    def __init__(self) -> None:
        self._held: list = []
        self._draw_later = single_shot(0, self._draw_one)

    def hold(self) -> None:
        """From now on nothing is drawn, until :meth:`draw`."""
        if not self._held:
            self._held = _views()
            for view in self._held:
                view.pauseRender()

    def draw(self) -> None:
        """Draw view by view; Slicer's window answers in between."""
        self._draw_later.start()

    def finish(self) -> None:
        """Draw all that is held back at once; the panel goes away, or the scene is about to."""
        self._draw_later.stop()
        while self._held:
            self._held.pop().resumeRender()

    def _draw_one(self) -> None:
        if not self._held:
            return
        view = self._held.pop()
        self.draw()  # whatever becomes of this view, the next one has its turn
        view.resumeRender()


def drawing_first_time() -> Iterator[int]:
    """In steps, draw each view that no layout has shown yet: what it then makes for itself takes long."""
    for view in _views():
        if view.renderWindow().GetNeverRendered():
            view.grab()
            yield 0


def _views() -> list:
    manager = slicer.app.layoutManager()
    if manager is None:
        return []
    slices = [manager.sliceWidget(name).sliceView() for name in manager.sliceViewNames()]
    return slices + [manager.threeDWidget(number).threeDView() for number in range(manager.threeDViewCount)]
