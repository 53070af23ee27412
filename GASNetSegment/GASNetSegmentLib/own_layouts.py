"""Layouts that panels choose for a while, and the one that the person had chosen, which comes back.

Slicer keeps the layout that it is closed in for its next start, and ours would be empty there.
"""

from __future__ import annotations

from collections.abc import Callable

import slicer

from .comparison_layout import LAYOUT as COMPARISON


class OwnLayouts:
    """One after another, never one over the other: what comes back is always the person's."""

    def __init__(self) -> None:
        self._persons = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
        self._shown: int | None = None

    def show(self, choose: Callable[[], None]) -> int:
        """Have another layout chosen; returns its number."""
        manager = slicer.app.layoutManager()
        if manager.layout not in (self._shown, COMPARISON):  # in which only a scene can have been saved
            self._persons = manager.layout
        choose()
        self._shown = manager.layout
        return self._shown

    def put_back(self) -> None:
        """Go back to the person's layout, if one of ours is shown."""
        manager = slicer.app.layoutManager()
        if manager.layout == self._shown:
            self._shown = None
            manager.setLayout(self._persons)


own_layouts = OwnLayouts()
