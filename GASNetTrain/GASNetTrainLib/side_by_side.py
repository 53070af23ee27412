"""Two results on one CT, each in a slice view of its own. No Qt but for Slicer's layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from GASNetLib.evidence import lesions_above
from GASNetLib.mask_box import Slices
from GASNetSegmentLib.ct_nodes import geometry_of, world_position

LAYOUT = slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView
VIEWS = ("Red", "Yellow")
"""Slice views, left and right."""

SLICES_AT_ONCE = 20


def new_node(name: str, position: int):
    """A segmentation node that is shown in one of the two views only, before anything is in it: otherwise
    Slicer would first make a surface of the result for the 3D view, in which nobody looks at it."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AddViewNodeID(f"vtkMRMLSliceNode{VIEWS[position]}")
    return node


def where_they_differ(
    evidences: Sequence[np.ndarray], thresholds: Sequence[float], box: Slices
) -> Iterator[int]:
    """Look for the slice in which two results differ most, else the one with most lesion, in steps.

    Args:
        evidences: of both (:mod:`GASNetLib.evidence`). thresholds: of both. box: that holds all of both.

    Yields:
        0 between the steps.

    Returns:
        The voxel (x, y, z) in the middle of what differs there, or of the lesion; None without any lesion.
    """
    most, place = (0, 0), None
    for number, z in enumerate(range(box[0].start, box[0].stop)):
        planes = (evidence[(z, *box[1:])] for evidence in evidences)
        first, second = (lesions_above(p, t) > 0 for p, t in zip(planes, thresholds, strict=True))
        found = np.count_nonzero(first != second), np.count_nonzero(first)
        if found > most:
            middle = np.argwhere(first != second if found[0] else first).mean(0)
            most, place = found, (middle[1] + box[2].start, middle[0] + box[1].start, z)
        if number % SLICES_AT_ONCE == SLICES_AT_ONCE - 1:
            yield 0
    return place


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

    def __init__(self, volume_node, nodes: list, voxel: tuple[float, float, float] | None) -> None:
        """
        Args:
            nodes: segmentation nodes, the only ones that are shown.
            voxel: (x, y, z) of the CT whose slice is shown; None: the middle one.
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
            if voxel is not None:
                lps = geometry_of(volume_node).index_to_physical @ [*voxel, 1.0]
                widget.mrmlSliceNode().JumpSliceByOffsetting(*world_position(volume_node, lps[:3]))

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
