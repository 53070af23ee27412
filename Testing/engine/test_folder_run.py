"""Many CTs one after the other: none ends the others, and the report of all goes on after an interruption."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch

from GASNetLib.errors import Cancelled, InputError, ResourceError
from GASNetLib.folder_run import BatchReport, segment_case, tried
from GASNetLib.model import Model, ModelInfo
from GASNetLib.networks import create_segmenter
from GASNetLib.phantom import make_phantom, write_phantom


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    preprocessing = {"shape": [16, 48, 48], "window_hu": [-1250.0, 250.0], "margin_mm": 5.0}
    segmenter = create_segmenter({"name": "unet", "channels": 4, "levels": 2}).eval()
    return Model(ModelInfo("tiny", segmenter.architecture, preprocessing=preprocessing), segmenter)


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    return write_phantom(make_phantom(seed=1, shape=(40, 64, 64)), tmp_path_factory.mktemp("in") / "p1.nrrd")


def too_much() -> None:
    np.empty(1 << 60, np.uint8)


def test_a_case_for_which_the_memory_is_not_enough_is_one_failed_case(ct, model, tmp_path):
    failed = segment_case("p1", ct, tmp_path, model, device="cpu", progress=lambda *_: too_much())
    assert failed["case"] == "p1" and failed["error"].startswith("The memory is not enough.")
    assert "lesion_ml" in segment_case("p1", ct, tmp_path, model, device="cpu")


def test_what_cannot_be_read_is_not_said_to_be_unwritable(model, tmp_path):
    name = "x" * 300 + ".nii.gz"  # longer than any file system allows
    failed = segment_case("p1", tmp_path / name, tmp_path / "out", model)
    assert name in failed["error"] and "out" not in failed["error"]


def test_what_cannot_be_written_is_named(ct, model, tmp_path):
    (tmp_path / "out").write_text("a file")
    failed = segment_case("p1", ct, tmp_path / "out", model, device="cpu")
    assert "p1.seg.nrrd cannot be written" in failed["error"]


def test_a_result_that_is_there_is_replaced_only_on_request(ct, model, tmp_path):
    (tmp_path / "p1.seg.nrrd").write_bytes(b"corrected")
    failed = segment_case("p1", ct, tmp_path, model, device="cpu")
    assert "is there already" in failed["error"]
    assert (tmp_path / "p1.seg.nrrd").read_bytes() == b"corrected"
    assert "lesion_ml" in segment_case("p1", ct, tmp_path, model, device="cpu", overwrite=True)
    assert (tmp_path / "p1.seg.nrrd").stat().st_size > 1000


def test_cancel_ends_the_batch_and_no_other_error_does():
    def fail(error: Exception) -> dict:
        raise error

    seen = []
    unforeseen = ZeroDivisionError("by zero\nand more")
    row = tried("a", lambda: fail(unforeseen), seen.append)
    assert row["error"].startswith("It failed unexpectedly (ZeroDivisionError: by zero)") and seen == [
        unforeseen
    ]
    assert "highdicom" in tried("a", lambda: fail(ImportError("half", name="highdicom.seg")))["error"]
    with pytest.raises(Cancelled):
        tried("a", lambda: fail(Cancelled()))


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_report_keeps_figures_until_there_are_new_ones(tmp_path):
    path = tmp_path / "new" / "r.csv"
    first = BatchReport(path)
    for row in (
        {"case": "a", "lesion_ml": 1.5, "left": {"lesion_ml": 0.5}, "notes": ['Cut, "low".']},
        {"case": "b", "lesion_ml": 2.5},
        {"case": "c", "error": "It is damaged."},
    ):
        assert first.put(row) is row
    again = BatchReport(path)
    for row in (
        {"case": "a", "error": "there"},
        {"case": "b", "lesion_ml": 3.5},
        {"case": "c", "lesion_ml": 4},
    ):
        again.put(row)
    found = rows_of(path)
    assert [(row["case"], row["lesion_ml"]) for row in found] == [("a", "1.5"), ("b", "3.5"), ("c", "4")]
    assert found[0]["left.lesion_ml"] == "0.5" and found[0]["notes"] == 'Cut, "low".'
    assert "error" not in found[0]
    BatchReport(path, overwrite=True).put({"case": "d", "lesion_ml": 5})
    assert [row["case"] for row in rows_of(path)] == ["d"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("r.csv", "ward;bed\n1;2\n"), ("r.json", "[1, 2]"), ("r.json", "{"), ("r.csv", b"\xff\0")],
)
def test_what_is_no_report_is_not_replaced(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match="cannot be read as a report"):
        BatchReport(path)
    assert [*tmp_path.iterdir()] == [path]


def test_a_row_that_could_not_be_written_comes_with_the_next(tmp_path):
    path = tmp_path / "r.json"
    report = BatchReport(path)
    path.mkdir()
    with pytest.raises(ResourceError, match=r"r\.json cannot be written"):
        report.put({"case": "a", "lesion_ml": 1})
    path.rmdir()
    report.put({"case": "b", "lesion_ml": 2})
    assert [row["case"] for row in json.loads(path.read_text())] == ["a", "b"]


def test_that_a_report_cannot_be_written_is_known_at_once(tmp_path):
    (tmp_path / "r.csv").mkdir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "r.csv", tmp_path / "file" / "r.csv"):
        with pytest.raises(ResourceError, match=r"r\.csv cannot be written"):
            BatchReport(path)
