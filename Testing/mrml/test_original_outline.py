"""The AI's original beside the correction, and figures that look only where something is marked."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from GASNetLib.metrics import overlap  # noqa: E402
from GASNetLib.quantify import quantify  # noqa: E402
from GASNetSegmentLib.original_outline import ORIGINAL_OF  # noqa: E402
from GASNetSegmentLib.result import LESION, Result  # noqa: E402
from GASNetSegmentLib.segments import segment_array, set_segment_array  # noqa: E402

FAR_CORNER = (slice(0, 3), slice(0, 4), slice(0, 5))
BALL = (slice(22, 26), slice(40, 50), slice(24, 34))


def outlines() -> list:
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [node for node in nodes if node.GetAttribute(ORIGINAL_OF)]


def outlined(ct) -> np.ndarray:
    (outline,) = outlines()
    return segment_array(outline, outline.GetSegmentation().GetNthSegmentID(0), ct)


def paint(node, ct, where) -> None:
    mask = Result.of(node).lesions
    mask[where] = 1
    set_segment_array(node, LESION, mask, ct)


def test_outline_shows_what_the_ai_found_whatever_was_corrected(logic, ct, segmented, phantom):
    paint(segmented, ct, BALL)

    logic.showOriginal(segmented)

    assert np.array_equal(outlined(ct), phantom.lesions)
    display = outlines()[0].GetDisplayNode()
    assert display.GetVisibility2DOutline() and not display.GetVisibility2DFill()
    assert not display.GetVisibility3D()
    logic.showOriginal(segmented, False)
    assert not outlines() and Result.of(segmented).lesions[BALL].all()


def test_outline_follows_the_threshold(logic, ct, segmented):
    logic.showOriginal(segmented)

    logic.setThreshold(segmented, 0.2)

    assert np.array_equal(outlined(ct), Result.of(segmented).ai_lesions)


def test_outline_is_out_of_reach_of_a_brush(logic, segmented):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    evidence = Result.of(segmented).evidence_node
    if not hierarchy.GetItemByDataNode(evidence):  # slicer-core has not the desktop's plugins
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), evidence)

    logic.showOriginal(segmented)

    (outline,) = outlines()
    assert outline.GetHideFromEditors()
    assert hierarchy.GetItemByDataNode(outline)  # without one, Slicer complains at each change


def test_figures_are_those_of_the_whole_ct(logic, ct, segmented, phantom):
    """The lesion was painted far away from all that the network looked at."""
    paint(segmented, ct, FAR_CORNER)
    result = Result.of(segmented)

    assert logic.quantify(segmented) == quantify(
        phantom.hu, result.lesions, result.lung_labels, result.geometry
    )
    whole = overlap(result.lesions, result.ai_lesions)
    assert logic.changes(segmented).dice == whole.dice
    assert logic.changes(segmented).added_ml == pytest.approx(60 * result.geometry.voxel_ml)


def test_emptied_lesion_has_figures(logic, ct, segmented, phantom):
    set_segment_array(segmented, LESION, np.zeros_like(phantom.lesions), ct)

    assert logic.quantify(segmented).lesion_ml == 0
    assert logic.changes(segmented).removed_ml == pytest.approx(
        phantom.lesions.sum() * Result.of(segmented).geometry.voxel_ml
    )


def test_threshold_after_a_correction_is_refused_though_it_was_moved_before(logic, ct, segmented):
    logic.setThreshold(segmented, 0.4)
    paint(segmented, ct, BALL)

    with pytest.raises(Exception, match="corrected"):
        logic.setThreshold(segmented, 0.3)


def test_stamp_changes_with_the_voxels_alone(logic, ct, segmented):
    result = Result.of(segmented)
    stamp = result.lesion_stamp
    segmented.GetSegmentation().GetSegment(LESION).SetColor(0, 1, 0)
    segmented.GetDisplayNode().SetOpacity(0.3)
    assert result.lesion_stamp == stamp

    logic.saveUndoState(segmented)
    paint(segmented, ct, BALL)
    painted = result.lesion_stamp
    assert painted != stamp
    told = []
    segmented.AddObserver(
        slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent, lambda *_: told.append(result.lesion_stamp)
    )
    assert logic.undo(segmented)
    assert told and told[-1] != painted


def test_surface_of_the_lesion_alone_comes_and_goes(segmented):
    result, segmentation = Result.of(segmented), segmented.GetSegmentation()
    name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    assert not result.drop_surface()
    result.make_surface()
    lungs = segmentation.GetSegment("Lungs").GetRepresentation(name)

    assert result.drop_surface()
    assert segmentation.GetSegment(LESION).GetRepresentation(name) is None
    result.make_surface()

    assert segmentation.GetSegment(LESION).GetRepresentation(name).GetNumberOfPoints() > 0
    assert segmentation.GetSegment("Lungs").GetRepresentation(name) is lungs
