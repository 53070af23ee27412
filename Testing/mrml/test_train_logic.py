"""GASNetTrain's logic with real processes: cohort, training, kill and resume, reattach, compare, deploy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from bad_inputs import edit_dicom
from dicom_database import DicomDatabase
from GASNetLib.cohort import CohortError
from GASNetLib.errors import Cancelled, GASNetError, ModelError
from GASNetLib.model_store import ModelStore
from GASNetLib.phantom import make_phantom, write_phantom
from GASNetLib.run.errors import RunError
from GASNetLib.run.process import identity_of, write_identity
from GASNetTrainLib.chart_axes import ChartAxes
from GASNetTrainLib.cohort_table import ACCEPTED, FLAGGED, REFUSED, UNCHECKED, CohortTable
from GASNetTrainLib.curves import CHARTS, DICE, Curves
from GASNetTrainLib.dicom_database import add_series, stored_ct_series
from GASNetTrainLib.pace import Pace
from GASNetTrainLib.processes import Interpreter, environment
from GASNetTrainLib.run_handle import RunHandle
from GASNetTrainLib.scene_cases import add_scene_case
from GASNetTrainLib.train_logic import TrainLogic
from scene_samples import add_ct, write_tiny_model
from train_samples import LONG, SHORT, write_tiny_cohort

SECONDS = 300
TESTING = Path(__file__).resolve().parents[1]


class Settings(dict):
    """Kept values, as QSettings keeps them."""

    def value(self, key, default=None):
        return self.get(key, default)

    def setValue(self, key, value):
        self[key] = value


def interpreter() -> Interpreter:
    return Interpreter(sys.executable, {**environment(), "OMP_NUM_THREADS": "1"})


def logic_in(home: Path, settings: Settings | None = None) -> TrainLogic:
    settings = Settings() if settings is None else settings
    return TrainLogic(ModelStore(home / "models"), home / "cases", home / "runs", settings, interpreter())


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A person's folders, with the crops of the tiny cohort in the cache."""
    home = tmp_path_factory.mktemp("Zuhause ü")
    tiny = write_tiny_cohort(home / "data")
    shutil.copytree(tiny.cache, home / "runs" / "cache")
    return home


@pytest.fixture(scope="module")
def trained(home) -> RunHandle:
    """A training that went through."""
    logic = logic_in(home)
    cohort = logic.newCohort(home / "data" / "cohort.csv")
    run = logic.startTraining(cohort, home / "runs" / "first", "smoke", device="cpu", changes=SHORT)
    state = run.wait(SECONDS)
    assert state.state == "done", f"{state} {run.log()}"
    return run


def until(condition, what: str):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def losses(run: RunHandle) -> list[dict]:
    return [event["losses"] for event in run.events() if event["kind"] == "iteration"]


# --- cohort --------------------------------------------------------------------------------------------


@pytest.fixture
def cohort(home) -> CohortTable:
    return CohortTable.open(home / "data" / "cohort.csv")


def test_cohort_says_what_is_missing_until_it_is_there(home):
    logic = logic_in(home)
    cohort = logic.newCohort()
    assert cohort.lacking() == {"labelled": 1, "diseased": 5, "healthy": 5, "validation": 1}
    assert logic.rolesLacking(cohort, "finetune") == ["diseased", "healthy", "labelled"]
    assert logic.rolesLacking(cohort, "supervised") == ["labelled"]

    logic.addCase(cohort, home / "data" / "labelled.nii.gz", "labelled", home / "data" / "labelled_mask.nrrd")
    logic.addCase(cohort, home / "data" / "diseased.nii.gz", "diseased")

    assert cohort.lacking() == {"diseased": 4, "healthy": 5, "validation": 1}
    assert cohort.still_missing()[0] == "4 more diseased (at least 5 recommended)."
    assert logic.rolesLacking(cohort, "finetune") == ["healthy"]
    assert cohort.totals() == {"labelled": 1, "diseased": 1, "healthy": 0, "validation": 0}
    with pytest.raises(CohortError, match="already"):
        logic.addCase(cohort, home / "data" / "diseased.nii.gz", "healthy")
    with pytest.raises(CohortError, match="role"):
        logic.addCase(cohort, home / "data" / "healthy.nii.gz", "sick")


def test_folders_tables_and_samples_fill_a_cohort_once(home, tmp_path):
    cohort = CohortTable()
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("a", "b"):
        shutil.copy(home / "data" / "healthy.nii.gz", flat / f"{name}.nii.gz")
    sample = tmp_path / "cases" / "case-1"
    sample.mkdir(parents=True)
    for name in ("ct.nrrd", "mask.seg.nrrd", "case.json"):
        (sample / name).write_text("{}")

    assert cohort.add_path(flat, "healthy") == 2
    assert cohort.add_path(flat, "healthy") == 0
    assert cohort.add_path(home / "data" / "cohort.csv", "healthy") == 4
    assert cohort.add_samples(tmp_path / "cases") == 1
    assert cohort.add_path(home / "data" / "labelled_mask.nrrd", "diseased") == 1

    roles = [row.case.role for row in cohort]
    assert roles == [
        "healthy",
        "healthy",
        "labelled",
        "diseased",
        "healthy",
        "validation",
        "labelled",
        "diseased",
    ]
    assert cohort.row("case-1").case.mask == sample / "mask.seg.nrrd"
    with pytest.raises(CohortError, match="no file or folder"):
        cohort.add_path(tmp_path / "nowhere", "healthy")


def test_roles_masks_and_removal(cohort, home):
    cohort.set_role(["diseased", "healthy"], "validation")
    cohort.set_mask("diseased", home / "data" / "validation_mask.nrrd")
    cohort.remove(["healthy"])

    assert cohort.totals()["validation"] == 2 and len(cohort) == 3
    assert cohort.row("diseased").case.mask == home / "data" / "validation_mask.nrrd"
    with pytest.raises(CohortError):
        cohort.row("healthy")


def test_cohort_file_round_trip(cohort, tmp_path):
    cohort.save(tmp_path / "ü saved.csv")
    again = CohortTable.open(tmp_path / "ü saved.csv")
    assert again.cohort == cohort.cohort


def test_cohort_that_is_put_together_outlives_the_session(cohort, tmp_path):
    assert len(logic_in(tmp_path).lastCohort()) == 0
    logic_in(tmp_path).keepCohort(cohort)
    assert logic_in(tmp_path).lastCohort().cohort == cohort.cohort
    logic_in(tmp_path).keepCohort(CohortTable())
    assert len(logic_in(tmp_path).lastCohort()) == 0


def test_names_that_are_taken_get_a_number(home, tmp_path):
    cohort = CohortTable()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        shutil.copy(home / "data" / "healthy.nii.gz", tmp_path / folder / "ct.nii.gz")
        cohort.add(tmp_path / folder / "ct.nii.gz", "healthy")
    assert [row.case.name for row in cohort] == ["ct", "ct (2)"]


def test_findings_reach_only_rows_that_are_as_they_were(cohort):
    checked = cohort.cohort
    findings = [
        {"name": c.name, "accepted": c.role != "healthy", "problems": problems, "thumbnail": ""}
        for c, problems in zip(
            checked, ([], [["flagged", "Odd.", ""]], [["refused", "Bad.", "Mend it."]], []), strict=True
        )
    ]
    cohort.set_role(["validation"], "diseased")

    cohort.take_findings(checked, findings)

    assert [row.status for row in cohort] == [ACCEPTED, FLAGGED, REFUSED, UNCHECKED]
    assert cohort.row("healthy").reason == "Bad. Mend it."
    assert cohort.totals()["healthy"] == 0 and "healthy" not in {case.name for case in cohort.usable}
    assert not cohort.is_checked


def test_check_refuses_with_reasons_and_draws_thumbnails(home, cohort):
    cohort.remove(["labelled", "diseased"])
    cohort.set_role(["healthy"], "labelled")  # which has no mask
    told = []

    rows = logic_in(home).checkCohort(cohort, lambda stage, share: told.append(share), jobs=0)

    assert [row.status == REFUSED for row in rows] == [True, False]
    assert "needs a mask" in rows[0].reason
    assert rows[1].thumbnail.read_bytes().startswith(b"\x89PNG")
    assert told == sorted(told) and told[-1] == 1


def test_ct_of_the_scene_becomes_a_case_once(scene, phantom, tmp_path):
    from GASNetLib.volume import read_volume

    cohort, node = CohortTable(), add_ct(phantom, "Loaded")

    assert add_scene_case(cohort, node, "diseased", tmp_path) == 1

    case = cohort.row("Loaded").case
    volume = read_volume(case.ct)
    assert volume.geometry.same_as(phantom.geometry) and (volume.hu == phantom.hu).all()
    with pytest.raises(CohortError, match="already"):
        add_scene_case(cohort, node, "healthy", tmp_path)


def test_series_of_the_dicom_database_become_cases(tmp_path):
    from GASNetLib.volume import read_volume

    phantoms = [make_phantom(seed, shape=(12, 32, 32)) for seed in (1, 2)]
    for name, phantom in zip("ab", phantoms, strict=True):
        write_phantom(phantom, tmp_path / name)
    report = next((tmp_path / "b").iterdir())
    edit_dicom(report, copy_to=tmp_path / "b" / "report.dcm", SeriesInstanceUID="1.2.3.4", Modality="SR")
    found = stored_ct_series(DicomDatabase(tmp_path))

    assert [series.images for series in found] == ["12", "12"]
    cohort = CohortTable()
    assert add_series(cohort, found, "healthy") == 2
    assert add_series(cohort, found, "diseased") == 0
    assert [row.case.role for row in cohort] == ["healthy", "healthy"]
    by_path = {row.case.ct.parent.name: row.case for row in cohort}
    for name, phantom in zip("ab", phantoms, strict=True):
        assert (read_volume(by_path[name].ct).hu == phantom.hu).all()
        assert found[0].patient not in by_path[name].name

    cohort = CohortTable()
    found[1].file.unlink()
    with pytest.raises(CohortError, match="no longer"):
        add_series(cohort, found, "healthy")
    assert len(cohort) == 0


def test_series_that_was_not_retrieved_from_its_server_is_refused(tmp_path):
    write_phantom(make_phantom(1, shape=(12, 32, 32)), tmp_path / "a")
    database = DicomDatabase(tmp_path)
    database.retrieved = False
    with pytest.raises(CohortError, match="not on this computer"):
        add_series(CohortTable(), stored_ct_series(database), "healthy")


def test_missing_closed_and_empty_dicom_database_are_told_apart(tmp_path):
    database = DicomDatabase(tmp_path)
    with pytest.raises(CohortError, match="no DICOM module"):
        stored_ct_series(None)
    with pytest.raises(CohortError, match="holds no CT"):
        stored_ct_series(database)
    database.isOpen = False
    with pytest.raises(CohortError, match="not open"):
        stored_ct_series(database)


# --- tasks ---------------------------------------------------------------------------------------------


def test_cancelled_and_closed_tasks_leave_no_process(home, cohort):
    logic = logic_in(home)
    cancelled, closed, killed = (logic.beginCheck(cohort.cohort, 0) for _ in range(3))
    closed.close()
    killed.kill()  # which does not wait
    cancelled.cancel()

    for task in (cancelled, closed, killed):
        with pytest.raises(Cancelled):
            task.result()


def test_task_whose_python_fails_says_so(home, cohort):
    broken = TrainLogic(
        ModelStore(home / "models"),
        home,
        home / "runs",
        Settings(),
        Interpreter(sys.executable, {"PYTHONPATH": ""}),
    )
    with pytest.raises(GASNetError, match="without an answer"):
        broken.checkCohort(cohort)


def test_logic_never_loads_torch():
    imported = "GASNetTrainLib.train_logic, GASNetTrainLib.run_handle, GASNetLib.training.preparation"
    code = f"import sys, {imported}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment()).returncode == 0


# --- training ------------------------------------------------------------------------------------------


def test_training_runs_in_its_own_process_and_leaves_models(trained):
    state = trained.state()
    kinds = {event["kind"] for event in trained.events()}

    assert state.iteration == state.iterations == SHORT["iterations"]
    assert kinds >= {"started", "iteration", "validation", "checkpoint", "preview", "done"}
    assert trained.folder.best_model.is_file() and trained.previews()
    with pytest.raises(RunError, match="done"):
        trained.resume()


def test_pace_counts_validations_and_previews(trained):
    events = trained.events()
    pace = Pace.of(events)
    settings = {"iterations": 100, "val_every": 30, "preview_every": 100}

    assert Pace.of([event for event in events if event["kind"] != "iteration"]) is None
    assert pace.iteration > 0 and pace.validation > 0 and pace.preview > 0
    whole = pace.seconds(settings, validation_cases=2)
    assert whole == pytest.approx(100 * pace.iteration + 4 * 2 * pace.validation + pace.preview)
    assert pace.seconds(settings, 2, done=60) == pytest.approx(
        40 * pace.iteration + 2 * 2 * pace.validation + pace.preview
    )
    assert pace.seconds(settings, 2, done=100) == 0
    # What was seen explains the time from the first iteration to the end, which no speed alone does.
    times = [datetime.fromisoformat(event["time"]) for event in events if event["kind"] != "prepared"]
    took = (times[-1] - times[1]).total_seconds()
    assert pace.seconds(trained.config["settings"], 1) == pytest.approx(took, rel=0.7)


def test_second_training_in_one_folder_is_refused_in_words(trained, home, cohort):
    with pytest.raises(RunError, match="already holds a training"):
        logic_in(home).startTraining(cohort, trained.path, "smoke", device="cpu")


def test_process_that_dies_before_it_begins_is_a_failure_with_words(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "run", ignore=shutil.ignore_patterns("events.jsonl", "lock"))
    run = RunHandle(tmp_path / "run", Interpreter(sys.executable, {"PYTHONHOME": str(tmp_path)}))
    run.resume()

    state = run.wait(SECONDS)

    assert state.state == "failed" and "before it began" in state.cause
    assert "Python" in run.log()


PARENT = """
import sys, time
from pathlib import Path
from train_samples import LONG
sys.path.insert(0, sys.argv[2])
from test_train_logic import Settings, logic_in
logic = logic_in(Path(sys.argv[1]))
cohort = logic.newCohort(Path(sys.argv[1]) / "data" / "cohort.csv")
folder = Path(sys.argv[1]) / "elsewhere" / "long"
run = logic.startTraining(cohort, folder, "smoke", device="cpu", changes=LONG)
print(run.path, flush=True)
time.sleep(600)
"""


def started_by_a_gui_that_is_killed(home: Path) -> Path:
    """The run folder of a training whose GUI is killed as soon as starting it has returned."""
    variables = {**environment(), "OMP_NUM_THREADS": "1"}
    variables["PYTHONPATH"] = os.pathsep.join([variables["PYTHONPATH"], str(TESTING)])
    command = [sys.executable, "-c", PARENT, str(home), str(TESTING / "mrml")]
    gui = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, encoding="utf-8")
    path = Path(gui.stdout.readline().strip())
    gui.kill()
    gui.communicate()
    return path


def test_training_whose_cases_are_not_read_yet_goes_on_without_its_gui(tmp_path):
    write_tiny_cohort(tmp_path / "data")  # and no crops in the cache of the trainings
    run = logic_in(tmp_path).openRun(started_by_a_gui_that_is_killed(tmp_path))
    assert not run.events()  # not even torch is there by now

    until(lambda: run.state().iteration >= 1, f"it trains: {run.state()} {run.log()}")

    assert {event["total"] for event in run.events() if event["kind"] == "prepared"} == {4}
    assert run.stop() == "stopped"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_gui_and_worker_are_killed_and_another_session_goes_on_exactly(home):
    settings = Settings()
    path = started_by_a_gui_that_is_killed(home)

    run = logic_in(home, settings).openRun(path)  # the next session, which then remembers it
    until(lambda: run.state().iteration >= 2, f"it trains on without its parent: {run.log()}")
    with pytest.raises(RunError, match="running"):
        run.resume()
    worker = run.folder.process()
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: run.state().state == "interrupted", "its end is noticed")
    assert "checkpoint" in run.state().advice
    before = losses(run)

    (again,) = [found for found in logic_in(home, settings).runs() if found.path == path]
    assert losses(again) == before  # the same curve
    again.resume()
    assert again.state().state == "starting"
    until(lambda: again.state().iteration > len(before), f"it goes on: {again.log()}")
    done = losses(again)
    common = min(len(before), len(done))
    assert done[:common] == before[:common]  # exactly

    assert again.stop() == "stopped"
    state = again.state()
    assert state.state == "stopped" and again.folder.process() is None
    assert again.wait(SECONDS).iteration == state.iteration < LONG["iterations"]


def test_stop_that_comes_late_leaves_a_resumed_training_alone(trained, tmp_path):
    run = logic_in(tmp_path).openRun(prepared(trained, tmp_path / "run"))
    stopped, resumed = (
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]) for _ in "ab"
    )
    write_identity(run.folder.process_file, identity_of(stopped.pid))
    task = run.begin_stop(patience=600)  # its process takes a while to start
    assert run.folder.stop_file.exists()
    stopped.kill()
    stopped.wait()
    write_identity(run.folder.process_file, identity_of(resumed.pid))

    assert task.result() in ("stopped", "not running")
    assert run.folder.process() == identity_of(resumed.pid) and not run.folder.stop_file.exists()
    resumed.kill()
    resumed.wait()


@pytest.fixture
def nothing_trains_on(tmp_path):
    """Whatever becomes of the test."""
    yield
    for config in tmp_path.glob("*/config.json"):
        RunHandle(config.parent, interpreter()).stop(patience=0)


def prepared(trained: RunHandle, path: Path) -> Path:
    """A folder like that of a training, which has not begun."""
    begun = shutil.ignore_patterns("events.jsonl", "lock", "*.safetensors", "*.png")
    return shutil.copytree(trained.path, path, ignore=begun)


def test_queued_trainings_run_one_after_another(trained, tmp_path, nothing_trains_on):
    logic = logic_in(tmp_path)
    first = logic.openRun(prepared(trained, tmp_path / "first"))
    at_work = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    write_identity(first.folder.process_file, identity_of(at_work.pid))

    second, third = (
        logic.launch(prepared(trained, tmp_path / name), queued=True) for name in ("second", "third")
    )

    assert second.state().state == third.state().state == "waiting"
    assert second.state().cause == "Waiting for first to end."
    assert third.state().cause == "Waiting for first, second to end."
    assert logic_in(tmp_path).openRun(third.path).state().state == "waiting"  # any other program sees it
    assert third.stop() == "stopped" and third.state().state == "new"
    assert second.state().state == "waiting" and not second.events()

    at_work.kill()
    at_work.wait()
    first.resume([second])  # which waits for the former process of the first: no deadlock
    assert second.wait(SECONDS).state == "done", second.log()
    assert first.wait(SECONDS).state == "done", first.log()
    started = [event["time"] for event in first.events() if event["kind"] == "started"]
    assert started[0] > second.events()[-1]["time"]


# --- looking without waiting ---------------------------------------------------------------------------


def test_long_history_is_read_piece_by_piece(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "long")
    file = tmp_path / "long" / "events.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    one = next(line for line in lines if '"iteration"' in line and '"losses"' in line)
    file.write_text("".join([*lines[:-1], one * 3000, lines[-1]]))
    run = RunHandle(tmp_path / "long", interpreter())

    looks = 1
    while run.look(0.0) is None:
        looks += 1

    assert looks > 5
    assert run.last_state.state == "done" == run.state().state
    assert len(run.events()) == len(lines) + 3000
    run.let_go_of_events()
    assert run.look(0.0).state == "done"  # nothing has changed, so nothing is read
    events, complete = run.events_so_far(0.0)
    assert 0 < len(events) < len(lines) + 3000 and not complete
    assert len(run.events()) == len(lines) + 3000


# --- compare and deploy --------------------------------------------------------------------------------


def test_compare_deploy_roll_back_and_export(trained, home, cohort, tmp_path):
    logic = logic_in(home)
    first = logic.deployModel(write_tiny_model(tmp_path / "tiny.safetensors"))

    found = logic.compareModels([first, trained.folder.best_model], trained.folder.cohort_file, "cpu")

    assert found.models == ("tiny", "first") and found.cases == ("validation",)
    assert 0 <= found.mean(1, "specificity") <= 1
    assert "thin evidence" in found.verdicts[0] or "No case" in found.verdicts[0]

    deployed = logic.deployModel(trained.folder.best_model)
    assert logic.modelInUse() == deployed == ModelStore(home / "models").in_use()
    assert first.is_file()
    assert logic.rollBack() == first
    exported = logic.exportModel(trained.folder.best_model, tmp_path / "ü" / "package.safetensors")
    assert exported.read_bytes() == trained.folder.best_model.read_bytes()
    with pytest.raises(ModelError):
        logic.deployModel(home / "data" / "healthy.nii.gz")


# --- curves --------------------------------------------------------------------------------------------


class EngineNames:
    """Charts and curves called as in the engine."""

    def chart_title(self, key):
        return key

    curve_label = axis_title = chart_title


def test_axes_follow_until_a_person_zooms(scene, trained):
    events, curves, axes = trained.events(), Curves(EngineNames()), ChartAxes()
    chart = curves.charts["segmentation"]
    third = [i for i, event in enumerate(events) if event["kind"] == "iteration"][2] + 1

    curves.show("night", events[:third])
    assert axes.follow(chart)
    chart.SetXAxisRange(0, 5)  # as the view writes it after a fit
    chart.SetYAxisRange(0, 100)
    assert axes.follow(chart) and chart.GetXAxisRangeAuto()

    chart.SetXAxisRange(1.5, 2)  # as it does after the mouse wheel
    assert not axes.follow(chart)
    curves.show("night", events)
    assert not axes.follow(chart)
    assert not chart.GetXAxisRangeAuto() and chart.GetXAxisRange() == (1.5, 2)
    chart.SetXAxisRange(1, SHORT["iterations"])  # key R: all that is drawn
    assert axes.follow(chart) and chart.GetXAxisRangeAuto()

    chart.SetYAxisRange(0, 1e-3)
    assert not axes.follow(chart)
    axes.forget()
    assert axes.follow(chart)
    curves.remove()


def test_a_single_value_has_axes_that_a_person_can_read(scene):
    curves, axes = Curves(EngineNames()), ChartAxes()
    chart = curves.charts["validation"]

    def validated(*found):
        dice = [{"kind": "validation", "iteration": n, "dice": {"mean": value}} for n, value in found]
        curves.show(f"{len(found)} validations", dice)
        return axes.follow(chart)

    assert not validated((100, 0.0))  # a fit would show ±1e-7
    assert chart.GetXAxisRange() == (99, 101) and chart.GetYAxisRange() == (-0.1, 0.1)
    assert not validated((100, 0.0), (200, 0.0))
    assert chart.GetXAxisRange() == (100, 200) and not chart.GetXAxisRangeAuto()
    assert validated((100, 0.0), (200, 0.0), (300, 0.4)) and chart.GetYAxisRangeAuto()
    curves.remove()


def test_curves_follow_the_events(scene, trained):
    events, curves = trained.events(), Curves(EngineNames())
    half = next(i for i, event in enumerate(events) if event["kind"] == "validation")

    curves.show(trained.name, events[:half])
    curves.show(trained.name, events)

    expected = [(e["iteration"], e["losses"]["segmentation"]) for e in events if e["kind"] == "iteration"]
    assert curves.curve("segmentation").points() == expected
    assert len(curves.curve(DICE).points()) == 2
    assert not curves.charts["validation"].GetLegendVisibility()  # its only curve is what the title says
    assert curves.charts["segmentation"].GetLegendVisibility()
    assert curves.charts["segmentation"].GetNumberOfPlotSeriesNodes() >= 2
    assert {name for names in CHARTS.values() for name in names} >= set(losses(trained)[-1])

    one = next(i for i, event in enumerate(events) if event["kind"] == "iteration") + 1
    curves.show("young", events[:one])  # a line with one end is no line
    assert len(set(curves.curve("segmentation").points())) == 1
    assert len(curves.curve("segmentation").points()) == 2

    curves.show("another", events[:half])
    assert len(curves.curve("segmentation").points()) == len(
        [e for e in events[:half] if e["kind"] == "iteration"]
    )
    assert curves.curve(DICE) is None
    assert curves.charts["validation"].GetNumberOfPlotSeriesNodes() == 0
    curves.remove()
    assert not scene.GetNumberOfNodesByClass("vtkMRMLTableNode")
