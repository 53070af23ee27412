"""An experiment from one file: every combination once, tables and curves, and on after an interruption."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest
import SimpleITK as sitk
import torch

from GASNetLib.cohort import Case, Cohort, write_cohort
from GASNetLib.cohort.crop_cache import open_crops
from GASNetLib.model import read_model_info
from GASNetLib.phantom import make_phantom, write_phantom
from GASNetLib.run.errors import RunError
from GASNetLib.run.folder import RunFolder
from GASNetLib.training.experiment import combinations, read_experiment, run_experiment
from GASNetLib.training.held_out import open_held_out
from GASNetLib.training.preparation import prepare_run, with_labelled
from GASNetLib.training.presets import preset
from GASNetLib.training.session import work_on
from GASNetLib.training.settings import changed
from training.tiny_cohort import open_tiny_crops, tiny_cohort, tiny_crop

SPEC = {
    "cohort": "cohort.csv",
    "preset": "smoke",
    "changes": {"iterations": 2, "val_every": 1, "theta": 1, "precision": "float32"},
    "labels": [1],
    "ablations": ["all", "supervised"],
    "seeds": [0, 1],
}


@pytest.fixture
def file(tmp_path):
    write_cohort(tiny_cohort(), tmp_path / "cohort.csv")
    (tmp_path / "experiment.json").write_text(json.dumps(SPEC))
    return tmp_path / "experiment.json"


def rows(path) -> list[dict]:
    with path.open(newline="") as text:
        return list(csv.DictReader(text))


def test_an_experiment_makes_tables_and_curves_and_does_nothing_twice(file, tmp_path):
    torch.set_num_threads(1)
    trained = []

    def train(run):
        trained.append(run.path.name)
        if len(trained) == 2:
            raise RunError("The power failed.", "")
        work_on(run.path, open_crops=open_tiny_crops)

    experiment = read_experiment(file)
    told: list[str] = []
    run_experiment(experiment, tmp_path / "out", train, "cpu", told.append)
    assert any("power failed" in line for line in told)
    run_experiment(experiment, tmp_path / "out", train, "cpu", told.append)
    assert len(trained) == 5 and len(set(trained)) == 4
    table = rows(tmp_path / "out" / "table.csv")
    assert [(row["ablation"], row["runs"]) for row in table] == [("all", "2"), ("supervised", "2")]
    assert all(0 <= float(row["dice_mean"]) <= 1 for row in table)
    ours, base = (float(row["dice_mean"]) for row in table)
    assert float(table[0]["margin_mean"]) == pytest.approx(ours - base)
    assert float(table[1]["margin_mean"]) == 0
    assert {row["case"] for row in rows(tmp_path / "out" / "cases.csv")} == {"validation0", "validation1"}
    curves = rows(tmp_path / "out" / "curves.csv")
    assert {row["name"] for row in curves if row["ablation"] == "supervised"} == {
        "segmentation",
        "validation Dice",
    }
    assert (tmp_path / "out" / "curves.png").read_bytes()[:4] == b"\x89PNG"


def write_test_cases(folder, contents: dict[str, bytes]) -> None:
    """Cases of whose files only the content matters; their crops are those of tiny lungs."""
    cases = []
    for name, content in contents.items():
        (folder / f"{name}.nii").write_bytes(content)
        cases.append(Case(name, folder / f"{name}.nii", folder / "mask.nii", "validation"))
    write_cohort(Cohort(tuple(cases)), folder / "test.csv")


def open_tiny_crops_by_content(cohort, cache, progress, cancelled):
    crops = {case.name: tiny_crop(900 + n, True, True) for n, case in enumerate(cohort)}
    for case in cohort:
        crops[case.name].voxels = case.ct.read_text()
    return crops


@pytest.fixture
def file_with_test(tmp_path):
    cases = []
    for case in tiny_cohort():
        ct = tmp_path / f"{case.name}.nii"
        ct.write_bytes(case.name.encode())
        cases.append(replace(case, ct=ct))
    write_cohort(Cohort(tuple(cases)), tmp_path / "cohort.csv")
    write_test_cases(tmp_path, {"new0": b"a patient", "new1": b"another"})
    (tmp_path / "experiment.json").write_text(json.dumps({**SPEC, "test": "test.csv", "seeds": [0]}))
    return tmp_path / "experiment.json"


def test_the_parameters_chosen_on_validation_cases_are_judged_on_test_cases(file_with_test, tmp_path):
    torch.set_num_threads(1)
    trained = []

    def train(run):
        trained.append(run.path.name)
        work_on(run.path, open_crops=open_tiny_crops)

    def again():
        run_experiment(
            read_experiment(file_with_test), tmp_path / "out", train, "cpu", str, open_tiny_crops_by_content
        )
        return rows(tmp_path / "out" / "table.csv")

    table = again()
    assert [(row["set"], row["ablation"]) for row in table] == [
        ("validation", "all"),
        ("validation", "supervised"),
        ("test", "all"),
        ("test", "supervised"),
    ]
    cases = rows(tmp_path / "out" / "cases.csv")
    assert {row["case"] for row in cases if row["set"] == "test"} == {"new0", "new1"}
    run = RunFolder(tmp_path / "out" / trained[0])
    figures = json.loads((run.path / "test.json").read_text())
    info = read_model_info(run.best_model)
    assert (figures["model"], figures["threshold"]) == (info.sha256, info.threshold)
    assert not {"new0", "new1"} & set(info.training["trained_on"])
    assert again() == table and len(trained) == 2
    # Another model is judged anew.
    figures["model"] = "of before"
    figures["dice"]["mean"] = 7.0
    (run.path / "test.json").write_text(json.dumps(figures))
    assert again() == table


def test_a_test_case_that_is_in_the_cohort_under_another_name_is_refused(file_with_test, tmp_path):
    write_test_cases(tmp_path, {"new0": b"a patient", "stranger": b"diseased1"})
    with pytest.raises(RunError, match="stranger is the CT of diseased1"):
        run_experiment(
            read_experiment(file_with_test), tmp_path / "out", print, "cpu", str, open_tiny_crops_by_content
        )


def test_a_test_case_that_is_in_the_cohort_in_another_format_is_refused(tmp_path):
    """Whole numbers in NIfTI; fractions in NRRD with other axes; DICOM."""
    one, other = (make_phantom(seed=seed, shape=(24, 64, 64)) for seed in (1, 2))
    image = sitk.Cast(one.geometry.image(one.hu), sitk.sitkFloat32) + 0.2
    turned = sitk.PermuteAxes(sitk.Flip(image, [True, False, True]), [1, 2, 0])
    sitk.WriteImage(turned, str(tmp_path / "turned.nrrd"))
    cohort = Cohort((Case("known", write_phantom(one, tmp_path / "known.nii.gz"), None, "diseased"),))

    def crops_without_masks(cases):
        return open_crops(
            Cohort(tuple(replace(case, mask=None) for case in cases)), tmp_path / "cache", jobs=0
        )

    def opened(ct):
        test = Cohort((Case("new", ct, tmp_path / "mask.nrrd", "validation"),))
        return open_held_out(cohort, test, crops_without_masks)

    for ct in (tmp_path / "turned.nrrd", write_phantom(one, tmp_path / "series")):
        with pytest.raises(RunError, match="new is the CT of known"):
            opened(ct)
    assert list(opened(write_phantom(other, tmp_path / "other.nii.gz"))) == ["new"]


@pytest.mark.parametrize(
    "change", [{"ablations": ["without luck"]}, {"segmenters": [3]}, {"colour": 1}, {"changes": {"batch": 0}}]
)
def test_experiments_that_cannot_be_done_are_refused_before_they_begin(file, change):
    file.write_text(json.dumps({**SPEC, **change}))
    with pytest.raises(RunError):
        read_experiment(file)


def test_every_combination_occurs_once(file):
    found = combinations(read_experiment(file))
    assert len(found) == 4 and len({one.folder for one in found}) == 4


def test_a_fine_tune_starts_from_its_parent_and_is_measured_against_it(tmp_path):
    torch.set_num_threads(1)
    settings = changed(preset("smoke"), {**SPEC["changes"], "segmenter.levels": 2})
    parent = prepare_run(tmp_path / "parent", tiny_cohort(), settings, device="cpu")
    work_on(parent.path, open_crops=open_tiny_crops)
    best = read_model_info(parent.best_model)
    changes = {"iterations": 1, "theta": 1, "precision": "float32", "segmenter.channels": 7}
    tuned = prepare_run(
        tmp_path / "tuned",
        tiny_cohort(),
        changed(preset("smoke"), changes),
        device="cpu",
        parent=parent.best_model,
    )
    assert work_on(tuned.path, open_crops=open_tiny_crops) == 0
    first, *_ = [event for event in tuned.events() if event["kind"] == "validation"]
    assert first["iteration"] == 0
    assert first["cases"] == pytest.approx(best.metrics["validation"]["cases"])
    trained = read_model_info(tuned.last_model)
    assert trained.segmenter == best.segmenter
    assert trained.training["parent"]["sha256"] == best.sha256


def test_a_cohort_that_lacks_a_role_is_refused_in_words(tmp_path):
    cohort = tiny_cohort()
    without = type(cohort)(tuple(case for case in cohort if case.role != "healthy"))
    with pytest.raises(RunError, match="no healthy cases"):
        prepare_run(tmp_path / "run", without, preset("smoke"))
    prepare_run(tmp_path / "run", without, preset("supervised"))


def test_networks_that_cannot_be_built_end_the_training_in_words(tmp_path):
    impossible = changed(preset("smoke"), {"segmenter.levels": 99})
    run = prepare_run(tmp_path / "run", tiny_cohort(), impossible, device="cpu")
    assert work_on(run.path, open_crops=open_tiny_crops) == 1
    assert run.state().state == "failed" and "cannot be built" in run.state().cause


def test_chosen_labels_leave_the_other_labelled_cases_diseased():
    cohort = tiny_cohort()
    more = type(cohort)((*cohort.cases, *(type(c)("extra", c.ct, c.mask, c.role) for c in cohort.cases[:1])))
    chosen = with_labelled(more, ["extra"])
    roles = {case.name: case.role for case in chosen}
    assert roles["extra"] == "labelled" and roles["labelled0"] == "diseased"
    with pytest.raises(RunError, match="nobody"):
        with_labelled(cohort, ["nobody"])
