"""The training panel clicked through, in the test host or a real Slicer, with real worker processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import slicer

from dicom_database import DicomDatabase
from GASNetLib.cohort import ROLES
from GASNetLib.device import gpu_problem
from GASNetLib.phantom import make_phantom, write_phantom
from GASNetLib.run.events import EventLog
from GASNetLib.run.folder import RunFolder
from GASNetLib.run.process import identity_of, own_identity, write_identity
from GASNetLib.training.preparation import prepare_run
from GASNetLib.training.presets import PRESETS
from GASNetLib.training.settings import as_data, changed
from GASNetSegmentLib.ct_nodes import volume_node_of
from GASNetSegmentLib.result import Result
from GASNetTrainLib.known_runs import KnownRuns
from GASNetTrainLib.processes import Interpreter
from scene_samples import write_tiny_model
from train_samples import LONG, SHORT, write_tiny_cohort
from training import tiny_cohort

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 300


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The files of a tiny cohort."""
    return write_tiny_cohort(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def panel(host, load_module, monkeypatch, tmp_path):
    """The panel, shown; trainings, models and cases have folders of their own."""
    import qt

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for key, folder in {"RunFolder": "Trainings", "ModelFolder": "Models", "CaseFolder": "Cases"}.items():
        qt.QSettings().setValue(f"GASNet/{key}", str(tmp_path / folder))
    host.load_module(REPOSITORY / "GASNetSegment" / "GASNetSegment.py")
    return load_module("GASNetTrain")


@pytest.fixture
def filled(host, panel, tiny):
    """The panel with the tiny cohort opened, its crops in the cache."""
    shutil.copytree(tiny.cache, panel.logic.cache)
    host.dialogs.answer("Open a cohort", str(tiny.table))
    panel.ui.openCohortButton.click()
    return panel


def groups(tree):
    return dict(zip(ROLES, map(tree.topLevelItem, range(len(ROLES))), strict=True))


def cases(tree, column=0):
    """Texts of the cases by role, as shown."""
    return {
        role: [group.child(row).text(column) for row in range(group.childCount())]
        for role, group in groups(tree).items()
    }


def select(tree, names):
    for group in groups(tree).values():
        for row in range(group.childCount()):
            group.child(row).setSelected(group.child(row).text(0) in names)


def choose(box, name):
    """Choose by the engine's name."""
    box.setCurrentIndex(box.findData(name))


def accept(section):
    """As if a check had found nothing."""
    good = {"accepted": True, "problems": [], "thumbnail": ""}
    section.cohort.take_findings(section.cohort.cohort, [good] * len(section.cohort))
    section.show()


def trigger(widget, text):
    next(action for action in widget.actions() if text in action.text).trigger()


def shown_chart(host):
    """The chart in Slicer's plot view, once it is there."""

    def chart():
        widget = slicer.app.layoutManager().plotWidget(0)
        return widget is not None and widget.mrmlPlotViewNode().GetPlotChartNode()

    return host.wait_until(chart, SECONDS, "a chart is shown")


def draws(view):
    """Whether nothing holds back what a slice view draws; PythonQt has no direct question for it."""
    held = view.pauseRender() > 1
    view.resumeRender()
    return not held


def column(table, number):
    return [table.item(row, number).text() for row in range(table.rowCount)]


def run_folder(path, *events):
    """A training of the smoke preset with these events."""
    folder = RunFolder.create(path, {"settings": as_data(PRESETS["smoke"]), "device": "cpu"})
    log = EventLog(folder.events_file)
    for kind, fields in events:
        log.write(kind, **fields)
    log.close()
    return folder


STARTED = ("started", {"iteration": 0, "iterations": 6, "device": "cpu", "threads": 1, "world": 1})
DONE = ("done", {"iteration": 6, "best_iteration": 5, "best_dice": 0.7, "model": "model/best.safetensors"})


def losses(iteration):
    fields = {"rates": {}, "seconds": 1.0, "per_second": 1.0, "gpu_gb": None}
    share = {"diseased": 0.1, "healthy": 0.0}
    value = {"segmentation": 1 / iteration}
    return ("iteration", {"iteration": iteration, "losses": value, "share": share, **fields})


def test_empty_panel_says_what_is_missing(panel):
    needed = "1 with lesions marked, 5 diseased, 5 healthy, 1 with lesions marked for validation."
    assert f"Still missing: {needed}" in panel.ui.cohortLabel.text
    assert not panel.ui.trainButton.enabled
    assert panel.ui.watchFrame.isHidden()
    assert panel.ui.problemFrame.isHidden()
    assert panel.ui.advancedGroup.collapsed


def test_preview_does_not_widen_the_panel(panel):
    """A panel as wide as its picture, and a picture as wide as the panel, would grow without end."""
    import qt

    panel.ui.previewLabel.visible = True
    before = panel.ui.watchFrame.sizeHint.width()
    panel.ui.previewLabel.setPixmap(qt.QPixmap(3000, 100))
    assert panel.ui.watchFrame.sizeHint.width() == before


def test_first_start_without_the_packages(only_in_the_host, host, load_module, monkeypatch):
    """As in a fresh Slicer: nothing of what the engine needs can be imported."""
    for name in ("torch", "safetensors", "safetensors.numpy", "psutil"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.split(".")[0] in ("GASNetLib", "GASNetSegmentLib")]:
        monkeypatch.delitem(sys.modules, name)

    panel = load_module("GASNetTrain")

    assert not panel.ui.installationFrame.isHidden()
    assert not panel.ui.trainSection.enabled and not panel.ui.checkButton.enabled


def test_without_a_main_window(windowless_host):
    windowless_host.load_module(REPOSITORY / "GASNetTrain" / "GASNetTrain.py")
    panel = slicer.modules.gasnettrain.widgetRepresentation().self()
    assert panel.ui.installationFrame.isHidden() and panel.ui.trainSection.enabled


def test_self_test_and_logic_for_python(panel):
    assert slicer.util.getModuleLogic("GASNetTrain").newCohort().still_missing()
    slicer.selfTests["GASNetTrain"]()


def test_every_script_and_resource_is_installed(panel):
    listed = (REPOSITORY / "GASNetTrain" / "CMakeLists.txt").read_text(encoding="utf-8")
    folder = REPOSITORY / "GASNetTrain"
    files = [*folder.glob("GASNetTrainLib/*.py"), *folder.glob("Resources/*/*")]
    assert [f for f in files if f.relative_to(folder).as_posix() not in listed] == []


def test_cohort_is_filled_changed_and_saved(host, filled, tiny, tmp_path):
    ui, tree = filled.ui, filled.ui.cohortTree
    assert cases(tree) == {role: [role] for role in ROLES}
    assert ui.checkButton.enabled and not ui.trainButton.enabled

    select(tree, ["diseased", "healthy"])
    trigger(tree, "Validation")
    everyone = ["diseased", "healthy", "validation"]
    assert cases(tree) == {"labelled": ["labelled"], "diseased": [], "healthy": [], "validation": everyone}
    assert filled.cohort.selected == ["diseased", "healthy"]  # for the next key
    assert "missing: 5 diseased, 5 healthy." in ui.cohortLabel.text
    assert "press D" in groups(tree)["diseased"].text(0)

    select(tree, ["diseased"])
    trigger(tree, "Take out")
    host.dialogs.answer("CTs, or tables", (str(tiny.cohort.cases[1].ct),))
    ui.addFilesButton.click()
    assert cases(tree)["diseased"] == ["diseased"]

    host.dialogs.answer("Save the cohort", str(tmp_path / "mine"))
    ui.saveCohortButton.click()
    ui.newCohortButton.click()
    assert cases(tree) == {role: [] for role in ROLES}
    (tmp_path / "empty").mkdir()
    host.dialogs.answer("Folder with CTs", str(tmp_path / "empty"))
    ui.addFolderButton.click()
    assert "holds no CTs" in ui.problemLabel.text
    host.dialogs.answer("Open a cohort", str(tmp_path / "mine.csv"))
    ui.openCohortButton.click()
    assert cases(tree)["validation"] == ["healthy", "validation"] and ui.problemFrame.isHidden()


def test_rows_dragged_to_another_role_take_it(host, filled):
    """Qt moves the items of a drop itself; here they are moved as it does."""
    tree = filled.ui.cohortTree
    assert tree.dragDropMode == tree.InternalMove

    dragged = groups(tree)["diseased"].takeChild(0)
    groups(tree)["healthy"].insertChild(0, dragged)
    host.wait_until(lambda: filled.cohort.cohort.row("diseased").case.role == "healthy", 5, "the role")

    assert cases(tree)["healthy"] == ["diseased", "healthy"] and cases(tree)["diseased"] == []
    assert filled.cohort.selected == ["diseased"]
    assert "missing: 5 diseased, 3 healthy." in filled.ui.cohortLabel.text


def test_what_a_cohort_lacks_is_told_before_a_training(filled):
    ui = filled.ui
    accept(filled.cohort)
    choose(ui.presetBox, "finetune")
    assert ui.trainButton.enabled and "do not expect a better network" in ui.trainLabel.text

    select(ui.cohortTree, ["validation"])
    trigger(ui.cohortTree, "Take out")
    assert ui.trainButton.enabled and "nobody can tell" in ui.trainLabel.text

    select(ui.cohortTree, ["healthy"])
    trigger(ui.cohortTree, "Take out")
    assert not ui.trainButton.enabled and "cannot do without: Healthy." in ui.trainLabel.text
    choose(ui.presetBox, "supervised")
    assert ui.trainButton.enabled


def test_training_starts_from_any_model_file(host, filled, tmp_path):
    ui = filled.ui
    (tmp_path / "broken.safetensors").write_text("no model")
    host.dialogs.answer("Model to start from", str(tmp_path / "broken.safetensors"))
    ui.startFileButton.click()
    assert not ui.problemFrame.isHidden() and "(in use)" in ui.startBox.currentText

    host.dialogs.answer("Model to start from", str(write_tiny_model(tmp_path / "from elsewhere.safetensors")))
    ui.startFileButton.click()
    assert ui.problemFrame.isHidden() and ui.startBox.currentText == "tiny"
    filled.enter()  # as after a look at another module
    assert ui.startBox.currentText == "tiny"

    accept(filled.cohort)
    choose(ui.presetBox, "smoke")
    choose(ui.deviceBox, "cpu")
    ui.trainButton.click()
    (run,) = filled.watch.runs
    assert run.config["parent"]["file"] == "from elsewhere.safetensors"
    run.stop(patience=0)


def test_cts_come_from_the_dicom_database(host, panel, tmp_path, monkeypatch):
    ui = panel.ui
    monkeypatch.delattr(slicer, "dicomDatabase", raising=False)
    ui.addDicomButton.click()
    assert "no DICOM module" in ui.problemLabel.text
    for seed, name in ((1, "a"), (2, "b")):
        write_phantom(make_phantom(seed, shape=(12, 32, 32)), tmp_path / name)
    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase(tmp_path), raising=False)

    def choose(dialog):
        tree = next(child for child in dialog.children() if child.inherits("QTreeWidget"))
        assert tree.topLevelItemCount == 2 and tree.topLevelItem(0).text(3) == "12"
        tree.topLevelItem(1).setSelected(True)
        return 1

    host.dialogs.answer("DICOM database", choose)
    ui.addDicomButton.click()
    assert ui.problemFrame.isHidden(), ui.problemLabel.text
    assert len(cases(ui.cohortTree)["diseased"]) == 1
    host.dialogs.answer("DICOM database", lambda dialog: 0)
    ui.addDicomButton.click()
    assert len(panel.cohort.cohort) == 1


def test_loaded_ct_and_labelled_samples_become_cases(panel):
    from GASNetLib.phantom import make_phantom
    from GASNetSegmentLib.ct_nodes import volume_node_of

    phantom = make_phantom(seed=1, shape=(12, 32, 32))
    panel.ui.sceneVolumeSelector.setCurrentNode(volume_node_of(phantom.hu, phantom.geometry, "Loaded"))
    panel.ui.addSceneButton.click()
    assert cases(panel.ui.cohortTree)["diseased"] == ["Loaded"]
    panel.ui.addSceneButton.click()
    assert "already" in panel.ui.problemLabel.text
    panel.ui.addSamplesButton.click()
    assert "no labelled samples yet" in panel.ui.problemLabel.text
    sample = panel.logic.case_folder / "case-1"
    sample.mkdir(parents=True, exist_ok=True)
    (sample / "case.json").write_text("{}")
    panel.ui.addSamplesButton.click()
    assert cases(panel.ui.cohortTree)["labelled"] == ["case-1"] and panel.ui.problemFrame.isHidden()


def test_check_train_watch_compare_deploy_and_roll_back(host, filled, tmp_path):
    ui = filled.ui
    ui.checkButton.click()
    assert not ui.checkButton.enabled and not ui.checkCancelButton.isHidden()
    host.wait_until(lambda: not filled.cohort.checking, SECONDS, "the check ends")
    assert ["refused"] not in cases(ui.cohortTree, 1).values(), cases(ui.cohortTree, 2)
    assert not groups(ui.cohortTree)["labelled"].child(0).icon(0).isNull()
    assert "missing: 4 diseased, 4 healthy." in ui.cohortLabel.text
    assert ui.trainButton.enabled and "do not expect a better network" in ui.trainLabel.text

    choose(ui.presetBox, "smoke")
    assert "not measured yet" in ui.presetLabel.text
    ui.measureButton.click()
    host.wait_until(lambda: ui.measureButton.enabled, SECONDS, "the measurement ends")
    assert "as measured" in ui.presetLabel.text, ui.problemLabel.text
    ui.startBox.currentIndex = ui.startBox.count - 1
    choose(ui.deviceBox, "cpu")
    ui.runNameEdit.text = "evening"
    assert ui.trainButton.enabled
    ui.trainButton.click()
    assert column(ui.runsTable, 0) == ["evening"], ui.problemLabel.text
    assert [path.name for path in filled.logic.known.ends_to_tell()] == ["evening"]  # of which closing asks
    ui.curvesButton.click()
    host.wait_until(lambda: column(ui.runsTable, 1) == ["done"], SECONDS, "the training ends")

    assert "Best validation Dice" in ui.stateLabel.text
    assert "evening" in ui.noticeLabel.text
    assert "validation Dice" in ui.logEdit.toPlainText()
    assert ".png" in ui.previewLabel.toolTip
    chart = slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode().GetPlotChartNode()
    assert chart.GetTitle() == "Validation Dice: evening"
    assert chart.GetNthPlotSeriesNode(0).GetTableNode().GetNumberOfRows() == 2
    ui.chartBox.currentText = "Generator against discriminator"
    chart = slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode().GetPlotChartNode()
    assert chart.GetNumberOfPlotSeriesNodes() == 5
    assert chart.GetNthPlotSeriesNode(0).GetName().startswith(("generator:", "discriminator:"))
    layout = slicer.app.layoutManager().layout
    ui.curvesButton.click()
    assert slicer.app.layoutManager().layout != layout

    phantom = make_phantom(seed=1, shape=(24, 48, 48), lesions="moderate")
    ui.compareVolumeSelector.setCurrentNode(volume_node_of(phantom.hu, phantom.geometry, "Open"))
    ui.sideBySideButton.click()
    assert filled.side_by_side.busy and ui.sideBySideLabel.text.startswith("1 of 2")
    ui.sideBySideCancelButton.click()
    host.wait_until(lambda: not filled.side_by_side.busy, SECONDS, "it is cancelled")
    assert "Cancelled" in ui.sideBySideStage.text and ui.sideBySideLabel.text == ""
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []

    layouts = slicer.app.layoutManager()
    persons = layouts.layout
    ui.curvesButton.click()
    shown_chart(host)
    right = layouts.sliceWidget("Yellow").mrmlSliceNode()
    orientation = right.GetOrientation()
    ui.sideBySideButton.click()
    host.wait_until(lambda: not filled.side_by_side.busy, SECONDS, "both results are there")
    results = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert [node.GetName() for node in results] == ["Open, model in use", "Open, new model"]
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView
    views = [node.GetDisplayNode().GetNthViewNodeID(0) for node in results]
    assert views == ["vtkMRMLSliceNodeRed", "vtkMRMLSliceNodeYellow"]
    assert Result.of(results[0]).provenance["model"] != Result.of(results[1]).provenance["model"]
    assert not ui.curvesButton.checked
    assert ui.sideBySideLabel.text.endswith("Right: evening, the new one.")
    assert right.GetOrientation() == "Axial" != orientation
    marked = [Result.of(node).lesions > 0 for node in results]
    differing = np.count_nonzero(marked[0] != marked[1], axis=(1, 2))
    height = right.GetSliceToRAS().GetElement(2, 3) - phantom.geometry.origin[2]
    assert differing[round(height / phantom.geometry.spacing[2])] == differing.max() > 0
    views = [layouts.sliceWidget(name).sliceView() for name in layouts.sliceViewNames()]
    host.wait_until(lambda: all(map(draws, views)), SECONDS, "all views draw again")
    ui.sideBySideBackButton.click()
    assert layouts.layout == persons and right.GetOrientation() == orientation
    assert not any(node.GetDisplayNode().GetVisibility() for node in results)
    assert ui.sideBySideBackButton.isHidden()

    before = filled.logic.modelInUse()
    ui.compareButton.click()
    host.wait_until(lambda: ui.compareButton.enabled, SECONDS, "the comparison ends")
    assert column(ui.compareTable, 0) == ["validation", "Mean"], ui.problemLabel.text
    assert ui.compareTable.verticalScrollBar().maximum == 0
    assert ui.compareTable.columnCount == 4 and "→" in ui.compareTable.item(1, 1).text()
    assert "→ evening" in ui.verdictLabel.text
    assert "thin evidence" in ui.verdictLabel.text
    ui.candidateBox.currentIndex = 1
    assert ui.compareTable.isHidden() and ui.verdictLabel.isHidden()  # these are figures of another model
    ui.candidateBox.currentIndex = 0
    assert not ui.compareTable.isHidden()
    ui.deployButton.click()
    assert filled.logic.modelInUse().read_bytes() == filled.deploy.candidate[1].read_bytes()
    assert ui.inUseLabel.text == "In use: evening"  # and not the name of its file
    assert "evening (in use)" in [ui.startBox.itemText(row) for row in range(ui.startBox.count)]
    host.dialogs.answer("Export", str(tmp_path / "package.safetensors"))
    ui.exportButton.click()
    assert (tmp_path / "package.safetensors").is_file()
    ui.rollBackButton.click()
    assert filled.logic.modelInUse() == before


HEARS_A_STOP = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.05)"


@pytest.mark.parametrize(("answer", "stops"), [("Keep training", False), ("Stop", True)])
def test_closing_slicer_asks_what_becomes_of_trainings(
    only_in_the_host, host, panel, tmp_path, answer, stops
):
    folder = run_folder(tmp_path / "night", STARTED)
    at_work = subprocess.Popen([sys.executable, "-c", HEARS_A_STOP, str(folder.stop_file)])
    write_identity(folder.process_file, identity_of(at_work.pid))
    panel.watch.take(panel.logic.openRun(folder.path))
    host.wait_until(lambda: column(panel.ui.runsTable, 1) == ["running"], SECONDS, "it is seen")

    slicer.util.selectModule("GASNetSegment")
    host.dialogs.answer("Still training: night", answer)
    assert host.close() == []
    if stops:
        at_work.wait(SECONDS)
        end = time.monotonic() + SECONDS
        while "State: " not in folder.log_file.read_text():  # what sees to its end has ended too
            assert time.monotonic() < end
            time.sleep(0.1)
        assert not folder.stop_file.exists()
    else:
        assert at_work.poll() is None and not folder.stop_file.exists()
        at_work.kill()
        at_work.wait()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_training_that_hears_no_stop_is_ended_all_the_same(panel, tmp_path):
    folder = run_folder(tmp_path / "night", STARTED)
    deaf = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    write_identity(folder.process_file, identity_of(deaf.pid))

    panel.logic.openRun(folder.path).leave_to_stop(patience=0)

    assert deaf.wait(SECONDS) == -signal.SIGTERM


def test_trainings_that_ended_while_slicer_was_closed_are_told_once(only_in_the_host, host, tmp_path):
    import qt

    host.load_module(REPOSITORY / "GASNetSegment" / "GASNetSegment.py")
    host.load_module(REPOSITORY / "GASNetTrain" / "GASNetTrain.py")
    night, probe = (run_folder(tmp_path / name, STARTED, DONE) for name in ("night", "probe"))
    at_work = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    write_identity(probe.process_file, identity_of(at_work.pid))
    known = KnownRuns(qt.QSettings())
    for folder in (night, probe):
        known.add(folder.path)
        known.await_end(folder.path)
    bar = slicer.util.mainWindow().statusBar()

    host.startup_completed()
    assert bar.currentMessage().endswith("closed: night")
    at_work.kill()
    at_work.wait()
    host.startup_completed()  # as if Slicer were started once more
    assert bar.currentMessage().endswith("closed: probe")
    bar.clearMessage()
    host.startup_completed()
    assert bar.currentMessage() == ""

    panel = host.open_module("GASNetTrain")
    ui = panel.ui
    both = "Ended while you were away: probe (done), night (done)"
    host.wait_until(lambda: ui.endedLabel.text == both, SECONDS, "both are told")
    assert not ui.endedFrame.isHidden()
    ui.showEndedButton.click()
    assert ui.endedFrame.isHidden() and ui.cohortSection.collapsed and not ui.watchSection.collapsed
    assert panel.watch.chosen.name == "probe" and known.ends_to_tell() == {}
    slicer.util.reloadScriptedModule("GASNetTrain")
    again = slicer.modules.GASNetTrainWidget
    host.wait_until(lambda: column(again.ui.runsTable, 1) == ["done", "done"], SECONDS, "both are read")
    assert again.ui.endedFrame.isHidden()


def test_a_zoomed_chart_stays_as_it_is_while_the_training_goes_on(host, panel, tmp_path):
    folder = run_folder(tmp_path / "night", STARTED, *(losses(n) for n in range(1, 5)))
    write_identity(folder.process_file, own_identity())
    panel.watch.take(panel.logic.openRun(folder.path))
    panel.ui.chartBox.currentText = "Segmentation error"
    panel.ui.curvesButton.click()
    chart = shown_chart(host)

    def await_axes(iteration):
        host.wait_until(lambda: chart.GetXAxisRange()[1] >= iteration, SECONDS, "the axes follow")

    await_axes(4)
    curve = chart.GetNthPlotSeriesNode(0)
    assert curve.GetName() == "marked lesions"

    def train_on(iteration):
        log = EventLog(folder.events_file)
        kind, fields = losses(iteration)
        log.write(kind, **fields)
        log.close()
        rows = curve.GetTableNode().GetNumberOfRows
        host.wait_until(lambda: rows() == iteration, SECONDS, "it is drawn")

    train_on(5)
    await_axes(5)
    chart.SetXAxisRange(2, 3)  # as the view does when a person zooms
    train_on(6)
    host.process_events()
    assert chart.GetXAxisRange() == (2, 3) and not chart.GetXAxisRangeAuto()
    chart.SetXAxisRange(1, 6)  # as after key R: everything is seen
    chart.SetYAxisRange(0, 1)
    train_on(7)
    await_axes(7)
    assert chart.GetXAxisRangeAuto()
    folder.process_file.unlink()


def test_layout_of_the_curves_is_not_kept_for_the_next_start_of_slicer(host, panel, tmp_path):
    """Slicer keeps the layout that it is closed in, whatever module is shown; it leaves that one first."""
    ui, layouts = panel.ui, slicer.app.layoutManager()
    host.startup_completed()
    layouts.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    panel.watch.take(panel.logic.openRun(run_folder(tmp_path / "night", STARTED, losses(1), DONE).path))
    ui.curvesButton.click()
    shown_chart(host)
    slicer.util.selectModule("Data")
    assert layouts.layout != slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView

    slicer.util.selectModule("")

    assert layouts.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    assert not ui.curvesButton.checked


def test_layout_of_the_curves_is_put_back_after_the_sister_module_was_loaded_anew(host, panel, tmp_path):
    ui, layouts = panel.ui, slicer.app.layoutManager()
    host.startup_completed()
    persons = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
    layouts.setLayout(persons)
    panel.watch.take(panel.logic.openRun(run_folder(tmp_path / "night", STARTED, losses(1), DONE).path))
    ui.curvesButton.click()
    shown_chart(host)

    host.open_module("GASNetSegment").onReload()
    assert layouts.layout != persons
    slicer.util.selectModule("")  # as Slicer that is closed does before it keeps its layout

    assert layouts.layout == persons and not ui.curvesButton.checked


def test_layout_that_a_person_chooses_takes_the_place_of_the_curves_and_stays(host, panel, tmp_path):
    ui, layouts = panel.ui, slicer.app.layoutManager()
    panel.watch.take(panel.logic.openRun(run_folder(tmp_path / "night", STARTED, losses(1), DONE).path))
    ui.curvesButton.click()
    shown_chart(host)
    chosen = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView

    layouts.setLayout(chosen)  # by Slicer's own button

    assert layouts.layout == chosen and not ui.curvesButton.checked
    ui.curvesButton.click()
    host.wait_until(lambda: layouts.layout != chosen, SECONDS, "the curves come back")
    ui.curvesButton.click()
    assert layouts.layout == chosen


def test_collapse_and_bad_ends_are_told_with_what_to_do_and_what_is_saved(host, panel, tmp_path):
    ui, folder = panel.ui, run_folder(tmp_path / "night", STARTED)
    at_work = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    write_identity(folder.process_file, identity_of(at_work.pid))
    panel.watch.take(panel.logic.openRun(folder.path))
    host.wait_until(lambda: column(ui.runsTable, 1) == ["running"], SECONDS, "it is seen")

    def tell(kind, **fields):
        log = EventLog(folder.events_file)
        log.write(kind, **fields)
        log.close()

    def is_told(label, *texts):
        host.wait_until(lambda: all(text in label.text for text in texts), SECONDS, f"{texts} is told")

    kind, fields = losses(1)
    tell(kind, **{**fields, "gpu_gb": 7.5})
    is_told(ui.stateLabel, "GPU memory 7.5 GB", "iteration 1 of 6", "left")
    tell("warning", iteration=1, code="collapse", cause="It collapses.", advice="Stop it.")
    is_told(ui.noticeLabel, "night: It collapses. Stop it.")
    at_work.kill()
    at_work.wait()
    is_told(ui.stateLabel, "vanished without a word", "Nothing was saved yet; Resume begins anew.")
    is_told(ui.noticeLabel, "vanished")
    assert ui.resumeButton.enabled and not ui.stopButton.enabled

    tell("checkpoint", iteration=4, file="iteration-4.pt", best=False)
    tell("error", cause="The disk is full.", advice="Free disk space.")
    assert ui.resumeOnCpuButton.isHidden()  # it ran there
    saved = "All up to the checkpoint of iteration 4 is saved; Resume goes on from there."
    is_told(ui.stateLabel, f"The disk is full. Free disk space. {saved}")
    is_told(ui.noticeLabel, "The disk is full.")
    assert column(ui.runsTable, 1) == ["failed"] and "The disk is full." in ui.logEdit.toPlainText()


def test_gpu_that_is_lost_in_mid_run_is_told_with_what_to_do_and_what_is_saved(host, panel, tmp_path):
    """A real worker, in which all operations fail from the second iteration on as PyTorch's do then."""
    ui, settings = panel.ui, changed(PRESETS["smoke"], {**SHORT, "checkpoint_seconds": 0.0})
    run = prepare_run(tmp_path / "night", tiny_cohort.tiny_cohort(), settings, device="cpu")
    python = Interpreter.of_slicer(slicer.app.slicerHome)
    failure = {"FAILURE": "AcceleratorError: CUDA error: unspecified launch failure", "STEPS": "4"}
    worker = subprocess.Popen(
        [python.executable, tiny_cohort.__file__, str(run.path)],
        env={**python.environment, **failure},
        stderr=run.log_file.open("w"),
    )
    panel.watch.take(panel.logic.openRun(run.path))
    host.wait_until(lambda: column(ui.runsTable, 1) == ["failed"], SECONDS, "it fails")
    assert worker.wait(SECONDS) == 1

    told = "The GPU failed: CUDA error: unspecified launch failure. Resume; on the CPU if it fails again."
    saved = "All up to the checkpoint of iteration 1 is saved; Resume goes on from there."
    assert f"{told} {saved}" in ui.stateLabel.text
    assert f"night: {told}" in ui.noticeLabel.text
    assert told in ui.logEdit.toPlainText() and "Traceback" in ui.logEdit.toPlainText()
    assert ui.resumeButton.enabled and not ui.stopButton.enabled


def test_training_without_the_gpu_that_it_is_made_for_is_told_and_goes_on_on_the_cpu(host, filled):
    if gpu_problem() is None:
        pytest.skip("there is a GPU here")
    ui = filled.ui
    accept(filled.cohort)
    choose(ui.presetBox, "smoke")
    choose(ui.deviceBox, "cuda")
    ui.trainButton.click()
    host.wait_until(lambda: column(ui.runsTable, 1) == ["failed"], SECONDS, "it fails")
    assert "The GPU cannot be used" in ui.stateLabel.text and "Choose the CPU" in ui.stateLabel.text
    assert "Nothing was saved yet; Resume begins anew." in ui.stateLabel.text

    ui.resumeOnCpuButton.click()
    host.wait_until(lambda: column(ui.runsTable, 1) == ["done"], SECONDS, "it is done on the CPU")
    assert "on cpu" in ui.logEdit.toPlainText() and ui.resumeOnCpuButton.isHidden()


def test_case_that_is_found_corrupt_only_by_the_training_is_named_with_what_to_do(host, panel, tmp_path):
    ui, tiny = panel.ui, write_tiny_cohort(tmp_path / "tiny")
    host.dialogs.answer("Open a cohort", str(tiny.table))
    ui.openCohortButton.click()
    accept(panel.cohort)
    ct = tiny.cohort.cases[1].ct
    whole = ct.read_bytes()
    ct.write_bytes(whole[:-1000])  # since it was checked
    choose(ui.presetBox, "smoke")
    choose(ui.deviceBox, "cpu")
    ui.trainButton.click()
    host.wait_until(lambda: column(ui.runsTable, 1) == ["failed"], SECONDS, "it fails")

    assert "diseased" in ui.stateLabel.text and "damaged" in ui.stateLabel.text, ui.stateLabel.text
    assert "Bring whole files back and resume, or check the cohort" in ui.stateLabel.text
    assert "Nothing was saved yet; Resume begins anew." in ui.stateLabel.text
    ct.write_bytes(whole)
    ui.resumeButton.click()
    host.wait_until(lambda: column(ui.runsTable, 1) == ["done"], SECONDS, "it trains with the whole file")


def test_tables_are_as_high_as_their_rows_up_to_a_limit(panel):
    from GASNetSegmentLib.panel import fill_table
    from GASNetTrainLib.table_height import fit_height

    table, heights = panel.ui.compareTable, []
    for rows in (2, 5, 8, 50):
        fill_table(table, ["Case", "Dice"], [["a", "0.5"]] * rows)
        fit_height(table, 8)
        heights.append(table.minimumHeight)
    assert heights[0] < heights[1] < heights[2] == heights[3]
    assert heights[1] - heights[0] == 3 * table.rowHeight(0)


def test_reload_finds_the_training_again(host, filled, tmp_path):
    run = filled.logic.startTraining(
        filled.cohort.cohort, tmp_path / "long", "smoke", device="cpu", changes=LONG
    )
    slicer.util.reloadScriptedModule("GASNetTrain")
    panel = slicer.modules.GASNetTrainWidget
    ui = panel.ui
    assert column(ui.runsTable, 0) == ["long"]
    assert cases(ui.cohortTree) == {role: [role] for role in ROLES}  # that of the last time
    host.wait_until(lambda: panel.watch.runs[0].state().iteration > 0, SECONDS, "it trains")
    host.wait_until(lambda: ui.stopButton.enabled, SECONDS, "the panel knows")

    ui.stopButton.click()
    assert not ui.stopButton.enabled and not ui.endNowButton.isHidden()
    host.wait_until(lambda: column(ui.runsTable, 1) == ["stopped"], SECONDS, "it stops")
    assert run.folder.process() is None and ui.endNowButton.isHidden()
    reached = run.state().iteration

    ui.resumeButton.click()
    host.wait_until(lambda: panel.watch.runs[0].state().iteration > reached, SECONDS, "it goes on")
    slicer.mrmlScene.Clear()
    assert panel.watch.runs[0].state().state == "running"

    assert run.stop() == "stopped"
