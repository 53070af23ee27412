"""Reads every case of a cohort before a training does, and says which cannot be used, and why."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from .case_check import CaseReport, Finding, examine, refusal
from .case_comparison import compare
from .case_pool import Progress, run_cases
from .crop_cache import CropCache
from .table import Cohort


def check_cohort(
    cohort: Cohort,
    progress: Progress | None = None,
    jobs: int | None = None,
    cancelled: Callable[[], bool] | None = None,
    cache_folder: str | Path | None = None,
) -> tuple[CaseReport, ...]:
    """Read every CT and mask of a cohort, and compare the cases with each other.

    Refused are: what cannot be read or is no chest CT; a labelled or validation case without mask; a mask
    that cannot be read, has another geometry or lies off the lungs; an empty mask of a labelled case; lesions
    marked in a healthy case; all but one of the copies of a CT, in whatever format (all of them, if one is
    diseased and another healthy); a case to learn from whose patient is in the validation set. A copy that
    was resampled or rescaled is not recognised.
    Flagged are: what was assumed on reading; one patient in several other roles; masks that look odd.

    Args:
        jobs: processes; None for as many as this computer has cores and memory for, 0 for this process only.
        cache_folder: keep the crops made on the way, for ``open_crops`` to find.

    Returns:
        One report for each case, in the order of the cohort.

    Raises:
        Cancelled: ``cancelled()`` was true.
        ResourceError: the cache cannot be written to.
    """
    crop_cache = CropCache(Path(cache_folder)) if cache_folder else None
    look = partial(examine, secrets.token_bytes(16), crop_cache)
    outcomes = run_cases(look, cohort.cases, "Checking the CTs:", progress, jobs, cancelled)
    findings = [o.result if o.error is None else Finding((refusal(o.error),)) for o in outcomes]
    return compare(cohort, findings)


def accepted_cases(reports: Iterable[CaseReport]) -> Cohort:
    """The cohort without the refused cases."""
    return Cohort(tuple(report.case for report in reports if report.accepted))
