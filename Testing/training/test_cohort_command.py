"""``gasnet cohort check``: what it prints, writes and returns."""

from __future__ import annotations

from pathlib import Path

import pytest

from GASNetLib.cohort import read_cohort
from GASNetLib.command_line import main
from GASNetLib.phantom import make_phantom, write_phantom


@pytest.fixture
def table(tmp_path) -> Path:
    """A good case and two bad ones."""
    write_phantom(make_phantom(seed=6, shape=(28, 72, 72)), tmp_path / "images" / "good.nrrd")
    (tmp_path / "images" / "bad.nii.gz").write_bytes(b"no image")
    lines = ["A,images/good.nrrd,,healthy", "B,images/bad.nii.gz,,healthy", "C,images/none.nii.gz,,diseased"]
    path = tmp_path / "cohort.csv"
    path.write_text("\n".join(["case,ct,mask,role", *lines]))
    return path


def test_check_names_bad_cases_and_writes_the_rest(table, capsys):
    cleaned, cache = table.with_name("cleaned.csv"), table.with_name("cache")
    status = main(["cohort", "check", str(table), "-o", str(cleaned), "--cache", str(cache), "--jobs", "0"])
    lines = capsys.readouterr().out.splitlines()
    assert status == 1
    assert lines[0].startswith("refused: B (healthy): bad.nii.gz is damaged")
    assert lines[1].startswith("refused: C (diseased): There is no file")
    assert lines[2] == "1 of 3 cases can be used: 0 labelled, 0 diseased, 1 healthy, 0 validation."
    assert [line.split(" case")[0] for line in lines[3:6]] == [
        "At least one labelled",
        "At least one diseased",
        "At least one validation",
    ]
    assert read_cohort(cleaned).cases == read_cohort(table).cases[:1]
    assert main(["cohort", "cache", str(cleaned), "--cache", str(cache), "--jobs", "0"]) == 0
    assert capsys.readouterr().out.startswith("1 cases are prepared")


def test_no_usable_case_makes_no_table(table, capsys):
    table.write_text("case,ct,mask,role\nC,images/none.nii.gz,,diseased\n")
    cleaned = table.with_name("cleaned.csv")
    assert main(["cohort", "check", str(table), "-o", str(cleaned), "--jobs", "0"]) == 2
    assert "no table to write" in capsys.readouterr().err
    assert not cleaned.exists()


@pytest.mark.parametrize("jobs", ["-1", "many"])
def test_jobs_must_be_a_count(table, jobs, capsys):
    with pytest.raises(SystemExit):
        main(["cohort", "check", str(table), "--jobs", jobs])
    assert f"“{jobs}” is no number of processes" in capsys.readouterr().err
