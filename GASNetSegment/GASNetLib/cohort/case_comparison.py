"""What only shows between the cases of a cohort: copies, masks used twice, one patient in several roles."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .case_check import FLAGGED, REFUSED, CaseReport, Finding, Problem
from .table import Cohort

KEPT_FIRST = ("labelled", "validation", "diseased", "healthy")
"""Of what is there twice, the role that is harder to come by is kept."""

FEWEST_TO_BE_PLACEHOLDER = 3
NAMES_LISTED = 6


def compare(cohort: Cohort, findings: Sequence[Finding]) -> tuple[CaseReport, ...]:
    """The reports of all cases, from what was found in each and from what they share.

    Cases that are refused for themselves are left out of the comparison: a copy of one is no copy.
    """
    reports = [CaseReport(case, found.problems) for case, found in zip(cohort, findings, strict=True)]
    _refuse_copies(reports, [{found.voxels} for found in findings])
    _flag_shared_masks(reports, [{found.mask} for found in findings])
    _judge_shared_patients(reports, _patients(findings))
    return tuple(reports)


def _refuse_copies(reports: list[CaseReport], voxels: list[set[str]]) -> None:
    for group in _groups(reports, voxels):
        first, *others = group
        roles = {reports[i].case.role for i in group}
        if roles == {"diseased", "healthy"}:
            names = _listed(reports, group)
            for index in group:
                cause = f"The same CT is given as diseased and as healthy: {names}."
                _add(reports, index, Problem(REFUSED, cause, "Decide which it is."))
            continue
        kept = reports[first].case
        for index in others:
            same_file = os.path.realpath(reports[index].case.ct) == os.path.realpath(kept.ct)
            cause = f"{'The same file as' if same_file else 'A copy (same voxels) of'} {kept.name}."
            _add(reports, index, Problem(REFUSED, cause, f"{kept.name} ({kept.role}) is kept."))


def _flag_shared_masks(reports: list[CaseReport], masks: list[set[str]]) -> None:
    for group in _groups(reports, masks):
        for index in group:
            cause = f"Different CTs have the same mask: {_listed(reports, group)}."
            _add(reports, index, Problem(FLAGGED, cause, "Check which CT it belongs to."))


def _judge_shared_patients(reports: list[CaseReport], patients: list[set[str]]) -> None:
    for group in _groups(reports, patients):
        roles = {reports[i].case.role for i in group}
        if len(roles) == 1:
            continue
        # What was learned from a patient must not be validated on the same patient.
        kept = "labelled" if "labelled" in roles else "validation"
        for index in group:
            role = reports[index].case.role
            leaks = "validation" in roles and role != kept and (kept == "validation" or role == "validation")
            cause = f"One patient has several roles: {_listed(reports, group)}."
            if leaks:
                advice = f"The {kept} case is kept, for no patient may be learned from and validated on."
                _add(reports, index, Problem(REFUSED, cause, advice))
            else:
                _add(reports, index, Problem(FLAGGED, cause, "Check that this is meant."))


def _patients(findings: Sequence[Finding]) -> list[set[str]]:
    """Digests of the patients of each case, without a DICOM ID that is the same everywhere: a placeholder."""
    from_dicom = [f.dicom_patient for f in findings if f.dicom_patient]
    same = len(from_dicom) >= FEWEST_TO_BE_PLACEHOLDER and len(set(from_dicom)) == 1
    return [{f.named_patient} if same else {f.named_patient, f.dicom_patient} for f in findings]


def _groups(reports: list[CaseReport], digests: list[set[str]]) -> Iterator[list[int]]:
    """Indices of the cases that share a digest and are (still) accepted, the role to be kept in front."""
    sharing = defaultdict(list)
    for index, own in enumerate(digests):
        for digest in own - {""}:
            sharing[digest].append(index)
    for indices in sharing.values():
        group = [index for index in indices if reports[index].accepted]
        if len(group) > 1:
            yield sorted(group, key=lambda index: (KEPT_FIRST.index(reports[index].case.role), index))


def _listed(reports: list[CaseReport], group: list[int]) -> str:
    names = [f"{reports[i].case.name} ({reports[i].case.role})" for i in group[:NAMES_LISTED]]
    return ", ".join(names) + (f" and {len(group) - NAMES_LISTED} more" if len(group) > NAMES_LISTED else "")


def _add(reports: list[CaseReport], index: int, problem: Problem) -> None:
    if problem not in reports[index].problems:
        reports[index] = replace(reports[index], problems=(*reports[index].problems, problem))
