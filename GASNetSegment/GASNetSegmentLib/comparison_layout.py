"""Slicer's layout of three slice views side by side, which scroll and zoom together."""

from __future__ import annotations

import slicer

LAYOUT = 20100
"""Number of the layout among all of Slicer's."""

VIEWS = {"GASNetCT": "CT", "GASNetHealthy": "H", "GASNetDifference": "D"}
"""Names of the views, and the letters on their bars, which have no room for more."""

VIEW_GROUP = 20100
"""Linked views only move those of their own group."""

_VIEW = """
 <item><view class="vtkMRMLSliceNode" singletontag="{name}">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">{label}</property>
  <property name="viewcolor" action="default">#6E8CA0</property>
  <property name="viewgroup" action="default">{group}</property>
 </view></item>"""


def register() -> None:
    """Make the layout known, so that scenes can be loaded that were saved in it."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return
    views = "".join(_VIEW.format(name=name, label=label, group=VIEW_GROUP) for name, label in VIEWS.items())
    manager.layoutLogic().GetLayoutNode().AddLayoutDescription(
        LAYOUT, f'<layout type="horizontal" split="true">{views}\n</layout>'
    )


def show(volume_nodes) -> None:
    """Show three volumes, one in each view."""
    slicer.app.layoutManager().setLayout(LAYOUT)
    for logic, volume in zip(_slice_logics(), volume_nodes, strict=True):
        composite = logic.GetSliceCompositeNode()
        composite.SetBackgroundVolumeID(volume.GetID())
        composite.SetForegroundVolumeID(None)
        composite.SetLinkedControl(True)
        composite.SetHotLinkedControl(True)


def align(position) -> None:
    """Show the whole slice through a world position (RAS mm) in each view; they must have their size."""
    for logic in _slice_logics():
        logic.FitSliceToBackground()
        logic.GetSliceNode().JumpSliceByOffsetting(*position)


def _slice_logics() -> list:
    manager = slicer.app.layoutManager()
    return [manager.sliceWidget(name).sliceLogic() for name in VIEWS]
