"""Copies, shared masks and shared patients: which case is refused, which is flagged and which one stays."""

from __future__ import annotations

from pathlib import Path

from GASNetLib.cohort import Case, Cohort
from GASNetLib.cohort.case_check import FLAGGED, REFUSED, Finding, Problem
from GASNetLib.cohort.case_comparison import compare


def compared(*cases: tuple[str, str, Finding]) -> dict[str, list[str]]:
    """Severities and causes by case name, for cases given as name, role and finding."""
    cohort = Cohort(tuple(Case(name, Path(f"/{name}.nrrd"), None, role) for name, role, _ in cases))
    reports = compare(cohort, [finding for _, _, finding in cases])
    for report in reports:
        assert report.accepted == all(problem.severity == FLAGGED for problem in report.problems)
    return {r.case.name: [f"{p.severity}: {p.cause}" for p in r.problems] for r in reports}


def test_of_copies_the_role_hardest_to_come_by_is_kept():
    ct = Finding((), voxels="v1")
    found = compared(
        ("H", "diseased", ct),
        ("V", "validation", ct),
        ("L", "labelled", ct),
        ("O", "healthy", Finding((), "v2")),
    )
    assert found == {
        "H": ["refused: A copy (same voxels) of L."],
        "V": ["refused: A copy (same voxels) of L."],
        "L": [],
        "O": [],
    }


def test_a_copy_of_a_refused_case_takes_its_place():
    refused = Finding((Problem(REFUSED, "The mask is empty."),), voxels="v1")
    found = compared(("L", "labelled", refused), ("D", "diseased", Finding((), voxels="v1")))
    assert found == {"L": ["refused: The mask is empty."], "D": []}


def test_unread_cases_are_no_copies_of_each_other():
    assert compared(("A", "healthy", Finding(())), ("B", "diseased", Finding(()))) == {"A": [], "B": []}


def test_one_ct_that_is_diseased_and_healthy_is_neither():
    ct = Finding((), voxels="v1")
    cause = "refused: The same CT is given as diseased and as healthy: B (diseased), A (healthy)."
    assert compared(("A", "healthy", ct), ("B", "diseased", ct)) == {"A": [cause], "B": [cause]}


def test_one_mask_for_two_cts_is_flagged():
    found = compared(("A", "labelled", Finding((), "v1", "m")), ("B", "validation", Finding((), "v2", "m")))
    cause = "flagged: Different CTs have the same mask: A (labelled), B (validation)."
    assert found == {"A": [cause], "B": [cause]}


def patient(name: str = "", dicom: str = "") -> Finding:
    return Finding((), named_patient=name, dicom_patient=dicom)


def test_a_patient_of_the_validation_is_not_learned_from():
    found = compared(
        ("D", "diseased", patient("P")), ("H", "healthy", patient("P")), ("V", "validation", patient("P"))
    )
    cause = "One patient has several roles: V (validation), D (diseased), H (healthy)."
    assert found == {"D": [f"refused: {cause}"], "H": [f"refused: {cause}"], "V": [f"flagged: {cause}"]}


def test_a_labelled_case_is_worth_more_than_a_validation_case():
    found = compared(
        ("V", "validation", patient("P")), ("L", "labelled", patient("P")), ("D", "diseased", patient("P"))
    )
    cause = "One patient has several roles: L (labelled), V (validation), D (diseased)."
    assert found == {"V": [f"refused: {cause}"], "L": [f"flagged: {cause}"], "D": [f"flagged: {cause}"]}


def test_several_scans_of_a_patient_in_one_role_are_fine():
    assert compared(("A", "healthy", patient("P")), ("B", "healthy", patient("P"))) == {"A": [], "B": []}


def test_a_pseudonym_and_a_dicom_id_can_be_the_same_patient():
    found = compared(("V", "validation", patient("P")), ("D", "diseased", patient(dicom="P")))
    assert found["D"] == ["refused: One patient has several roles: V (validation), D (diseased)."]


def test_pseudonym_and_dicom_id_that_agree_make_one_problem():
    found = compared(("V", "validation", patient("P", "I")), ("D", "diseased", patient("P", "I")))
    assert len(found["D"]) == 1


def test_a_dicom_id_that_all_cases_share_is_a_placeholder():
    same = patient(dicom="anonymous")
    assert compared(("V", "validation", same), ("D", "diseased", same), ("H", "healthy", same)) == {
        "V": [],
        "D": [],
        "H": [],
    }


def test_long_lists_are_cut():
    found = compared(
        ("L", "labelled", patient("P")), *((f"D{n}", "diseased", patient("P")) for n in range(99))
    )
    assert found["L"][0].endswith("D4 (diseased) and 94 more.")
