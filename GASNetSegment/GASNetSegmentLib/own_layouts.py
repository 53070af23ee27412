"""Layouts that panels choose for a while, and the one that the person had chosen, which comes back.

Slicer keeps the layout that it is closed in for its next start, and ours would be empty there. One comes
after another, never one over the other: what comes back is always the person's. Slicer's layout manager holds
which one that is, for a module that is loaded anew has to agree with the other one that is not.
"""

from __future__ import annotations

from collections.abc import Callable

import slicer

from .comparison_layout import LAYOUT as COMPARISON

SHOWN, PERSONS = "GASNetLayoutShown", "GASNetLayoutOfThePerson"


def show(choose: Callable[[], None]) -> int:
    """Have another layout chosen; returns its number."""
    manager = slicer.app.layoutManager()
    ours = (manager.property(SHOWN), COMPARISON)  # a scene can have been saved in the latter
    if manager.layout not in ours:
        manager.setProperty(PERSONS, manager.layout)
    choose()
    manager.setProperty(SHOWN, manager.layout)
    return manager.layout


def put_back() -> None:
    """Go back to the person's layout, if one of ours is shown."""
    manager = slicer.app.layoutManager()
    if manager.layout == manager.property(SHOWN):
        manager.setProperty(SHOWN, None)
        persons = manager.property(PERSONS)
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView if persons is None else persons)
