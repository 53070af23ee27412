"""``gasnet train`` and its companions on synthetic chest CTs, in real processes: from files to models."""

from __future__ import annotations

import argparse
import time

import pytest
import SimpleITK as sitk

from GASNetLib.cohort import Case, Cohort, write_cohort
from GASNetLib.command_line import train as commands
from GASNetLib.model import load_model
from GASNetLib.phantom import make_phantom, write_labels, write_phantom
from GASNetLib.run.errors import RunError
from GASNetLib.run.folder import RunFolder

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


def test_settings_that_do_not_exist_are_refused(cohort):
    with pytest.raises(RunError, match="colour"):
        gasnet("train", "--cohort", cohort, "--run", cohort.parent / "x", "--set", "colour=red")
    with pytest.raises(SystemExit):
        gasnet("train", "--cohort", cohort, "--run", cohort.parent / "x", "--set", "nonsense")
    assert not (cohort.parent / "x").exists()
