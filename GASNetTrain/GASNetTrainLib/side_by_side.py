"""Two results on one CT, each in a slice view of its own. No Qt but for Slicer's layout."""

from __future__ import annotations

import slicer

VIEWS = ("Red", "Yellow")
"""Slice views, left and right."""


def new_node(name: str, position: int):
    """A segmentation node that is shown in one of the two views only, before anything is in it: otherwise
    Slicer would first make a surface of the result for the 3D view, in which nobody looks at it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AddViewNodeID(f"vtkMRMLSliceNode{VIEWS[position]}")
    return node


def lay_out() -> None:
    """Take the layout of the two views; they get their size when Slicer is next idle."""
    manager = slicer.app.layoutManager()
    if manager is not None:
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)


def show_ct(volume_node) -> None:
    """Show the whole of a CT in both views, slices linked."""
    manager = slicer.app.layoutManager()
    for view in VIEWS if manager is not None else ():
        widget = manager.sliceWidget(view)
        widget.mrmlSliceNode().SetOrientation("Axial")
        composite = widget.mrmlSliceCompositeNode()
        composite.SetBackgroundVolumeID(volume_node.GetID())
        composite.SetLinkedControl(True)
        widget.sliceLogic().FitSliceToBackground()
