"""The cohort that a person puts together: cases with their roles and what a check found, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from GASNetLib.cohort import ROLES, Case, Cohort, CohortError, read_cohort, write_cohort
from GASNetLib.cohort.tree import find_cases
from GASNetLib.volume import case_name

RECOMMENDED = {"labelled": 1, "diseased": 5, "healthy": 5, "validation": 1}
"""Cases of each role that a training should have at least. With fewer it can be tried; dozens of diseased and
healthy ones are better."""

UNCHECKED, ACCEPTED, FLAGGED, REFUSED = "not checked", "accepted", "flagged", "refused"

SAMPLE_CT, SAMPLE_MASK, SAMPLE_DESCRIPTION = "ct.nrrd", "mask.seg.nrrd", "case.json"
"""Files of a labelled sample that GASNetSegment saved."""


@dataclass(frozen=True)
class Row:
    """One case, and what is known about it.

    Attributes:
        status: ``not checked``, ``accepted``, ``flagged`` (usable, but look at it) or ``refused``.
        reason: cause and advice of every problem, one a line.
        thumbnail: a PNG, None before the check.
    """

    case: Case
    status: str = UNCHECKED
    reason: str = ""
    thumbnail: Path | None = None


class CohortTable:
    """Rows in the order they came in; names are unique."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows: list[Row] = list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def row(self, name: str) -> Row:
        """The row of a case.

        Raises:
            CohortError: there is none of this name.
        """
        for row in self.rows:
            if row.case.name == name:
                return row
        raise CohortError(f"There is no case {name} in the cohort.", "Check the name.")

    # --- filling ------------------------------------------------------------------------------------------

    def add(
        self,
        ct: str | Path,
        role: str,
        mask: str | Path | None = None,
        name: str = "",
        patient: str | None = None,
    ) -> Row:
        """Add one case; a name that is taken gets a number.

        Args:
            ct: an image file, a DICOM folder or one file of a series.
            role: one of ``GASNetLib.cohort.ROLES``.

        Raises:
            CohortError: unknown role, or the same CT is in the cohort.
        """
        _check_role(role)
        ct = Path(ct).absolute()
        known = next((row.case.name for row in self.rows if row.case.ct == ct), None)
        if known is not None:
            raise CohortError(f"{ct.name} is in the cohort already, as {known}.", "Change its role instead.")
        case = Case(
            self._free_name(name or case_name(ct)),
            ct,
            None if mask is None else Path(mask).absolute(),
            role,
            patient,
        )
        self.rows.append(Row(case))
        return self.rows[-1]

    def add_path(self, path: str | Path, role: str) -> int:
        """Add all that a path names; returns how many cases were new.

        A table (CSV), or a folder with subfolders named by role, brings its own roles; any other folder is
        searched for images and DICOM series, which get ``role``, as does a single image.

        Raises:
            CohortError: nothing usable is there.
        """
        path = Path(path).absolute()
        if path.is_file() and path.suffix.lower() not in (".csv", ".tsv", ".txt"):
            return self._add_new([Case(case_name(path), path, None, role)])
        if path.is_file() or any((path / name).is_dir() for name in ROLES):
            return self._add_new(read_cohort(path))
        if not path.is_dir():
            raise CohortError(f"There is no file or folder {path}.", "Check the path.")
        found, faults = find_cases(path)
        if faults or not found:
            cause = (
                f"{path.name} cannot be used as it is: {'; '.join(faults)}."
                if faults
                else f"{path} holds no CTs."
            )
            raise CohortError(cause, "Correct this, or give the cases in a table (CSV).")
        return self._add_new(Case(case.name, case.ct, case.mask, role) for case in found)

    def add_samples(self, case_folder: str | Path) -> int:
        """Add the labelled samples that GASNetSegment keeps in a folder; returns how many were new.

        Raises:
            CohortError: there are none.
        """
        folders = [path.parent for path in sorted(Path(case_folder).glob(f"*/{SAMPLE_DESCRIPTION}"))]
        if not folders:
            raise CohortError(
                "There are no labelled samples yet.",
                "Segment a CT in GASNet Segment, correct the lesion, and press “Use as labelled sample”.",
            )
        return self._add_new(
            Case(folder.name, folder / SAMPLE_CT, folder / SAMPLE_MASK, "labelled") for folder in folders
        )

    def _add_new(self, cases: Iterable[Case]) -> int:
        known = {row.case.ct for row in self.rows}
        new = [case for case in cases if case.ct not in known]
        for case in new:
            _check_role(case.role)
            self.rows.append(Row(replace(case, name=self._free_name(case.name))))
        return len(new)

    # --- changing -----------------------------------------------------------------------------------------

    def set_role(self, names: Sequence[str], role: str) -> None:
        """Give cases another role; what was found about them no longer holds.

        Raises:
            CohortError: unknown role.
        """
        _check_role(role)
        self.rows = [
            Row(replace(row.case, role=role), thumbnail=row.thumbnail)
            if row.case.name in names and row.case.role != role
            else row
            for row in self.rows
        ]

    def set_mask(self, name: str, mask: str | Path) -> None:
        """Give a case a lesion mask."""
        position = self.rows.index(self.row(name))
        self.rows[position] = Row(replace(self.rows[position].case, mask=Path(mask).absolute()))

    def remove(self, names: Sequence[str]) -> None:
        """Take cases out; files stay."""
        self.rows = [row for row in self.rows if row.case.name not in names]

    def take_findings(self, checked: Cohort, findings: Sequence[dict]) -> None:
        """Take what :func:`.task_process.check` found; rows changed meanwhile stay as they are."""
        found = dict(zip(checked.cases, findings, strict=True))
        self.rows = [_with_finding(row, found.get(row.case)) for row in self.rows]

    # --- what it holds ------------------------------------------------------------------------------------

    @property
    def cohort(self) -> Cohort:
        """All cases."""
        return Cohort(tuple(row.case for row in self.rows))

    @property
    def usable(self) -> Cohort:
        """The cohort without the refused cases."""
        return Cohort(tuple(row.case for row in self.rows if row.status != REFUSED))

    @property
    def is_checked(self) -> bool:
        """Whether every case was checked."""
        return bool(self.rows) and all(row.status != UNCHECKED for row in self.rows)

    def totals(self) -> dict[str, int]:
        """Usable cases by role."""
        counts = Counter(case.role for case in self.usable)
        return {role: counts[role] for role in ROLES}

    def lacking(self) -> dict[str, int]:
        """How many usable cases of a role are missing to those recommended, for each that has too few."""
        totals = self.totals()
        return {role: n - totals[role] for role, n in RECOMMENDED.items() if totals[role] < n}

    def still_missing(self) -> tuple[str, ...]:
        """What is missing to the recommended cohort, a sentence for each role; it can be trained without."""
        lacking, least = self.lacking(), RECOMMENDED
        return tuple(f"{n} more {role} (at least {least[role]} recommended)." for role, n in lacking.items())

    # --- file ---------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write all cases as a table that can be opened again.

        Raises:
            ResourceError: the file cannot be written.
        """
        write_cohort(self.cohort, path)

    @classmethod
    def open(cls, path: str | Path) -> CohortTable:
        """Read a table or a folder sorted by role.

        Raises:
            CohortError: missing, or no cohort.
        """
        return cls(Row(case) for case in read_cohort(path))

    def _free_name(self, name: str) -> str:
        taken = {row.case.name for row in self.rows}
        free, number = name, 2
        while free in taken:
            free, number = f"{name} ({number})", number + 1
        return free


def _with_finding(row: Row, finding: dict | None) -> Row:
    if finding is None:
        return row
    problems = finding["problems"]
    status = REFUSED if not finding["accepted"] else FLAGGED if problems else ACCEPTED
    reason = "\n".join(f"{cause} {advice}".strip() for _, cause, advice in problems)
    thumbnail = Path(finding["thumbnail"]) if finding["thumbnail"] else row.thumbnail
    return Row(row.case, status, reason, thumbnail)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise CohortError(f"There is no role “{role}”.", f"Choose one of {', '.join(ROLES)}.")
