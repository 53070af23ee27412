"""GASNetSegment's panel, in the test host or in a real Slicer: module file and .ui as they are, and the real
worker process."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import psutil
import pytest
import slicer

from GASNetLib.phantom import make_phantom
from scene_samples import PROVENANCE, add_ct, evidence_of_phantom, write_tiny_model

SECONDS = 300
NAME = "GASNetSegment"


@pytest.fixture(scope="session")
def phantom():
    return make_phantom(seed=3, shape=(48, 96, 96), lesions="moderate")


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.safetensors")


@pytest.fixture
def panel(host, load_module, model_file, tmp_path, monkeypatch):
    """The module, shown, with a model and folders of its own."""
    import qt

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    qt.QSettings().setValue("GASNet/ModelFolder", str(tmp_path / "models"))
    qt.QSettings().setValue("GASNet/CaseFolder", str(tmp_path / "cases"))
    qt.QSettings().setValue("GASNet/Device", "cpu")
    from GASNetLib.model_store import ModelStore

    ModelStore(tmp_path / "models").deploy(model_file)
    return load_module(NAME)


@pytest.fixture
def small_window(host):
    window = slicer.util.mainWindow()
    width, height = window.width, window.height
    window.resize(900, 600)
    window.show()
    host.process_events()
    yield
    window.resize(width, height)


@pytest.fixture
def ct(panel, phantom):
    node = add_ct(phantom)
    panel.panel.parameters.inputVolume = node
    return node


@pytest.fixture
def shown(host, panel, ct, phantom):
    """A finished result in the panel: the phantom's own lesions."""
    node = panel.logic.putResult(ct, None, evidence_of_phantom(phantom), PROVENANCE)
    panel._on_result(node)
    wait_for_figures(host, panel)
    return node


@pytest.fixture
def with_generator(panel, shown, tmp_path):
    """The panel with a result and a model that can restore its CT."""
    panel.logic.models.deploy(write_tiny_model(tmp_path / "healer.safetensors", with_generator=True))
    panel.exit()
    panel.enter()
    return panel


def wait_for_figures(host, panel) -> None:
    host.wait_until(lambda: panel.ui.quantityTable.rowCount == 3, 60, "the figures")


def open_editor(host, panel, node) -> None:
    panel.ui.correctSection.collapsed = False
    host.wait_until(lambda: panel.correct.editor.segmentationNode() is node, 60, "the editor")


def result_in(node):
    from GASNetSegmentLib.result import Result

    return Result.of(node)


def change_lesion(node, where) -> None:
    from GASNetSegmentLib.segments import set_segment_array

    result = result_in(node)
    mask = result.lesions
    mask[where] = 1
    set_segment_array(node, "Lesion", mask, result.ct)


def run(host, panel) -> None:
    panel.ui.segmentButton.click()
    host.wait_until(lambda: not panel.segment.run.running, SECONDS, "the run")


DOWNLOADED = "GASNetTest.nrrd"
BALL = (slice(22, 26), slice(40, 50), slice(24, 34))


def test_panel_opens_and_asks_for_a_ct(panel):
    assert not panel.ui.segmentButton.enabled
    assert "CT" in panel.ui.segmentButton.toolTip
    assert panel.ui.installationFrame.isHidden() and panel.ui.problemFrame.isHidden()
    assert not panel.ui.resultSection.enabled


def test_one_click_with_the_real_worker(host, panel, ct):
    assert panel.ui.segmentButton.enabled
    panel.ui.segmentButton.click()
    assert panel.ui.cancelButton.enabled and not panel.ui.segmentButton.enabled
    said, label = set(), panel.ui.stageLabel

    def ended():
        said.add((panel.ui.progressBar.value, label.text))
        return not panel.segment.run.running

    host.wait_until(ended, SECONDS, "the run")
    assert len({value for value, _text in said}) > 2
    assert "Finding the lungs" in {text.partition(",")[0] for _value, text in said}

    node = panel.panel.parameters.segmentation
    assert node.GetName() == "CT lesions"
    assert result_in(node).lesions.any()
    wait_for_figures(host, panel)
    assert "tiny" in panel.ui.provenanceLabel.text
    assert panel.ui.segmentButton.enabled


def test_time_left_is_told_as_soon_as_it_can_be_known(panel):
    from GASNetSegmentLib.worker_run import stage_in_words

    assert stage_in_words("Reading", 0.05, 1.0, 0.0) == "Reading"
    assert stage_in_words("Finding lungs", 0.35, 6.0, 0.3) == "Finding lungs"
    assert stage_in_words("Finding lesions", 0.25, 5.0, 0.0) == "Finding lesions, about 15 s left"
    assert stage_in_words("Finding lesions", 0.35, 6.0, 0.05) == "Finding lesions, about 13 s left"
    assert stage_in_words("Finding lesions", 0.25, 100.0, 0.0) == "Finding lesions, about 5 min left"


def test_second_run_asks_and_no_means_no(host, panel, ct, shown, phantom):
    host.dialogs.answer("holds a lesion already", "Cancel")

    panel.ui.segmentButton.click()

    assert not panel.segment.run.running
    assert np.array_equal(result_in(shown).lesions, phantom.lesions)


def test_second_run_replaces_after_asking(host, panel, ct, shown, phantom):
    host.dialogs.answer("holds a lesion already", "Ok")

    run(host, panel)

    assert panel.panel.parameters.segmentation is shown
    assert not np.array_equal(result_in(shown).lesions, phantom.lesions)


def test_undo_in_the_editor_brings_a_replaced_lesion_back(host, panel, ct, shown, phantom):
    host.dialogs.answer("holds a lesion already", "Ok")
    run(host, panel)

    panel.correct.editor.undo()

    assert np.array_equal(result_in(shown).lesions, phantom.lesions)


def test_cancel_leaves_the_scene(host, panel, ct):
    nodes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    panel.ui.segmentButton.click()

    panel.ui.cancelButton.click()
    host.wait_until(lambda: not panel.segment.run.running, SECONDS, "the cancellation")

    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == nodes
    assert "Cancelled" in panel.ui.stageLabel.text
    assert panel.ui.segmentButton.enabled


def test_killed_worker_is_told_and_the_next_run_works(host, panel, ct):
    panel.ui.segmentButton.click()
    os.kill(panel.panel.client.pid, signal.SIGKILL)
    host.wait_until(lambda: not panel.segment.run.running, SECONDS, "the news")

    assert not panel.ui.problemFrame.isHidden() and "memory" in panel.ui.problemLabel.text
    panel.ui.copyReportButton.click()
    assert "GASNet" in slicer.app.clipboard().text()
    run(host, panel)
    assert panel.ui.problemFrame.isHidden()
    assert panel.panel.parameters.segmentation is not None


def test_volume_deleted_while_it_is_segmented(host, panel, ct):
    panel.ui.segmentButton.click()
    slicer.mrmlScene.RemoveNode(ct)
    host.wait_until(lambda: not panel.segment.run.running, SECONDS, "the run")

    assert "removed" in panel.ui.problemLabel.text
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_scene_closed_while_it_is_segmented(host, panel, ct, phantom):
    panel.ui.segmentButton.click()
    slicer.mrmlScene.Clear(0)
    host.process_events()

    assert not panel.segment.run.running
    assert panel.panel.parameters is not None and panel.panel.parameters.inputVolume is None
    panel.panel.parameters.inputVolume = add_ct(phantom, "Next")
    run(host, panel)
    assert panel.panel.parameters.segmentation.GetName() == "Next lesions"


def test_not_a_ct_is_explained_in_the_panel(host, panel, ct, phantom):
    slicer.util.updateVolumeFromArray(ct, np.zeros_like(phantom.hu))

    run(host, panel)

    assert not panel.ui.problemFrame.isHidden() and panel.ui.problemLabel.text.endswith(".")
    panel.ui.dismissButton.click()
    assert panel.ui.problemFrame.isHidden()


def test_shown_volume_is_taken_not_the_first(host, panel, phantom):
    add_ct(phantom, "First")
    second = add_ct(phantom, "Second")
    slicer.util.setSliceViewerLayers(background=second)

    panel.exit()
    panel.enter()

    assert panel.panel.parameters.inputVolume is second


def test_another_ct_begins_a_new_result(panel, shown, phantom):
    panel.panel.parameters.inputVolume = add_ct(phantom, "Other")

    assert panel.panel.parameters.segmentation is None
    assert not panel.ui.resultSection.enabled
    panel.panel.parameters.segmentation = shown  # chosen on purpose: it stays
    assert panel.panel.parameters.segmentation is shown


def test_threshold_slider_acts_at_once(panel, shown, phantom):
    panel.ui.thresholdSlider.value = 0.2

    assert result_in(shown).lesions.sum() > phantom.lesions.sum()
    assert "threshold 0.2" in panel.ui.provenanceLabel.text
    assert not panel.panel.client.busy and panel.panel.client.pid is None


def test_correction_is_told_and_guarded(host, panel, shown, phantom):
    assert "Nothing changed" in panel.ui.changesLabel.text
    before = panel.ui.quantityTable.item(0, 1).text()

    change_lesion(shown, BALL)
    host.wait_until(lambda: "Dice" in panel.ui.changesLabel.text, 10, "the changes")

    assert not panel.ui.thresholdSlider.enabled
    host.wait_until(lambda: panel.ui.quantityTable.item(0, 1).text() != before, 10, "the figures")
    host.dialogs.answer("Throw away", "Ok")
    panel.ui.originalButton.click()
    assert np.array_equal(result_in(shown).lesions, phantom.lesions)
    assert panel.ui.thresholdSlider.enabled


def test_undo_in_the_editor_is_measured_too(host, panel, shown):
    open_editor(host, panel, shown)
    panel.correct.editor.saveStateForUndo()
    change_lesion(shown, BALL)
    host.wait_until(lambda: "Dice" in panel.ui.changesLabel.text, 10, "the changes")

    panel.correct.editor.undo()
    host.wait_until(lambda: "Nothing changed" in panel.ui.changesLabel.text, 10, "the undo")

    panel.correct.editor.redo()
    host.wait_until(lambda: "Dice" in panel.ui.changesLabel.text, 10, "the redo")


def test_outline_of_the_original_is_shown_on_demand_and_goes_with_its_result(panel, shown, phantom):
    def segmentations() -> int:
        return slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")

    panel.ui.originalBox.checked = True
    assert segmentations() == 2
    panel.panel.parameters.inputVolume = add_ct(phantom, "Other")
    assert segmentations() == 1
    panel.panel.parameters.segmentation = shown
    assert segmentations() == 2
    panel.ui.originalBox.checked = False
    assert segmentations() == 1


def test_outline_in_a_saved_scene_is_shown_again_only_if_wished(host, panel, shown, tmp_path):
    panel.ui.originalBox.checked = True
    assert slicer.mrmlScene.SaveSceneToSlicerDataBundleDirectory(str(tmp_path), None)
    panel.ui.originalBox.checked = False
    slicer.mrmlScene.Clear(0)

    slicer.mrmlScene.SetURL(next(tmp_path.glob("*.mrml")).as_posix())
    slicer.mrmlScene.Import()
    host.process_events()

    (left,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert left is panel.panel.parameters.segmentation


def test_new_result_is_shown_where_its_largest_focus_lies(panel, shown):
    expected = panel.logic.focusPosition(shown, panel.logic.quantify(shown).foci[0])
    red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")

    assert red.GetSliceToRAS().GetElement(2, 3) == pytest.approx(expected[2])


def test_editor_gets_a_result_when_it_is_opened(panel, shown):
    """The Segment Editor takes long over a CT: who only wants figures does not wait for it."""
    editor = panel.correct.editor
    assert panel.ui.correctSection.collapsed and editor.segmentationNode() is None

    panel.ui.correctSection.collapsed = False
    assert editor.segmentationNode() is shown and editor.sourceVolumeNode() is result_in(shown).ct

    editor.setActiveEffectByName("Paint")
    panel.ui.correctSection.collapsed = True
    assert editor.activeEffect() is None


def part_in_view(widget) -> tuple[int, int, int]:
    """Upper and lower edge of a widget, and of what is seen, in the scrolled panel of Slicer's window."""
    import qt

    area = widget.parent()
    while not area.inherits("QScrollArea"):
        area = area.parent()
    top = widget.mapTo(area.viewport(), qt.QPoint(0, 0)).y()
    return top, top + widget.height, area.viewport().height


def is_in_view(widget) -> bool:
    top, bottom, height = part_in_view(widget)
    return top == 0 or (top > 0 and bottom <= height)


def test_what_is_opened_comes_into_view_on_a_small_screen(host, small_window, panel, shown):
    panel.ui.resultSection.collapsed = False
    host.wait_until(lambda: is_in_view(panel.ui.resultSection), 10, "the result in view")
    assert part_in_view(panel.ui.correctSection)[1] > part_in_view(panel.ui.correctSection)[2]

    open_editor(host, panel, shown)
    host.wait_until(lambda: is_in_view(panel.ui.correctSection), 10, "the editor in view")
    panel.correct.editor.setActiveEffectByName("Paint")  # its options come below the segments
    host.wait_until(lambda: is_in_view(panel.ui.correctSection), 10, "the options in view")


def test_bad_news_comes_into_view(host, small_window, panel, shown):
    panel.ui.resultSection.collapsed = False
    panel.ui.batchSection.collapsed = False
    host.wait_until(lambda: part_in_view(panel.ui.segmentSection)[0] < 0, 10, "the lower end")

    panel.ui.batchFolderButton.click()

    host.wait_until(lambda: is_in_view(panel.ui.problemFrame), 10, "the message in view")


def test_editor_is_set_up_for_the_lesion_and_gives_back_what_it_took(host, panel, shown):
    node = panel.correct.editor.mrmlSegmentEditorNode()
    open_editor(host, panel, shown)
    assert panel.correct.editor.sourceVolumeNode() is result_in(shown).ct
    assert panel.correct.editor.currentSegmentID() == "Lesion"
    assert node.GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteNone
    panel.ui.maskToLungsBox.checked = True
    assert node.GetMaskSegmentID() == "Lungs"
    assert node.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment

    panel.exit()

    assert node.GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments
    assert node.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
    panel.enter()


def test_jump_to_a_focus(panel, shown):
    focus = panel.logic.quantify(shown).foci[0]
    expected = panel.logic.focusPosition(shown, focus)

    panel.ui.fociTable.cellClicked.emit(0, 0)

    red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed")
    assert red.GetSliceToRAS().GetElement(2, 3) == pytest.approx(expected[2])


def test_table_is_copied_and_saved(host, panel, shown, tmp_path):
    panel.ui.copyButton.click()
    assert slicer.app.clipboard().text().startswith("\tLesion ml")
    host.dialogs.answer("Save the table", str(tmp_path / "t.csv"))
    panel.ui.csvButton.click()

    text = (tmp_path / "t.csv").read_text(encoding="utf-8-sig")
    assert "Right lung" in text and "model,tiny" in text


def test_restored_healthy_says_why_it_is_off(panel, shown):
    assert not panel.ui.restoreButton.enabled
    assert "no generator" in panel.ui.restoreButton.toolTip


def test_restored_healthy_is_on_as_soon_as_a_model_with_a_generator_is_chosen(with_generator):
    ui = with_generator.ui
    assert ui.restoreButton.enabled

    ui.modelBox.setCurrentIndex([ui.modelBox.itemText(row) for row in range(ui.modelBox.count)].index("tiny"))
    assert not ui.restoreButton.enabled


def restore(host, panel) -> None:
    panel.ui.restoreButton.click()
    assert panel.restore.run.running and not panel.ui.restoreButton.enabled
    host.wait_until(lambda: not panel.restore.run.running, SECONDS, "the restored CT")


def test_restored_healthy_side_by_side_and_the_layout_before(host, with_generator, shown):
    panel, layouts = with_generator, slicer.app.layoutManager()
    host.startup_completed()
    before, ct = layouts.layout, result_in(shown).ct
    red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed").GetSliceToRAS()

    restore(host, panel)

    healthy, difference = (slicer.util.getNode(f"CT {what}") for what in ("restored healthy", "difference"))
    change = slicer.util.arrayFromVolume(healthy) - slicer.util.arrayFromVolume(ct)
    assert np.abs(change - slicer.util.arrayFromVolume(difference)).max() <= 1  # both are rounded
    assert panel.ui.problemFrame.isHidden() and panel.ui.restoreButton.enabled
    views = [layouts.sliceWidget(name) for name in ("GASNetCT", "GASNetHealthy", "GASNetDifference")]
    assert [view.mrmlSliceCompositeNode().GetBackgroundVolumeID() for view in views] == [
        node.GetID() for node in (ct, healthy, difference)
    ]
    assert all(view.mrmlSliceCompositeNode().GetLinkedControl() for view in views)
    assert len({view.mrmlSliceNode().GetViewGroup() for view in views}) == 1
    nodes = [view.mrmlSliceNode() for view in views]
    host.wait_until(
        lambda: {node.GetSliceToRAS().GetElement(2, 3) for node in nodes} == {red.GetElement(2, 3)},
        30,
        "the same slice in all views",
    )

    assert not shown.GetDisplayNode().GetVisibility2DFill()

    panel.ui.compareButton.click()
    assert layouts.layout == before and shown.GetDisplayNode().GetVisibility2DFill()
    panel.ui.compareButton.click()
    assert layouts.layout != before
    layouts.setLayout(before)  # by Slicer's own button
    assert not panel.ui.compareButton.checked
    panel.ui.compareButton.click()
    slicer.util.selectModule("")  # as Slicer that is closed does before it keeps its layout
    assert layouts.layout == before and not panel.ui.compareButton.checked


def test_lungs_are_found_in_the_way_that_is_chosen(host, panel, ct):
    assert panel.ui.lungsBox.currentText == "Built in"
    methods = []
    for name in ("Built in", "Built in, without network"):
        assert name in panel.ui.lungsBox.toolTip
        panel.ui.lungsBox.currentText = name
        panel.panel.parameters.segmentation = None
        run(host, panel)
        assert panel.ui.problemLabel.text == ""
        methods.append(result_in(panel.panel.parameters.segmentation).provenance["lungs_method"])
    assert methods == ["network", "classical"]


def test_restoring_looks_for_the_lungs_in_the_way_that_is_chosen(host, with_generator, shown):
    panel = with_generator
    panel.ui.lungsBox.currentText = "lungmask (if installed)"

    restore(host, panel)

    assert "lungmask" in panel.ui.problemLabel.text  # it is not on this computer


def test_comparison_ends_with_its_result(host, with_generator, shown, phantom):
    panel, layouts = with_generator, slicer.app.layoutManager()
    host.startup_completed()
    before = layouts.layout
    restore(host, panel)
    assert layouts.layout != before

    panel.panel.parameters.inputVolume = add_ct(phantom, "Other")

    assert layouts.layout == before and not panel.ui.compareButton.enabled


def test_restoring_is_cancelled(host, with_generator, shown):
    panel = with_generator
    volumes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    panel.ui.restoreButton.click()

    panel.ui.restoreCancelButton.click()
    host.wait_until(lambda: not panel.restore.run.running, SECONDS, "the cancellation")

    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == volumes
    assert "Cancelled" in panel.ui.restoreStageLabel.text
    assert panel.ui.restoreButton.enabled and not panel.ui.compareButton.enabled


def test_labelled_sample_is_stored_and_taken_back(host, panel, shown, tmp_path):
    panel.ui.noteEdit.text = "two readers"
    panel.ui.saveSampleButton.click()
    assert str(tmp_path / "cases") in panel.ui.sampleLabel.text
    assert not panel.ui.saveSampleButton.enabled
    assert len(list((tmp_path / "cases").glob("*/case.json"))) == 1

    host.dialogs.answer("from the disk", "Ok")
    panel.ui.takeBackButton.click()

    assert not list((tmp_path / "cases").glob("*/case.json"))
    assert panel.ui.saveSampleButton.enabled


def test_all_loaded_cts_in_the_background(host, panel, ct, phantom):
    add_ct(phantom, "CT")  # of the same name
    bad = add_ct(phantom, "Stone")
    slicer.util.updateVolumeFromArray(bad, np.zeros_like(phantom.hu))
    panel.logic.putRestored(ct, phantom.hu, np.zeros_like(phantom.hu), {})  # no CTs of patients

    panel.ui.batchLoadedButton.click()
    host.wait_until(lambda: panel.ui.batchTable.rowCount == 3, SECONDS, "the batch")

    assert panel.ui.batchTable.item(2, 6).text().endswith(".")
    found = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert [node.GetDisplayNode().GetVisibility() for node in found] == [0, 0]
    panel.panel.parameters.segmentation = found[1]
    assert [node.GetDisplayNode().GetVisibility() for node in found] == [0, 1]
    assert panel.ui.batchLoadedButton.enabled


def test_folder_in_the_background(host, panel, phantom, tmp_path):
    from GASNetLib.phantom import write_phantom

    (tmp_path / "in").mkdir()
    write_phantom(phantom, tmp_path / "in" / "a.nii.gz")
    (tmp_path / "in" / "broken.nii.gz").write_bytes(b"no image")
    (tmp_path / "in" / "lonely_mask.nrrd").write_bytes(b"")
    panel.ui.batchInputEdit.currentPath = str(tmp_path / "in")
    panel.ui.batchOutputEdit.currentPath = str(tmp_path / "out")

    panel.ui.batchFolderButton.click()
    host.wait_until(lambda: panel.ui.batchTable.rowCount == 3, SECONDS, "the batch")

    assert "lonely_mask.nrrd has no CT" in panel.ui.batchTable.item(0, 6).text()
    assert (tmp_path / "out" / "a.seg.nrrd").is_file()
    table = (tmp_path / "out" / "results.csv").read_text()
    assert "broken" in table and "lonely_mask" in table
    assert panel.ui.problemFrame.isHidden()


def test_folder_goes_on_where_it_was_and_replaces_only_on_request(host, panel, phantom, tmp_path):
    from GASNetLib.phantom import write_phantom

    result, table = tmp_path / "out" / "a.seg.nrrd", tmp_path / "out" / "results.csv"
    write_phantom(phantom, tmp_path / "in" / "a.nii.gz")
    panel.ui.batchInputEdit.currentPath = str(tmp_path / "in")
    panel.ui.batchOutputEdit.currentPath = str(tmp_path / "out")

    def segment_folder() -> str:
        panel.ui.batchFolderButton.click()
        host.wait_until(lambda: panel.ui.batchFolderButton.enabled, SECONDS, "the batch")
        return panel.ui.batchTable.item(0, 6).text()

    segment_folder()
    figures = table.read_text()
    result.write_bytes(b"corrected")

    assert "a.seg.nrrd is there already" in segment_folder()
    assert result.read_bytes() == b"corrected" and table.read_text() == figures
    assert panel.ui.batchLabel.text == "0 measured, 1 not: see the remarks."

    panel.ui.batchOverwriteBox.checked = True
    assert "there already" not in segment_folder()
    assert result.stat().st_size > 1000 and panel.ui.batchLabel.text == "1 measured."


def test_folder_that_cannot_take_the_table_is_told_before_anything_is_computed(panel, phantom, tmp_path):
    from GASNetLib.phantom import write_phantom

    write_phantom(phantom, tmp_path / "in" / "a.nii.gz")
    (tmp_path / "out" / "results.csv").mkdir(parents=True)
    panel.ui.batchInputEdit.currentPath = str(tmp_path / "in")
    panel.ui.batchOutputEdit.currentPath = str(tmp_path / "out")

    panel.ui.batchFolderButton.click()

    assert "results.csv cannot be written" in panel.ui.problemLabel.text
    assert panel.ui.batchFolderButton.enabled and panel.ui.batchTable.rowCount == 0


def test_batch_tells_where_it_is_and_how_it_ended(host, panel, ct):
    panel.ui.batchLoadedButton.click()
    assert panel.ui.batchLabel.text.startswith("Case 1 of 1, CT: ")
    host.wait_until(lambda: panel.ui.batchLoadedButton.enabled, SECONDS, "the batch")
    assert panel.ui.batchLabel.text == "1 measured."


def test_batch_without_a_loaded_ct_is_explained(panel):
    panel.ui.batchLoadedButton.click()

    assert "No CT is loaded" in panel.ui.problemLabel.text


def test_why_the_button_is_off_stands_below_it(panel, phantom):
    assert "Choose a CT" in panel.ui.hintLabel.text and not panel.ui.hintLabel.isHidden()

    panel.panel.parameters.inputVolume = add_ct(phantom)

    assert panel.ui.segmentButton.enabled and panel.ui.hintLabel.isHidden()


def test_a_choice_of_the_model_that_cannot_be_read_is_said_and_made_again(panel, ct, tmp_path):
    choice = tmp_path / "models" / "in-use.json"
    choice.write_bytes(choice.read_bytes()[:-3])
    panel.exit()
    panel.enter()

    assert not panel.ui.segmentButton.enabled and "Choose one" in panel.ui.hintLabel.text

    panel.ui.modelBox.setCurrentIndex(0)
    assert panel.ui.segmentButton.enabled and panel.ui.hintLabel.isHidden()
    assert panel.logic.models.in_use() == panel.logic.models.models()[0]


def test_folder_batch_without_folders_is_explained(panel):
    panel.ui.batchFolderButton.click()

    assert "folder" in panel.ui.problemLabel.text


@pytest.fixture
def pip(panel, monkeypatch):
    """Stands in for pip and what it finds: nothing may be installed in the tests' own Python."""
    from GASNetSegmentLib import installation

    pip = types.SimpleNamespace(installed=[], removed=[], fault=None)
    problems = dict.fromkeys(installation.REQUIREMENTS, "")

    def install(what):
        pip.installed.append(what)
        if pip.fault:
            raise RuntimeError(pip.fault)
        pip.complete()

    def found():
        return [installation.Package(name, problem) for name, problem in problems.items()]

    monkeypatch.setattr(installation, "packages", found)
    monkeypatch.setattr(slicer.util, "pip_install", install)
    monkeypatch.setattr(slicer.util, "pip_uninstall", pip.removed.append)

    def lacks(name: str, problem: str) -> None:
        problems[name] = problem
        panel.installation.update()

    def complete() -> bool:
        problems.update(dict.fromkeys(problems, ""))
        return True

    pip.lacks, pip.complete = lacks, complete
    return pip


def test_missing_packages_are_named_and_installed_with_consent(host, panel, ct, pip):
    pip.lacks("psutil", "missing")
    assert not panel.ui.installationFrame.isHidden() and "psutil" in panel.ui.installationLabel.text
    assert not panel.ui.segmentButton.enabled and not panel.ui.batchLoadedButton.enabled

    host.dialogs.answer("Download and install", "Cancel")
    panel.ui.installButton.click()
    assert pip.installed == []
    host.dialogs.answer("Download and install", "Ok")
    panel.ui.installButton.click()

    assert pip.installed == [["psutil>=5.9"]]
    assert panel.ui.installationFrame.isHidden() and panel.ui.segmentButton.enabled


def extension_pytorch(monkeypatch, install) -> None:
    """The extension PyTorch as this module calls it."""

    class PyTorchUtilsLogic:
        def installTorch(self, askConfirmation=False, forceComputationBackend=None):
            assert not askConfirmation  # the person was asked
            return install()

    extension = types.SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)


def test_torch_without_the_extension_is_explained(host, panel, ct, pip, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    pip.lacks("torch", "missing")

    host.dialogs.answer("Download and install", "Ok")
    panel.ui.installButton.click()

    assert "extension PyTorch is not installed" in panel.ui.problemLabel.text
    assert "Extensions Manager" in panel.ui.problemLabel.text
    assert not panel.ui.installationFrame.isHidden() and not panel.ui.segmentButton.enabled


def test_extension_that_cannot_install_torch_is_explained_and_tried_again(host, panel, ct, pip, monkeypatch):
    def fail():
        raise subprocess.CalledProcessError(1, "pip")

    extension_pytorch(monkeypatch, fail)
    pip.lacks("torch", "missing")
    host.dialogs.answer("Download and install", "Ok")
    panel.ui.installButton.click()
    assert "PyTorch could not be installed" in panel.ui.problemLabel.text
    assert "Check the network" in panel.ui.problemLabel.text and not panel.ui.installationFrame.isHidden()

    extension_pytorch(monkeypatch, pip.complete)
    host.dialogs.answer("Download and install", "Ok")
    panel.ui.installButton.click()
    assert panel.ui.problemFrame.isHidden() and panel.ui.installationFrame.isHidden()
    assert panel.ui.segmentButton.enabled


@pytest.fixture
def broken_torch(model_file, tmp_path, monkeypatch):
    """A torch that is found before the sound one and cannot be loaded. The model is made before it."""
    folder = tmp_path / "broken" / "torch"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('DLL load failed', name='torch._C')")
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder / "__init__.py"


def test_torch_that_cannot_be_loaded_is_offered_for_repair(
    host, broken_torch, panel, ct, monkeypatch, tmp_path
):
    """It is found, so only a run tells; then it is installed anew, and the run works."""
    removed = []
    monkeypatch.setattr(slicer.util, "pip_uninstall", removed.append)
    extension_pytorch(monkeypatch, lambda: broken_torch.unlink() or broken_torch.parent.rmdir() or True)
    assert panel.ui.installationFrame.isHidden()

    run(host, panel)
    assert "torch cannot be loaded" in panel.ui.problemLabel.text
    assert "torch (cannot be loaded)" in panel.ui.installationLabel.text
    assert not panel.ui.installationFrame.isHidden() and not panel.ui.segmentButton.enabled

    host.dialogs.answer("Download and install", "Ok")
    panel.ui.installButton.click()
    assert removed == [["torch"]]  # or else pip would find it installed
    assert panel.ui.installationFrame.isHidden() and panel.ui.problemFrame.isHidden()
    run(host, panel)
    assert panel.panel.parameters.segmentation is not None


def test_torch_that_is_still_broken_after_installing_stays_offered(
    host, broken_torch, panel, ct, pip, monkeypatch
):
    extension_pytorch(monkeypatch, pip.complete)
    pip.lacks("torch", "half installed")

    host.dialogs.answer("Download and install", "Ok")
    panel.ui.installButton.click()

    assert (
        "cannot be loaded" in panel.ui.problemLabel.text and "DLL load failed" in panel.ui.problemLabel.text
    )
    assert not panel.ui.installationFrame.isHidden()


def test_first_start_without_the_packages(only_in_the_host, host, load_module, monkeypatch):
    """As in a fresh Slicer: nothing of what the engine needs can be imported."""
    for name in ("torch", "safetensors", "safetensors.numpy", "psutil"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.split(".")[0] == "GASNetLib"]:
        monkeypatch.delitem(sys.modules, name)

    panel = load_module(NAME)

    assert not panel.ui.installationFrame.isHidden()
    assert all(name in panel.ui.installationLabel.text for name in ("torch", "safetensors", "psutil"))
    assert not panel.ui.segmentButton.enabled and "Install" in panel.ui.segmentButton.toolTip
    assert not panel.ui.checkButton.enabled


def test_discovered_before_the_segmentations_module(only_in_the_host, host):
    """Slicer imports modules by the alphabet, G before S; the panel is made later."""
    classes = [name for name in vars(slicer) if "Segment" in name or "Terminolog" in name]
    taken = {name: getattr(slicer, name) for name in classes}
    for name in classes:
        delattr(slicer, name)
    try:
        host.load_module(Path(__file__).resolve().parents[2] / NAME / f"{NAME}.py")
    finally:
        for name, value in taken.items():
            setattr(slicer, name, value)

    assert host.open_module(NAME).panel.parameters is not None


def test_failed_installation_is_explained_and_offline_works(host, panel, pip, tmp_path):
    pip.lacks("safetensors", "half installed")
    pip.fault = "exit status 1"
    host.dialogs.answer("Download and install", "Ok")
    panel.ui.installButton.click()
    assert "folder of wheel files" in panel.ui.problemLabel.text
    assert not panel.ui.installationFrame.isHidden()

    pip.fault = None
    host.dialogs.answer("Folder with the wheel files", str(tmp_path))
    panel.ui.installFromFolderButton.click()
    assert pip.installed[1:] == [["--no-index", "--find-links", str(tmp_path), "safetensors>=0.4"]]


def test_check_of_this_computer(host, panel):
    panel.ui.checkButton.click()
    host.wait_until(lambda: panel.ui.checkButton.enabled, SECONDS, "the check")

    assert panel.ui.checkLabel.text.startswith("Works") and "cpu" in panel.ui.checkLabel.text


def test_settings_persist(host, panel, tmp_path):
    import qt

    panel.ui.deviceBox.setCurrentIndex(0)
    panel.ui.lungsBox.currentText = "lungmask (if installed)"
    panel.ui.caseFolderEdit.currentPath = str(tmp_path / "elsewhere")

    assert qt.QSettings().value("GASNet/Device") == "auto"
    assert qt.QSettings().value("GASNet/LungsMethod") == "lungmask"
    assert panel.logic.case_folder == tmp_path / "elsewhere"


def test_leaving_the_module_lets_the_run_finish(host, panel, ct):
    panel.ui.segmentButton.click()
    host.leave_module()
    host.wait_until(lambda: not panel.segment.run.running, SECONDS, "the run")

    assert panel.panel.parameters.segmentation is not None


def test_slicer_that_is_closed_in_mid_run_leaves_nothing(only_in_the_host, host, panel, ct):
    panel.ui.segmentButton.click()
    pid = panel.panel.client.pid
    assert psutil.pid_exists(pid)

    assert host.close() == []

    assert not psutil.pid_exists(pid)


def test_keys_are_the_editors_only_while_it_is_seen_and_views_while_the_module_is(
    only_in_the_host, host, panel, shown
):
    editor, section = panel.correct.editor._qt, panel.ui.correctSection
    assert section.collapsed and not editor.shortcuts_installed and editor.views_observed
    section.collapsed = False
    assert editor.shortcuts_installed
    section.collapsed = True  # a key would take a brush that nobody sees
    assert not editor.shortcuts_installed
    section.collapsed = False

    host.leave_module()
    assert not editor.shortcuts_installed and not editor.views_observed
    section.collapsed = True
    section.collapsed = False
    assert not editor.shortcuts_installed
    host.open_module(NAME)
    assert editor.shortcuts_installed and editor.views_observed


def test_scene_saved_and_loaded_shows_its_result(host, panel, shown, tmp_path):
    folder = tmp_path / "scene"
    folder.mkdir()
    assert slicer.mrmlScene.SaveSceneToSlicerDataBundleDirectory(str(folder), None)
    slicer.mrmlScene.Clear(0)
    assert not panel.ui.resultSection.enabled

    slicer.mrmlScene.SetURL(next(folder.glob("*.mrml")).as_posix())
    slicer.mrmlScene.Import()
    host.process_events()

    assert panel.panel.parameters.segmentation.GetName() == "CT lesions"
    assert panel.ui.resultSection.enabled
    wait_for_figures(host, panel)


def test_each_scene_brings_its_own_parameters(host, panel, shown, phantom, tmp_path):
    files = {}

    def save(name):
        folder = tmp_path / name
        folder.mkdir()
        assert slicer.mrmlScene.SaveSceneToSlicerDataBundleDirectory(str(folder), None)
        slicer.mrmlScene.Clear(0)
        files[name] = next(folder.glob("*.mrml")).as_posix()

    def names():
        chosen = (panel.ui.inputSelector.currentNode(), panel.ui.segmentationSelector.currentNode())
        return tuple(node and node.GetName() for node in chosen)

    assert names() == ("CT", "CT lesions")
    save("with a result")
    assert names() == (None, None)
    add_ct(phantom, "First of the scene")
    panel.panel.parameters.inputVolume = add_ct(phantom, "Follow-up")
    save("without")

    for name, chosen in (
        ("with a result", ("CT", "CT lesions")),
        ("without", ("Follow-up", None)),
        ("with a result", ("CT", "CT lesions")),
    ):
        slicer.mrmlScene.SetURL(files[name])
        slicer.mrmlScene.Connect()  # closes the one before
        host.process_events()
        assert names() == chosen
        assert panel.ui.resultSection.enabled == (chosen[1] is not None)


def test_deleted_segmentation_empties_the_panel(host, panel, shown):
    slicer.mrmlScene.RemoveNode(shown)
    host.process_events()

    assert panel.panel.parameters.segmentation is None
    assert not panel.ui.resultSection.enabled and not panel.ui.saveSampleButton.enabled


def test_reload_ends_the_worker_and_keeps_the_parameters(host, panel, ct):
    run(host, panel)
    pid, node = panel.panel.client.pid, panel.panel.parameters.segmentation
    assert psutil.pid_exists(pid)

    panel.onReload()

    again = slicer.modules.GASNetSegmentWidget
    assert again is not panel and not psutil.pid_exists(pid)
    assert again.panel.parameters.inputVolume is ct and again.panel.parameters.segmentation is node
    assert panel.correct.editor.mrmlSegmentEditorNode() is None  # one editor at a time
    open_editor(host, again, node)


def test_module_logic_for_scripts(panel, ct):
    logic = slicer.util.getModuleLogic(NAME)

    node = logic.segment(ct, device="cpu")

    assert logic.quantify(node).lung_ml > 1000


def test_without_a_main_window(windowless_host, model_file):
    module = windowless_host.load_module(Path(__file__).resolve().parents[2] / NAME / f"{NAME}.py")
    widget = module.widgetRepresentation().self()

    assert widget.logic is not None
    assert module.title and list(module.categories) == ["Segmentation"]


def test_synthetic_sample_works_offline(host, panel):
    host.startup_completed()

    node = host.click_sample("Synthetic chest CT with lesions")

    assert node.GetImageData().GetDimensions() == (192, 192, 96)
    panel.exit()
    panel.enter()
    assert panel.panel.parameters.inputVolume is node  # it is shown
    assert slicer.modules.terminologies.logic().IsTerminologyContextLoaded("GASNet lesions and lungs")


def test_public_sample_has_an_address_and_a_hash(host, panel):
    import SampleData

    host.startup_completed()
    sources = SampleData.SampleDataLogic.sampleDataSourcesByCategory("GASNet")
    (public,) = [source for source in sources if source.uris]

    assert public.uris[0].startswith("https://") and len(public.checksums[0]) == len("SHA256:") + 64
    assert Path(public.thumbnailFileName).is_file()


@pytest.fixture
def web_folder(tmp_path):
    """A folder, and its address on a web server of this computer. A process: Slicer starves threads."""
    from GASNetSegmentLib.interpreter import python_executable

    folder = tmp_path / "web"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    python = python_executable(slicer.app.slicerHome if hasattr(slicer.app, "commandOptions") else "")
    server = subprocess.Popen(
        [python, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)],
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < end, "no web server"
            time.sleep(0.05)
    yield folder, f"http://127.0.0.1:{port}"
    server.kill()
    server.wait()


def sample_at(address: str, sha256: str):
    """The public sample as it is registered, elsewhere and with another hash."""
    import SampleData

    registered = SampleData.SampleDataLogic.sampleDataSourcesByCategory("GASNet")
    (public,) = [source for source in registered if source.uris]
    return SampleData.SampleDataSource(
        sampleName=public.sampleName,
        uris=address,
        fileNames=DOWNLOADED,
        nodeNames="Public CT",
        checksums=f"SHA256:{sha256}",
        customDownloader=public.customDownloader,
    )


@pytest.fixture
def published(host, panel, phantom, web_folder):
    """Address and hash of a CT on a web server."""
    import SimpleITK as sitk

    host.startup_completed()
    folder, address = web_folder
    sitk.WriteImage(phantom.geometry.image(phantom.hu), str(folder / "ct.nrrd"))
    yield f"{address}/ct.nrrd", hashlib.sha256((folder / "ct.nrrd").read_bytes()).hexdigest()
    (Path(slicer.app.cachePath) / DOWNLOADED).unlink(missing_ok=True)


def test_public_sample_is_downloaded_and_shown(host, published, phantom):
    source = sample_at(*published)

    node = source.customDownloader(source)

    assert node.GetName() == "Public CT"
    assert np.array_equal(slicer.util.arrayFromVolume(node), phantom.hu)


@pytest.mark.parametrize("fault", ["another file", "no such file", "no network"])
def test_public_sample_that_cannot_be_had_is_told_in_plain_words(host, published, fault):
    address, sha256 = published
    source = {
        "another file": lambda: sample_at(address, "0" * 64),
        "no such file": lambda: sample_at(address + ".gone", sha256),
        "no network": lambda: sample_at("http://nowhere.invalid/ct.nrrd", sha256),
    }[fault]()
    host.dialogs.answer("could not be downloaded", "Ok")

    assert source.customDownloader(source) is None

    assert not slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")


def test_self_test_of_the_module(host, panel):
    slicer.selfTests[NAME]()


def test_picture_of_the_panel(host, panel, shown, tmp_path):
    path = host.picture(
        slicer.modules.gasnetsegment.widgetRepresentation(), tmp_path / "panel.png", 460, 1500
    )

    assert path.stat().st_size > 10_000
