"""Two results on one CT, each in a slice view of its own. No Qt but for Slicer's layout."""

from __future__ import annotations

import slicer

VIEWS = ("Red", "Yellow")


def show_side_by_side(volume_node, segmentation_nodes) -> None:
    """Show a CT twice, left with the first segmentation and right with the second, slices linked."""
    manager = slicer.app.layoutManager()
    if manager is not None:
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)
    for view, node in zip(VIEWS, segmentation_nodes, strict=True):
        slice_node = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}")
        if slice_node is None:
            continue
        slice_node.SetOrientation("Axial")
        display = node.GetDisplayNode()
        display.RemoveAllViewNodeIDs()
        display.AddViewNodeID(slice_node.GetID())
        composite = manager.sliceWidget(view).mrmlSliceCompositeNode() if manager is not None else None
        if composite is not None:
            composite.SetBackgroundVolumeID(volume_node.GetID())
            composite.SetLinkedControl(True)
    if manager is not None:
        manager.resetSliceViews()
