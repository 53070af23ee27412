"""Tables and folder trees become cohorts, and faulty ones are refused with every fault named at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from GASNetLib.cohort import Case, Cohort, CohortError, read_cohort, write_cohort


def write_table(folder: Path, *lines: str, name: str = "cohort.csv") -> Path:
    table = folder / name
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def write_dicom(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 4), np.int16)), str(path), imageIO="GDCMImageIO")


def facts(cohort: Cohort, root: Path) -> dict[str, tuple[str, str | None, str]]:
    def relative(path: Path | None) -> str | None:
        return path and path.relative_to(root).as_posix()

    return {case.name: (relative(case.ct), relative(case.mask), case.role) for case in cohort}


def test_table_paths_are_relative_to_the_table(tmp_path, monkeypatch):
    table = write_table(
        tmp_path,
        "case,ct,mask,role,patient",
        "A,ct/a.nii.gz,ct/am.nii.gz,labelled,P1",
        "B,/far/b.nrrd,,healthy,",
    )
    monkeypatch.chdir("/")
    assert read_cohort(table).cases == (
        Case("A", tmp_path / "ct/a.nii.gz", tmp_path / "ct/am.nii.gz", "labelled", "P1"),
        Case("B", Path("/far/b.nrrd"), None, "healthy", None),
    )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_table_as_spreadsheets_write_it(tmp_path, separator):
    lines = [["Role", " Case ", "CT", "Mask"], ["Diseased", "Ä 1", "ä 1.nrrd", ""], ["", "", "", ""]]
    table = tmp_path / "café.csv"
    table.write_bytes("\r\n".join(separator.join(line) for line in lines).encode("utf-8-sig"))
    assert facts(read_cohort(table), tmp_path) == {"Ä 1": ("ä 1.nrrd", None, "diseased")}


def test_all_faults_of_a_table_are_named_at_once(tmp_path):
    table = write_table(
        tmp_path, "case,ct,mask,role", "A,a.nrrd,,ill", "B,b.nrrd,,healthy", ",c.nrrd,,healthy", "D,,,"
    )
    with pytest.raises(CohortError) as raised:
        read_cohort(table)
    for fault in (
        "line 2: the role “ill” is none of",
        "line 4: no case",
        "line 5: no ct",
        "line 5: the role",
    ):
        assert fault in str(raised.value)
    assert "line 3" not in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["case,ct,role", "A,a.nrrd,healthy"], "has no column mask"),
        (["case,ct,mask,role"], "holds no cases"),
        ([""], "has no column case, ct, mask, role"),
        (["case,ct,mask,role", "A,a.nrrd,,healthy", "A,b.nrrd,,healthy"], "more than once: A"),
    ],
)
def test_tables_that_give_no_cohort(tmp_path, lines, words):
    with pytest.raises(CohortError, match=words):
        read_cohort(write_table(tmp_path, *lines))


def test_a_table_that_is_no_text(tmp_path):
    table = tmp_path / "cohort.csv"
    table.write_bytes(b"case,ct,mask,role\nM\xfcller,a.nrrd,,healthy\n")
    with pytest.raises(CohortError, match="UTF-8"):
        read_cohort(table)


def test_a_missing_table(tmp_path):
    with pytest.raises(CohortError, match="no file or folder"):
        read_cohort(tmp_path / "none.csv")


names = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)


@given(
    cases=st.lists(
        st.builds(
            Case,
            name=names,
            ct=names.map(lambda name: Path("/cohort/images") / f"x{name.replace('/', '_')}.nrrd"),
            mask=st.none() | names.map(lambda name: Path("/elsewhere") / f"x{name.replace('/', '_')}.nrrd"),
            role=st.sampled_from(["labelled", "diseased", "healthy", "validation"]),
            patient=st.none() | names,
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda case: case.name,
    )
)
def test_what_is_written_is_read_back(tmp_path_factory, cases):
    table = tmp_path_factory.mktemp("written") / "cohort.csv"
    write_cohort(Cohort(tuple(cases)), table)
    assert read_cohort(table) == Cohort(tuple(cases))


def test_a_written_table_can_move_with_its_images(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    touch(before / "images/a.nrrd")
    write_cohort(Cohort((Case("A", before / "images/a.nrrd", None, "healthy"),)), before / "cohort.csv")
    shutil.move(before, after)
    assert read_cohort(after / "cohort.csv").cases[0].ct == after / "images/a.nrrd"


def test_what_is_still_missing_is_said_in_words():
    cohort = Cohort((Case("A", Path("/a"), Path("/m"), "labelled"), Case("B", Path("/b"), None, "healthy")))
    diseased, validation = cohort.still_missing()
    assert "one diseased case" in diseased
    assert "one validation case" in validation


def test_a_tree_pairs_masks_with_cts_by_their_names(tmp_path):
    labelled = tmp_path / "labelled"
    touch(
        *(
            labelled / n
            for n in ("P1.nii.gz", "P1_mask.nrrd", "P2_ct.nrrd", "P2_lesion.nii.gz", "P2_lung.nrrd")
        ),
        *(
            labelled / n
            for n in ("P3.mha", "P3.seg.nrrd", "P4_ct.nii", "P4_ct_mask.nii", ".P5.nii", "notes.txt")
        ),
        *(labelled / "P6" / n for n in ("ct.nrrd", "lesions.nrrd", "lungs.nrrd")),
        tmp_path / "healthy/site A/H1.nii.gz",
        tmp_path / "other/X.nrrd",
    )
    assert facts(read_cohort(tmp_path), tmp_path) == {
        "P1": ("labelled/P1.nii.gz", "labelled/P1_mask.nrrd", "labelled"),
        "P2": ("labelled/P2_ct.nrrd", "labelled/P2_lesion.nii.gz", "labelled"),
        "P3": ("labelled/P3.mha", "labelled/P3.seg.nrrd", "labelled"),
        "P4": ("labelled/P4_ct.nii", "labelled/P4_ct_mask.nii", "labelled"),
        "P6": ("labelled/P6/ct.nrrd", "labelled/P6/lesions.nrrd", "labelled"),
        "site A/H1": ("healthy/site A/H1.nii.gz", None, "healthy"),
    }


def test_a_tree_with_dicom_folders(tmp_path):
    write_dicom(tmp_path / "labelled/D1/1.dcm")
    write_dicom(tmp_path / "labelled/D2/study/series/2.dcm")
    shutil.move(tmp_path / "labelled/D2/study/series/2.dcm", tmp_path / "labelled/D2/study/series/IM0002")
    touch(
        tmp_path / "labelled/D1_mask.nrrd",
        tmp_path / "labelled/D2/mask.nii.gz",
        tmp_path / "labelled/empty/x.txt",
    )
    assert facts(read_cohort(tmp_path), tmp_path) == {
        "D1": ("labelled/D1", "labelled/D1_mask.nrrd", "labelled"),
        "D2": ("labelled/D2", "labelled/D2/mask.nii.gz", "labelled"),
    }


def test_one_name_in_two_roles_gets_the_role_appended(tmp_path):
    touch(tmp_path / "diseased/P1.nrrd", tmp_path / "healthy/P1.nrrd", tmp_path / "healthy/P2.nrrd")
    assert set(facts(read_cohort(tmp_path), tmp_path)) == {"P1 (diseased)", "P1 (healthy)", "P2"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["labelled/A.nrrd", "labelled/A_mask.nrrd", "labelled/A_lesion.nrrd"], "are both the mask of A"),
        (["labelled/A.nrrd", "labelled/A.nii.gz"], "are both the CT of A"),
        (["labelled/A.nrrd", "labelled/Segmentation.seg.nrrd"], "Segmentation.seg.nrrd has no CT beside it"),
        (["labelled/A.nrrd", "labelled/loose.dcm"], "loose.dcm is a DICOM file without a folder"),
        (["labelled/1.dcm", "labelled/2.dcm"], "1.dcm and 1 more are DICOM files without a folder"),
        (["ill/A.nrrd"], "holds no cases"),
        (["labelled/readme.txt"], "holds no cases"),
    ],
)
def test_trees_that_are_not_clear(tmp_path, files, words):
    touch(*(tmp_path / file for file in files))
    with pytest.raises(CohortError, match=words):
        read_cohort(tmp_path)
