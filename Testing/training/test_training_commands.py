"""``gasnet train`` and its companions on synthetic chest CTs, in real processes: from files to models."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import SimpleITK as sitk

from GASNetLib.cohort import Case, Cohort, write_cohort
from GASNetLib.command_line import train as commands
from GASNetLib.model import load_model
from GASNetLib.phantom import make_phantom, write_labels, write_phantom
from GASNetLib.run.errors import RunError
from GASNetLib.run.events import EventLog
from GASNetLib.run.folder import RunFolder
from GASNetLib.run.process import identity_of, write_identity
from training.tiny_cohort import ENGINE

CASES = [
    ("one", "labelled", "moderate"),
    ("two", "diseased", "severe"),
    ("three", "healthy", "none"),
    ("four", "validation", "moderate"),
]
SMALL = ["--preset", "smoke", "--device", "cpu", "--set", "val_every=50", "--set", "preview_every=50"]


def gasnet(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    commands.add_commands(parser.add_subparsers(required=True))
    parsed = parser.parse_args([str(argument) for argument in arguments])
    return parsed.run(parsed)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort with spaces ä")
    cases = []
    for seed, (name, role, lesions) in enumerate(CASES):
        phantom = make_phantom(seed=seed, shape=(40, 96, 96), lesions=lesions)
        ct, mask = folder / f"{name}.nii.gz", folder / f"{name}_mask.nii.gz"
        write_phantom(phantom, ct)
        masked = role in ("labelled", "validation")
        if masked:
            write_labels(phantom.lesions, phantom.geometry, mask)
        cases.append(Case(name, ct, mask if masked else None, role))
    write_cohort(Cohort(tuple(cases)), folder / "cohort.csv")
    return folder / "cohort.csv"


def test_train_stop_resume_list_and_compare(cohort, capsys):
    folder = cohort.parent / "run"
    start = ["train", "--cohort", cohort, "--run", folder, *SMALL, "--set", "iterations=12"]
    assert gasnet(*start, "--detach") == 0
    run = RunFolder.open(folder)
    end = time.monotonic() + 200
    while run.state().iteration < 1:
        assert time.monotonic() < end, run.log_file.read_text()
        time.sleep(0.1)
    with pytest.raises(RunError, match="already"):
        gasnet("resume", folder)
    assert gasnet("stop", folder) == 0
    assert run.state().state == "stopped" and run.process() is None
    assert gasnet("resume", folder) == 0
    state = run.state()
    assert (state.state, state.iteration) == ("done", 12)
    assert gasnet("watch", folder) == 0
    assert gasnet("runs", cohort.parent) == 0
    model = load_model(run.best_model)
    assert model.info.training["trained_on"] == ["one", "three", "two"]
    seen, mask = cohort.parent / "copy of two.nrrd", cohort.parent / "one_mask.nii.gz"
    sitk.WriteImage(sitk.ReadImage(str(cohort.parent / "two.nii.gz"), sitk.sitkFloat32), str(seen))
    fresh = cohort.parent / "four.nii.gz", cohort.parent / "four_mask.nii.gz"
    renamed = (Case("stranger", seen, mask, "validation"), Case("two", *fresh, "validation"))
    write_cohort(Cohort(renamed), cohort.parent / "renamed.csv")
    table = cohort.parent / "renamed.csv"
    assert gasnet("compare", run.best_model, run.last_model, "--cohort", table, "--device", "cpu") == 0
    said = capsys.readouterr().out
    assert "in the background" in said
    assert "Stopped, with a checkpoint" in said
    assert "done" in said and "two" in said
    assert "stranger is left out" in said and "two is left out" not in said
    assert "thin evidence" in said or "No case tells" in said


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals here")
def test_watch_shows_on_a_terminal_what_goes_on(tmp_path):
    working = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    run = RunFolder.create(tmp_path / "run", {})
    write_identity(run.process_file, identity_of(working.pid))
    log = EventLog(run.events_file)
    log.write("started", iteration=0, iterations=100, device="a GPU", threads=1, world=1)
    measured = {"losses": {"segmentation": 0.1234}, "rates": {}, "share": {}, "gpu_gb": 3.5}
    log.write("iteration", iteration=10, seconds=20.0, per_second=0.5, **measured)
    dice = {"mean": 0.612, "sd": 0.1}
    found = {"dice": dice, "sensitivity": dice, "specificity": dice, "cases": {}, "threshold": 0.5}
    log.write("validation", iteration=10, **found, best=True, discriminator=None)
    log.close()
    terminal, far_end = os.openpty()
    command = [sys.executable, "-m", "GASNetLib.command_line", "watch", str(run.path)]
    environment = {**os.environ, "PYTHONPATH": str(ENGINE), "TERM": "xterm", "COLUMNS": "100"}
    watching = subprocess.Popen(command, stdout=far_end, stderr=far_end, env=environment)
    os.close(far_end)
    shown = ""
    with suppress(OSError):  # the other end is closed when the command ends
        while text := os.read(terminal, 4096).decode(errors="replace"):
            shown += text
            if "best Dice" in shown:
                working.kill()
                working.wait()
    os.close(terminal)
    assert watching.wait() == 1, shown
    for words in ("10 / 100", "left 3:00", "GPU 3.5 GB", "0.1234", "validation Dice 0.612", "interrupted"):
        assert words in shown, shown


def test_settings_that_do_not_exist_are_refused(cohort):
    with pytest.raises(RunError, match="colour"):
        gasnet("train", "--cohort", cohort, "--run", cohort.parent / "x", "--set", "colour=red")
    with pytest.raises(SystemExit):
        gasnet("train", "--cohort", cohort, "--run", cohort.parent / "x", "--set", "nonsense")
    assert not (cohort.parent / "x").exists()


@pytest.mark.parametrize(
    ("name", "near"),
    [("iteration", "iterations"), ("rate_g", "optimisation.rate_g"), ("term.ps", "terms.ps"), ("foo", "xi")],
)
def test_the_names_of_settings_are_told(name, near, cohort):
    with pytest.raises(RunError) as refused:
        gasnet("train", "--cohort", cohort, "--run", cohort.parent / "x", "--set", f"{name}=1")
    assert near in refused.value.advice.rstrip(".").replace(",", "").split()
    with pytest.raises(RunError, match=near):
        gasnet("train", "--cohort", cohort, "--run", cohort.parent / "x", "--set", f"{name}.deeper=1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no file"),
        (b"\xff\xfe\x00", "cannot be read: it is no text"),
        (b'{"cohort":\n', "is no JSON: line 2"),
        (b"[1]", "it names no cohort"),
        (b'{"cohort": "c.csv", "colour": 1}', "“colour”"),
        (b'{"cohort": 5}', "names no file as a table"),
    ],
)
def test_what_is_no_experiment_is_told_in_plain_words(content, says, tmp_path):
    path = tmp_path / "e.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError) as refused:
        gasnet("experiment", path, "-o", tmp_path / "out")
    assert says in refused.value.cause and "Errno" not in refused.value.cause
    assert not (tmp_path / "out").exists()


def test_runs_of_a_folder_that_is_not_there_or_holds_none(tmp_path, capsys):
    with pytest.raises(RunError, match="There is no folder"):
        gasnet("runs", tmp_path / "none")
    assert gasnet("runs", tmp_path) == 0
    assert "There is no training in" in capsys.readouterr().out
