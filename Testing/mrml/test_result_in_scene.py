"""A result in the scene: threshold, correction, quantities, saving and reloading, frames, other scenes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
import vtk  # noqa: E402

from GASNetLib.errors import Cancelled, InputError, ModelError, ResourceError  # noqa: E402
from GASNetLib.evidence import evidence_box  # noqa: E402
from GASNetLib.quantify import quantify  # noqa: E402
from GASNetSegmentLib import result as result_module  # noqa: E402
from GASNetSegmentLib.result import LESION, LUNGS, Result  # noqa: E402
from GASNetSegmentLib.segments import set_segment_array  # noqa: E402
from scene_samples import PROVENANCE, add_ct, evidence_of_phantom, write_tiny_model  # noqa: E402


def paint(node, where) -> np.ndarray:
    """Change the lesion as a brush does."""
    result = Result.of(node)
    mask = result.lesions
    mask[where] = 1
    set_segment_array(node, LESION, mask, result.ct)
    return mask


BALL = (slice(22, 26), slice(40, 50), slice(24, 34))


def test_threshold_acts_without_a_run_and_back_again(logic, segmented, phantom):
    logic.setThreshold(segmented, 0.2)
    wide = Result.of(segmented).lesions
    logic.setThreshold(segmented, 0.5)

    assert wide.sum() > phantom.lesions.sum()
    assert np.all(wide[phantom.lesions == 1] == 1)
    assert np.array_equal(Result.of(segmented).lesions, phantom.lesions)
    assert logic.provenance(segmented)["threshold"] == 0.5


@pytest.mark.parametrize("value", [0.0, 1.0, -2, 7])
def test_threshold_out_of_range_changes_nothing(logic, segmented, phantom, value):
    with pytest.raises(ValueError, match="between 0 and 1"):
        logic.setThreshold(segmented, value)

    assert np.array_equal(Result.of(segmented).lesions, phantom.lesions)


def test_threshold_does_not_undo_a_correction_unasked(logic, segmented):
    corrected = paint(segmented, BALL)

    with pytest.raises(InputError, match="corrected"):
        logic.setThreshold(segmented, 0.3)
    assert np.array_equal(Result.of(segmented).lesions, corrected)

    logic.setThreshold(segmented, 0.3, discardChanges=True)
    assert not np.array_equal(Result.of(segmented).lesions, corrected)
    assert logic.undo(segmented)
    assert np.array_equal(Result.of(segmented).lesions, corrected)


def test_probability_is_what_the_ai_said(logic, segmented, phantom):
    probability = logic.probability(segmented)

    assert probability.dtype == np.float32
    assert np.allclose(probability[phantom.lesions == 1], 0.8)


def test_nothing_changed_at_first(logic, segmented):
    changes = logic.changes(segmented)

    assert (changes.added_ml, changes.removed_ml, changes.dice, changes.any) == (0.0, 0.0, 1.0, False)


def test_changes_are_told_in_ml_and_dice(logic, segmented, phantom):
    before = phantom.lesions.copy()
    corrected = paint(segmented, BALL)
    corrected[:, :, 60:] = 0
    set_segment_array(segmented, LESION, corrected, Result.of(segmented).ct)

    changes = logic.changes(segmented)

    voxel_ml = phantom.geometry.voxel_ml
    assert changes.added_ml == pytest.approx(((corrected == 1) & (before == 0)).sum() * voxel_ml)
    assert changes.removed_ml == pytest.approx(((corrected == 0) & (before == 1)).sum() * voxel_ml)
    dice = 2 * (corrected & before).sum() / (corrected.sum() + before.sum())
    assert changes.dice == pytest.approx(dice)


def test_original_is_kept_and_comes_back(logic, segmented, phantom):
    corrected = paint(segmented, BALL)

    logic.restoreOriginal(segmented)
    assert np.array_equal(Result.of(segmented).lesions, phantom.lesions)

    assert logic.undo(segmented)
    assert np.array_equal(Result.of(segmented).lesions, corrected)
    assert not logic.undo(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode"))


def test_quantities_follow_the_correction(logic, segmented, phantom):
    def check(lesions: np.ndarray) -> None:
        measured, expected = (
            logic.quantify(segmented),
            quantify(phantom.hu, lesions, phantom.lungs, phantom.geometry),
        )
        assert replace(measured, foci=()) == replace(expected, foci=())
        assert [replace(focus, centre=()) for focus in measured.foci] == [
            replace(focus, centre=()) for focus in expected.foci
        ]
        centres = np.array([focus.centre for focus in measured.foci])
        assert centres == pytest.approx(np.array([focus.centre for focus in expected.foci]))

    check(phantom.lesions)
    check(paint(segmented, BALL))


def test_quantities_follow_another_run_in_the_same_place(logic, ct, segmented, phantom):
    logic.quantify(segmented)
    evidence = evidence_of_phantom(phantom)
    evidence[:, :, :48] = 0
    logic.putResult(ct, segmented, evidence, PROVENANCE)

    lungs = np.where(evidence[..., 1], phantom.lungs, 0).astype(np.uint8)
    expected = quantify(phantom.hu, Result.of(segmented).lesions, lungs, phantom.geometry)

    assert replace(logic.quantify(segmented), foci=()) == replace(expected, foci=())


def test_result_is_put_in_pieces_with_what_the_worker_knows_of_it(ct, phantom, monkeypatch):
    evidence = evidence_of_phantom(phantom)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    monkeypatch.setattr(result_module, "PIECE_BYTES", 3 * evidence[0].nbytes)
    provenance = {**PROVENANCE, "image_sha256": "f" * 64}

    pieces = list(Result.putting(ct, node, evidence, provenance, evidence_box(evidence)))

    assert len(pieces) > len(evidence) // 3
    result = Result.of(node)
    assert np.array_equal(result.evidence, evidence)
    assert np.array_equal(result.lesions, phantom.lesions)
    assert not result.ct_is_unchanged  # the worker saw another


def test_quantities_without_lesion(logic, segmented):
    Result.of(segmented).set_lesions(np.zeros(Result.of(segmented).lesions.shape, np.uint8))

    assert logic.quantify(segmented).lesion_ml == 0 and logic.quantify(segmented).lung_ml > 0


def test_only_the_marked_part_is_worked_on(segmented, phantom):
    lesions, box = Result.of(segmented).lesion_part()
    now, found = Result.of(segmented).lesion_and_ai_part()

    marked = np.argwhere(phantom.lesions != 0)
    assert [ends.start for ends in box] <= marked.min(axis=0).tolist()
    assert np.array_equal(lesions, phantom.lesions[box])
    assert lesions.size < now.size < 0.8 * phantom.lesions.size
    assert now.sum() == found.sum() == phantom.lesions.sum()


def test_segment_beyond_the_ct_is_cut_to_it(segmented, ct, phantom):
    larger = slicer.vtkMRMLScalarVolumeNode()
    slicer.util.updateVolumeFromArray(larger, np.pad(phantom.hu, 4))
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    larger.SetIJKToRASMatrix(matrix)
    larger.SetOrigin(matrix.MultiplyPoint((-4, -4, -4, 1))[:3])
    set_segment_array(segmented, LESION, np.ones((56, 104, 104), np.uint8), larger)

    assert Result.of(segmented).lesions.all()
    assert Result.of(segmented).lesion_part()[0].all()


def test_new_segmentation_makes_its_surfaces_the_fast_way_and_an_old_one_as_before(logic, ct, phantom):
    theirs = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Theirs")
    theirs.GetSegmentation().AddEmptySegment("Heart", "Heart")

    for node, method in ((None, "1"), (theirs, "0")):
        result = logic.putResult(ct, node, evidence_of_phantom(phantom), PROVENANCE)
        result.CreateClosedSurfaceRepresentation()

        assert result.GetSegmentation().GetConversionParameter("Conversion method") == method
        surface = result.GetClosedSurfaceInternalRepresentation(LESION)
        properties = vtk.vtkMassProperties()
        properties.SetInputData(surface)
        lesion_mm3 = phantom.lesions.sum() * phantom.geometry.voxel_ml * 1000
        assert properties.GetVolume() == pytest.approx(lesion_mm3, rel=0.2)  # smooth, on coarse voxels


def test_focus_position_is_in_world_coordinates(logic, ct, segmented, phantom):
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[:3, 3] = [100, -50, 25]
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    focus = logic.quantify(segmented).foci[0]
    at_rest = logic.focusPosition(segmented, focus)
    for node in (ct, segmented):
        node.SetAndObserveTransformNodeID(transform.GetID())

    moved = logic.focusPosition(segmented, focus)

    assert at_rest == pytest.approx((-focus.centre[0], -focus.centre[1], focus.centre[2]))
    assert np.subtract(moved, at_rest) == pytest.approx([100, -50, 25])


def test_a_segmentation_of_someone_else_is_refused(logic, scene):
    foreign = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Theirs")

    for action in (logic.quantify, logic.changes, logic.saveLabelledSample, logic.provenance):
        with pytest.raises(InputError, match="Theirs"):
            action(foreign)
    with pytest.raises(InputError, match="no segmentation yet"):
        logic.quantify(None)


def test_deleted_ct_is_named(logic, ct, segmented):
    slicer.mrmlScene.RemoveNode(ct)

    with pytest.raises(InputError, match="not in the scene"):
        logic.quantify(segmented)


def test_saved_scene_keeps_everything(logic, ct, segmented, phantom, scene, tmp_path):
    logic.setThreshold(segmented, 0.35)
    corrected = paint(segmented, BALL)
    logic.changes(segmented)
    provenance = logic.provenance(segmented)
    folder = tmp_path / "scene"
    folder.mkdir()
    assert scene.SaveSceneToSlicerDataBundleDirectory(str(folder), None)
    scene.Clear(0)
    logic.forgetScene()

    scene.SetURL(next(folder.glob("*.mrml")).as_posix())
    assert scene.Import()

    node = slicer.util.getNode("CT lesions")
    assert logic.provenance(node) == provenance
    assert np.array_equal(Result.of(node).lesions, corrected)
    assert logic.changes(node).any
    assert not node.GetDisplayNode().GetSegmentVisibility(LUNGS)
    logic.setThreshold(node, 0.5, discardChanges=True)
    assert np.array_equal(Result.of(node).lesions, phantom.lesions)


def test_exported_file_says_where_it_comes_from_and_reads_back(segmented, phantom, tmp_path):
    from GASNetLib.volume import read_mask

    path = tmp_path / "lesions.seg.nrrd"
    segmented.AddDefaultStorageNode()
    segmented.GetStorageNode().SetFileName(str(path))
    assert segmented.GetStorageNode().WriteData(segmented)

    mask, _ = read_mask(path, phantom.geometry)
    assert np.array_equal(mask, phantom.lesions)
    assert b"GASNet.model" in path.read_bytes()[:20000]


def test_scene_closed_and_a_new_one_begun(logic, segmented, scene, phantom):
    scene.Clear(0)
    logic.forgetScene()

    node = logic.putResult(add_ct(phantom), None, evidence_of_phantom(phantom), PROVENANCE)

    assert np.array_equal(Result.of(node).lesions, phantom.lesions)


def test_sequence_frame_is_known_again(logic, ct, segmented, phantom):
    result = Result.of(segmented)
    assert result.ct_is_unchanged

    slicer.util.updateVolumeFromArray(
        ct, phantom.hu + np.int16(1)
    )  # what a sequence browser does to its proxy

    assert not result.ct_is_unchanged
    with pytest.raises(InputError, match="sequence"):
        logic.saveLabelledSample(segmented)


def test_frame_of_a_sequence_is_segmented(logic, scene, phantom):
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Breath")
    for index, shift in enumerate((0, 40)):
        frame = slicer.vtkMRMLScalarVolumeNode()
        frame.CopyContent(add_ct(phantom, f"frame {index}"))
        slicer.util.updateVolumeFromArray(frame, phantom.hu + np.int16(shift))
        sequence.SetDataNodeAtValue(frame, str(index))
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    sequences = slicer.modules.sequences.logic()
    sequences.UpdateProxyNodesFromSequences(browser)
    proxy = browser.GetProxyNode(sequence)

    node = logic.segment(proxy)
    browser.SetSelectedItemNumber(1)
    sequences.UpdateProxyNodesFromSequences(browser)

    assert Result.of(node).ct is proxy
    assert not Result.of(node).ct_is_unchanged


def test_model_without_generator_says_so(logic, ct, scene):
    before = scene.GetNumberOfNodes()

    with pytest.raises(ModelError, match="no generator"):
        logic.restoreHealthy(ct)

    assert scene.GetNumberOfNodes() == before


def test_restored_volumes_lie_on_the_ct(logic, ct, phantom):
    of = {"model": "healer", "created": "2026-01-02T03:04:05+00:00"}
    restored, difference = logic.putRestored(
        ct, phantom.hu - 5, np.full(phantom.hu.shape, -5.0, np.float32), of
    )

    assert np.array_equal(slicer.util.arrayFromVolume(restored), phantom.hu - 5)
    assert set(np.unique(slicer.util.arrayFromVolume(difference))) == {-5}
    shown = difference.GetDisplayNode()
    assert shown.GetWindow() == 1000 and shown.GetLevel() == 0  # nothing changed is the middle of the colours
    assert restored.GetDisplayNode().GetWindow() == ct.GetDisplayNode().GetWindow()
    from GASNetSegmentLib.ct_nodes import geometry_of

    assert geometry_of(difference).same_as(phantom.geometry)
    assert restored.GetName() == "CT restored healthy"
    for node in (restored, difference):
        assert {key: node.GetAttribute(f"GASNet.{key}") for key in of} == of


def test_restored_again_takes_the_place_of_the_first(logic, ct, phantom):
    first = logic.putRestored(ct, phantom.hu - 5, np.full(phantom.hu.shape, -5.0), {})
    again = logic.putRestored(ct, phantom.hu - 9, np.full(phantom.hu.shape, -9.0), {})

    assert again == first
    assert np.array_equal(slicer.util.arrayFromVolume(again[0]), phantom.hu - 9)
    slicer.mrmlScene.RemoveNode(again[1])
    assert logic.putRestored(ct, phantom.hu, np.zeros(phantom.hu.shape), {})[0] is first[0]


def test_restoring_tells_its_stages_and_can_be_cancelled(logic, ct, scene, tmp_path):
    logic.models.deploy(write_tiny_model(tmp_path / "healer.safetensors", with_generator=True))
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(Cancelled):
        logic.restoreHealthy(ct, device="cpu", cancelled=lambda: True)
    assert scene.GetNumberOfNodes() == nodes

    told = []
    logic.restoreHealthy(ct, device="cpu", progress=lambda stage, share: told.append((share, stage)))

    assert told == sorted(told) and told[-1] == (1.0, "Done")
    assert "Restoring the healthy look" in [stage for _, stage in told]


def test_restoring_looks_for_the_lungs_in_the_way_that_is_asked_for(logic, ct, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # no weights of lungmask
    logic.models.deploy(write_tiny_model(tmp_path / "healer.safetensors", with_generator=True))

    with pytest.raises(ResourceError, match="lungmask"):
        logic.restoreHealthy(ct, device="cpu", lungsMethod="lungmask")


def test_folder_of_cts(logic, scene, phantom, tmp_path):
    from GASNetLib.phantom import write_phantom
    from GASNetLib.volume import read_mask

    (tmp_path / "in").mkdir()
    write_phantom(phantom, tmp_path / "in" / "good.nii.gz")
    (tmp_path / "in" / "torn.nii.gz").write_bytes(b"nothing")
    (tmp_path / "in" / "lonely_mask.nrrd").write_bytes(b"nothing")
    nodes = scene.GetNumberOfNodes()

    reports = logic.segmentFolder(tmp_path / "in", tmp_path / "out", device="cpu")

    fault, good, torn = reports
    assert fault["error"] == "in/lonely_mask.nrrd has no CT beside it."
    assert [good["case"], torn["case"]] == ["good", "torn"]
    assert good["lung_ml"] > 1000 and "torn.nii.gz" in torn["error"]
    assert read_mask(tmp_path / "out" / "good.seg.nrrd", phantom.geometry)[0].any()
    assert len((tmp_path / "out" / "results.csv").read_text().splitlines()) == 4
    assert scene.GetNumberOfNodes() == nodes


def test_folder_goes_on_where_it_was_and_replaces_nothing_without_asking(logic, phantom, tmp_path):
    from GASNetLib.phantom import write_phantom

    out = tmp_path / "out"
    write_phantom(phantom, tmp_path / "in" / "one.nii.gz")
    (found,) = logic.segmentFolder(tmp_path / "in", out, device="cpu")
    (out / "one.seg.nrrd").write_bytes(b"corrected")
    write_phantom(phantom, tmp_path / "in" / "two.nii.gz")

    kept, new = logic.segmentFolder(tmp_path / "in", out, device="cpu")

    assert "one.seg.nrrd is there already" in kept["error"] and new["lesion_ml"] == found["lesion_ml"]
    assert (out / "one.seg.nrrd").read_bytes() == b"corrected"
    table = (out / "results.csv").read_text()
    assert table.count("\none,") == table.count("\ntwo,") == 1 and "there already" not in table

    logic.segmentFolder(tmp_path / "in", out, device="cpu", overwrite=True)
    assert (out / "one.seg.nrrd").stat().st_size > 1000


def test_a_case_that_needs_too_much_memory_ends_no_others(logic, phantom, tmp_path):
    from GASNetLib.phantom import write_phantom

    for name in ("one", "two"):
        write_phantom(phantom, tmp_path / "in" / f"{name}.nii.gz")
    asked = []

    def cancelled() -> bool:
        asked.append(None)
        return len(asked) == 1 and np.empty(1 << 60, np.uint8).any()

    reports = logic.segmentFolder(tmp_path / "in", tmp_path / "out", device="cpu", cancelled=cancelled)

    assert "memory" in reports[0]["error"] and "lesion_ml" in reports[1]


def test_folder_without_cts_is_named(logic, tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=str(folder)):
            logic.segmentFolder(folder, tmp_path / "out")


# --- labelled samples ---


def test_labelled_sample_is_a_case_on_disk(logic, ct, segmented, phantom):
    from GASNetLib.volume import read_mask, read_volume

    corrected = paint(segmented, BALL)

    sample = logic.saveLabelledSample(segmented, note="checked by two readers")

    assert sorted(path.name for path in sample.folder.iterdir()) == ["case.json", "ct.nrrd", "mask.seg.nrrd"]
    volume = read_volume(sample.folder / "ct.nrrd")
    assert np.array_equal(volume.hu, phantom.hu) and volume.geometry.same_as(phantom.geometry)
    assert np.array_equal(read_mask(sample.folder / "mask.seg.nrrd", phantom.geometry)[0], corrected)
    case = json.loads((sample.folder / "case.json").read_text())
    assert case["note"] == "checked by two readers" and case["ai"]["model"] == "tiny"
    assert case["correction"]["added_ml"] > 0
    assert logic.labelledSample(segmented) == sample


def test_labelled_sample_is_found_by_the_cohort_rules(logic, segmented):
    from GASNetLib.cohort.tree import find_cases

    sample = logic.saveLabelledSample(segmented)

    cases, faults = find_cases(logic.case_folder)
    assert [(case.ct, case.mask) for case in cases] == [
        (sample.folder / "ct.nrrd", sample.folder / "mask.seg.nrrd")
    ]
    assert not faults


def test_labelled_sample_is_refused_twice_and_can_be_taken_back(logic, segmented):
    sample = logic.saveLabelledSample(segmented)
    with pytest.raises(InputError, match="already"):
        logic.saveLabelledSample(segmented)

    logic.removeLabelledSample(sample)

    assert not sample.folder.exists()
    assert logic.labelledSample(segmented) is None
    logic.saveLabelledSample(segmented)


def test_taking_back_leaves_what_is_not_ours(logic, segmented):
    sample = logic.saveLabelledSample(segmented)
    (sample.folder / "letter.txt").write_text("mine")

    logic.removeLabelledSample(sample)

    assert [path.name for path in sample.folder.iterdir()] == ["letter.txt"]


def test_empty_lesion_is_no_sample(logic, segmented, ct, phantom):
    set_segment_array(segmented, LESION, np.zeros_like(phantom.lesions), ct)

    with pytest.raises(InputError, match="empty"):
        logic.saveLabelledSample(segmented)


def test_lesion_outside_the_lungs_is_no_sample(logic, segmented, ct, phantom):
    outside = np.zeros_like(phantom.lesions)
    outside[:4] = 1
    set_segment_array(segmented, LESION, outside, ct)

    with pytest.raises(InputError, match="outside the lungs"):
        logic.saveLabelledSample(segmented)
    assert not list(logic.case_folder.glob("*"))


def test_ct_moved_since_is_no_sample(logic, segmented, ct):
    ct.SetOrigin(1, 2, 3)

    with pytest.raises(InputError, match="geometry"):
        logic.saveLabelledSample(segmented)


def test_case_folder_that_cannot_be_written_to(logic, segmented, tmp_path):
    from GASNetLib.errors import ResourceError

    (tmp_path / "file").write_text("")
    logic.case_folder = tmp_path / "file" / "cases"

    with pytest.raises(ResourceError, match="case folder"):
        logic.saveLabelledSample(segmented)
