"""Every kind of bad case is found before a training starts, with its reason, and stops no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from GASNetLib.cohort import Case, Cohort
from GASNetLib.cohort.case_check import CaseReport, mask_problems
from GASNetLib.cohort.checks import accepted_cases, check_cohort
from GASNetLib.cohort.crop_cache import open_crops
from GASNetLib.cohort.network_crop import crop_to_lungs
from GASNetLib.errors import Cancelled, ResourceError
from GASNetLib.lungs import Lungs
from GASNetLib.phantom import Phantom, make_phantom, write_labels, write_phantom
from GASNetLib.volume import volume_from_array

SHAPE = (28, 72, 72)


@pytest.fixture(scope="module")
def ill() -> Phantom:
    return make_phantom(seed=1, shape=SHAPE, lesions="moderate")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, ill) -> Cohort:
    """Two good cases among all kinds of bad ones."""
    folder = tmp_path_factory.mktemp("Größe 1")
    lesions = write_labels(ill.lesions, ill.geometry, folder / "lesions.nii.gz")
    moved = replace(ill.geometry, origin=(0.0, 7.0, 3.0))
    ct = write_phantom(ill, folder / "ill.nii.gz")
    corrupt = folder / "corrupt.nii.gz"
    corrupt.write_bytes(ct.read_bytes()[:5000])
    return Cohort(
        (
            Case("good", ct, lesions, "labelled", patient=f"PHANTOM-{ill.seed}"),
            Case("twice", ct, None, "diseased"),
            Case("series", write_phantom(ill, folder / "series"), None, "diseased"),
            Case(
                "recovered",
                write_phantom(make_phantom(seed=1, shape=SHAPE), folder / "back"),
                None,
                "healthy",
            ),
            Case("ball", write_ball(folder / "ball.nrrd"), None, "healthy"),
            Case("corrupt", corrupt, None, "diseased"),
            Case("missing", folder / "none.nrrd", None, "healthy"),
            Case("moved", ct, write_labels(ill.lesions, moved, folder / "moved.nrrd"), "validation"),
            Case("no mask", ct, None, "validation"),
        )
    )


def write_ball(path: Path) -> Path:
    distance = sum(axis**2 for axis in np.ogrid[-30:30, -30:30, -30:30])
    image = sitk.GetImageFromArray(np.where(distance < 500, 40, -1000).astype(np.int16))
    image.SetSpacing((3.0, 3.0, 3.0))
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture(scope="module")
def checked(cohort, tmp_path_factory) -> tuple[tuple[CaseReport, ...], list[tuple[str, float]], Path]:
    """The reports, the progress heard, and the cache that was filled on the way."""
    heard, cache = [], tmp_path_factory.mktemp("cache")
    reports = check_cohort(
        cohort, lambda stage, share: heard.append((stage, share)), jobs=2, cache_folder=cache
    )
    return reports, heard, cache


def causes(reports: tuple[CaseReport, ...], name: str) -> list[str]:
    (report,) = (report for report in reports if report.case.name == name)
    assert report.accepted != any(problem.severity == "refused" for problem in report.problems)
    return [f"{problem.severity}: {problem.cause}" for problem in report.problems]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("twice", "refused: The same file as good."),
        ("series", "refused: A copy (same voxels) of good."),
        ("ball", "refused: "),
        ("corrupt", "is damaged"),
        ("missing", "no file"),
        ("moved", "another geometry"),
        ("no mask", "refused: A validation case needs a mask"),
    ],
)
def test_a_bad_case_is_refused_with_its_reason(checked, name, words):
    found = causes(checked[0], name)
    assert words in found[-1] and found[-1].startswith("refused: ")


def test_good_cases_pass(checked, cohort):
    reports, heard, _ = checked
    assert tuple(report.case for report in reports) == cohort.cases
    usable = accepted_cases(reports)
    assert [case.name for case in usable] == ["good", "recovered"]
    assert [sentence.split(" case")[0] for sentence in usable.still_missing()] == [
        "At least one diseased",
        "At least one validation",
    ]
    assert heard[-1] == (f"Checking the CTs: {len(cohort)} of {len(cohort)}", 1.0)


def test_crops_made_while_checking_are_found_by_the_training(checked):
    reports, _, cache = checked
    written = {path: path.stat().st_mtime_ns for path in cache.glob("crops/*/*")}
    crops = open_crops(
        Cohort(tuple(r.case for r in reports if r.case.name in ("good", "recovered"))), cache, jobs=0
    )
    assert crops["good"].lesions.max() == 255
    assert {path: path.stat().st_mtime_ns for path in cache.glob("crops/*/*")} == written


def test_patients_of_dicom_series_are_recognised_and_never_named(checked):
    reports, _, cache = checked
    assert causes(reports, "recovered") == [
        "flagged: One patient has several roles: good (labelled), recovered (healthy)."
    ]
    named = [report for report in reports if "PHANTOM" in repr(report)]
    assert [report.case.name for report in named] == ["good"] and "PHANTOM" not in repr(named[0].problems)
    assert not [path for path in cache.rglob("*.*") if b"PHANTOM" in path.read_bytes()]


def test_cancel_stops_the_check(cohort):
    with pytest.raises(Cancelled):
        check_cohort(cohort, jobs=0, cancelled=lambda: True)


def test_a_cache_that_cannot_be_written_stops_the_check_at_once(cohort, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ResourceError, match="cannot be written"):
        check_cohort(cohort, jobs=0, cache_folder=tmp_path / "cache")


def judged(phantom: Phantom, mask: np.ndarray, role: str = "labelled") -> list[str]:
    """What is said about a mask of a phantom whose lungs are known exactly."""
    volume = volume_from_array(phantom.hu, phantom.geometry)
    crop = crop_to_lungs(volume, Lungs(phantom.lungs, phantom.geometry), mask)
    found = mask_problems(Case("A", Path("/a"), Path("/m"), role), mask, crop, phantom.geometry.voxel_ml)
    return [f"{problem.severity}: {problem.cause}" for problem in found]


@pytest.mark.parametrize("role", ["labelled", "validation", "diseased"])
def test_a_mask_in_the_lungs_fits(ill, role):
    assert judged(ill, ill.lesions, role) == []


def test_a_healthy_case_must_have_no_lesions_marked(ill):
    (found,) = judged(ill, ill.lesions, "healthy")
    assert found.startswith("refused: A healthy case, but ")


def test_an_empty_mask_is_nothing_to_learn_from(ill):
    empty = np.zeros_like(ill.lesions)
    assert judged(ill, empty) == ["refused: The mask is empty: there is nothing to learn from."]
    assert judged(ill, empty, "validation") == ["flagged: The mask is empty."]
    assert judged(ill, empty, "healthy") == []


def test_a_mask_outside_the_lungs_is_refused_and_one_partly_outside_flagged(ill):
    outside = np.zeros_like(ill.lesions)
    outside[:, :6, :6] = 1
    assert judged(ill, outside) == ["refused: Only 0% of the mask lies in or near the lungs."]
    half = ill.lesions.copy()
    half[:, : SHAPE[1] // 10] = 1
    (found,) = judged(ill, half)
    assert found.startswith("flagged: Only ")


def test_a_lung_mask_given_for_the_lesions_is_flagged(ill):
    assert judged(ill, (ill.lungs > 0).astype(np.uint8)) == ["flagged: The mask covers the whole lungs."]
