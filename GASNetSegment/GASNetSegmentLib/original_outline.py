"""The AI's original as an outline over the slices, beside the corrected lesion: shown on demand.

It stands in a segmentation node of its own that no selector offers, so that no brush can touch it. It can be
taken away at any time: what the AI found follows from the evidence and the threshold.
"""

from __future__ import annotations

import slicer

from .ct_nodes import place_beside
from .result import Result
from .segments import set_segment_array

ORIGINAL_OF = "GASNet.originalOf"
"""Attribute of an outline: ID of the segmentation node whose AI result it shows."""

SEGMENT = "AI"
COLOUR = (0.25, 0.8, 1.0)
THICKNESS = 2


def show(result: Result) -> None:
    """Show what the AI found at the present threshold."""
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.UnRegister(None)
    node.SetName(f"{result.node.GetName()} as the AI found it")
    node.SetHideFromEditors(True)
    node.SetAttribute(ORIGINAL_OF, result.node.GetID())
    node = slicer.mrmlScene.AddNode(node)
    place_beside(node, result.evidence_node)  # not shown there, but Slicer complains of one that has no item
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(result.evidence_node)
    node.SetAndObserveTransformNodeID(result.node.GetTransformNodeID())
    display = node.GetDisplayNode()
    display.SetVisibility2DFill(False)
    display.SetVisibility3D(False)
    display.SetSliceIntersectionThickness(THICKNESS)
    node.GetSegmentation().AddEmptySegment(SEGMENT, SEGMENT, COLOUR)
    _draw(node, result)


def hide() -> None:
    """Take all outlines away."""
    for node in _outlines():
        slicer.mrmlScene.RemoveNode(node)


def renew(segmentation_node) -> None:
    """Draw the outline anew, if this segmentation has one: its threshold was moved, or it was made again."""
    for node in _outlines():
        if node.GetAttribute(ORIGINAL_OF) == segmentation_node.GetID():
            _draw(node, Result.of(segmentation_node))


def _outlines() -> list:
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [node for node in nodes if node.GetAttribute(ORIGINAL_OF)]


def _draw(node, result: Result) -> None:
    box = result.evidence_box
    set_segment_array(node, SEGMENT, result.ai_lesions_in(box), result.evidence_node, box)
