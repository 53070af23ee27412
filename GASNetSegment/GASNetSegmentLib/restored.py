"""A CT restored to the healthy look, and the difference: volume nodes beside the CT, which refers to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer

from GASNetLib.provenance import PREFIX

from .ct_nodes import place_beside, set_geometry

HEALTHY_ROLE, DIFFERENCE_ROLE = "GASNet.restoredHealthy", "GASNet.difference"
"""References of a CT node to the two."""

MADE_OF = "GASNet.restoredFrom"
"""Attribute of both: ID of the CT."""

DIFFERENCE_COLOURS = "vtkMRMLColorTableNodeFileDivergingBlueRed.txt"
DIFFERENCE_SHOWN_HU = 500
"""Blue: made darker by so much, a lesion gone; red: made denser."""


@dataclass(frozen=True)
class Restored:
    """Volume nodes of one grid: the CT, what it looked like healthy, and healthy − CT in HU."""

    ct: object
    healthy: object
    difference: object

    @classmethod
    def of(cls, ct_node) -> Restored | None:
        """What was restored of a CT, or None."""
        healthy, difference = (ct_node.GetNodeReference(role) for role in (HEALTHY_ROLE, DIFFERENCE_ROLE))
        return None if healthy is None or difference is None else cls(ct_node, healthy, difference)

    @classmethod
    def put(
        cls, ct_node, healthy: np.ndarray, difference: np.ndarray, provenance: dict[str, str]
    ) -> Restored:
        """Write both (z, y, x; HU) into the scene; they take the place of those of an earlier run."""
        restored = cls(
            ct_node,
            _volume_node(ct_node, HEALTHY_ROLE, "restored healthy", healthy),
            _volume_node(ct_node, DIFFERENCE_ROLE, "difference", difference),
        )
        for node in (restored.healthy, restored.difference):
            for key, value in provenance.items():
                node.SetAttribute(PREFIX + key, value)
        display = ct_node.GetDisplayNode()
        if display is not None:  # side by side they must look alike
            _set_window(restored.healthy, display.GetWindow(), display.GetLevel())
        _set_window(restored.difference, 2 * DIFFERENCE_SHOWN_HU, 0)
        restored.difference.GetDisplayNode().SetAndObserveColorNodeID(DIFFERENCE_COLOURS)
        return restored


def _volume_node(ct_node, role: str, what: str, array: np.ndarray):
    node = ct_node.GetNodeReference(role)
    if node is None:
        name = slicer.mrmlScene.GenerateUniqueName(f"{ct_node.GetName()} {what}")
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        ct_node.SetNodeReferenceID(role, node.GetID())
        node.SetAttribute(MADE_OF, ct_node.GetID())
    whole = array if array.dtype.kind == "i" else np.rint(array)  # the worker gives whole HU already
    slicer.util.updateVolumeFromArray(node, whole.astype(np.int16, copy=False))
    set_geometry(node, ct_node)
    node.CreateDefaultDisplayNodes()
    place_beside(node, ct_node)
    return node


def _set_window(volume_node, window: float, level: float) -> None:
    volume_node.GetDisplayNode().SetAutoWindowLevel(False)
    volume_node.GetDisplayNode().SetWindowLevel(window, level)
