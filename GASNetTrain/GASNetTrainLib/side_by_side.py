"""Two results on one CT, each in a slice view of its own. No Qt but for Slicer's layout."""

from __future__ import annotations

from dataclasses import dataclass

import slicer
import vtk

LAYOUT = slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView
VIEWS = ("Red", "Yellow")
"""Slice views, left and right."""


def new_node(name: str, position: int):
    """A segmentation node that is shown in one of the two views only, before anything is in it: otherwise
    Slicer would first make a surface of the result for the 3D view, in which nobody looks at it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AddViewNodeID(f"vtkMRMLSliceNode{VIEWS[position]}")
    return node


@dataclass(frozen=True)
class _View:
    """A slice view as it was before."""

    name: str
    to_ras: vtk.vtkMatrix4x4
    field_of_view: tuple[float, float, float]
    volume_id: str | None
    linked: int

    @classmethod
    def of(cls, name: str) -> _View:
        widget = slicer.app.layoutManager().sliceWidget(name)
        node, composite = widget.mrmlSliceNode(), widget.mrmlSliceCompositeNode()
        to_ras = vtk.vtkMatrix4x4()
        to_ras.DeepCopy(node.GetSliceToRAS())
        volume = composite.GetBackgroundVolumeID()
        return cls(name, to_ras, node.GetFieldOfView(), volume, composite.GetLinkedControl())

    def restore(self) -> None:
        widget = slicer.app.layoutManager().sliceWidget(self.name)
        node, composite = widget.mrmlSliceNode(), widget.mrmlSliceCompositeNode()
        composite.SetLinkedControl(self.linked)
        composite.SetBackgroundVolumeID(self.volume_id)
        node.GetSliceToRAS().DeepCopy(self.to_ras)
        node.SetFieldOfView(*self.field_of_view)
        node.UpdateMatrices()


class Shown:
    """Two results on their CT, in views that have their size; what was there before comes back."""

    def __init__(self, volume_node, nodes: list) -> None:
        """
        Args:
            nodes: segmentation nodes, the only ones that are shown.
        """
        self._views = [_View.of(name) for name in VIEWS]
        others = [n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if n not in nodes]
        displays = [node.GetDisplayNode() for node in others]
        self._hidden = [display for display in displays if display is not None and display.GetVisibility()]
        self._own = [node.GetDisplayNode() for node in nodes]
        self._set_visible(False)
        for name in VIEWS:
            widget = slicer.app.layoutManager().sliceWidget(name)
            widget.mrmlSliceNode().SetOrientation("Axial")
            composite = widget.mrmlSliceCompositeNode()
            composite.SetBackgroundVolumeID(volume_node.GetID())
            composite.SetLinkedControl(True)
            widget.sliceLogic().FitSliceToBackground()

    def restore(self) -> None:
        """Views and segmentations as they were; the two results stay in the scene, hidden."""
        for view in self._views:
            view.restore()
        self._set_visible(True)

    def _set_visible(self, others: bool) -> None:
        for display in self._hidden:
            display.SetVisibility(others)
        for display in self._own:
            display.SetVisibility(not others)
