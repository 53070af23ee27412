"""A cohort: the cases of a training with their roles, from a table (CSV) or a folder tree."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..atomic import write_atomically
from ..errors import InputError
from .tree import find_cases

ROLES = ("labelled", "diseased", "healthy", "validation")
"""I_l with masks, I_d, I_h and the validation set with masks (Xu et al. 2020)."""

COLUMNS = ("case", "ct", "mask", "role", "patient")
REQUIRED_COLUMNS = COLUMNS[:4]
FAULTS_LISTED = 20

NEEDED = {
    "labelled": "At least one labelled case is needed: a CT with its lesion mask, to learn from.",
    "diseased": "At least one diseased case is needed, better dozens: CTs with the disease, no masks.",
    "healthy": "At least one healthy case is needed, better dozens: CTs free of the disease.",
    "validation": "At least one validation case is needed: a CT with its lesion mask, to choose the best "
    "parameters by.",
}


class CohortError(InputError):
    """A table or folder tree that gives no cohort, or a cohort with cases that cannot be used."""


@dataclass(frozen=True)
class Case:
    """One CT of a cohort.

    Attributes:
        name: unique in the cohort, no patient data.
        ct: absolute path of an image file, a DICOM folder or one file of a DICOM series.
        mask: absolute path of the lesion mask, or None.
        role: one of :data:`ROLES`.
        patient: pseudonym given by the table; the cases of one patient share it.
    """

    name: str
    ct: Path
    mask: Path | None
    role: str
    patient: str | None = None


@dataclass(frozen=True)
class Cohort:
    """Cases in the order of the table.

    Raises:
        CohortError: two cases have the same name.
    """

    cases: tuple[Case, ...]

    def __post_init__(self) -> None:
        doubled = _doubled(case.name for case in self.cases)
        if doubled:
            raise CohortError(
                f"These case names occur more than once: {', '.join(sorted(doubled)[:FAULTS_LISTED])}.",
                "Give every case a name of its own.",
            )

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def with_role(self, role: str) -> tuple[Case, ...]:
        """The cases of one role."""
        return tuple(case for case in self.cases if case.role == role)

    def still_missing(self) -> tuple[str, ...]:
        """What a training of GASNet would still need, one sentence each; empty if nothing."""
        return tuple(sentence for role, sentence in NEEDED.items() if not self.with_role(role))


def read_cohort(path: str | Path) -> Cohort:
    """Read a cohort from a table or a folder tree. Images are not opened: ``check_cohort`` does that.

    **Table**: CSV (comma, semicolon or tab; UTF-8) with the columns ``case,ct,mask,role`` and, where known,
    ``patient``. Paths are relative to the table. ``ct`` is an image file, a DICOM folder or one file of a
    DICOM series; ``mask`` may be blank.

    **Folder tree**: folders ``labelled``, ``diseased``, ``healthy``, ``validation``, and in each

    - image files (NIfTI, NRRD, MetaImage), also in subfolders: ``P1.*`` or ``P1_ct.*`` is the CT of case P1,
      and beside it ``P1_mask.*``, ``P1_lesion.*``, ``P1_lesions.*`` or ``P1.seg.nrrd`` its mask. In a folder
      of its own, ``P1/ct.*`` and ``P1/mask.*`` will do. ``P1_lung.*``, ``P1_probability.*`` and hidden files
      are left out; links are followed in the folder itself, not below;
    - DICOM folders: a folder that holds DICOM and no CT as image file is one case, its mask beside it
      (``P1_mask.*``) or in it (``P1/mask.*``). The folders of one series in several may share the mask of the
      folder around them.

    Two CTs or two masks of one case, a mask or lungs without a CT, and DICOM files that lie in a folder of a
    role itself are faults. A name that occurs in two roles gets the role appended: ``P1 (diseased)``.

    Raises:
        CohortError: missing, or no cohort; all faulty lines or files are named at once.
    """
    path = _absolute(path)
    if not path.exists():
        raise CohortError(f"There is no file or folder {path}.", "Check the path.")
    return _read_tree(path) if path.is_dir() else _read_table(path)


def write_cohort(cohort: Cohort, path: str | Path) -> None:
    """Write the table that :func:`read_cohort` reads.

    Paths below the table's folder are written relative to it, so that both can move together; others in full.

    Raises:
        ResourceError: the file cannot be written.
    """
    path = _absolute(path)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for case in cohort:
        ct, mask = _relative(case.ct, path.parent), _relative(case.mask, path.parent)
        writer.writerow([case.name, ct, mask, case.role, case.patient or ""])
    write_atomically(path, text.getvalue().encode())


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(path))  # and not resolve(): links stay as the person named them


def _relative(path: Path | None, folder: Path) -> str:
    if path is None:
        return ""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _read_table(path: Path) -> Cohort:
    rows = _rows(path)
    missing = [column for column in REQUIRED_COLUMNS if column not in rows.fieldnames]
    if missing:
        raise CohortError(
            f"{path.name} has no column {', '.join(missing)}.", f"Its first line must be {','.join(COLUMNS)}."
        )
    cases, faults = [], []
    for row in rows:
        values = {column: (row.get(column) or "").strip() for column in COLUMNS}
        if any(values.values()):
            faults += [f"line {rows.line_num}: {fault}" for fault in _row_faults(values)]
            cases.append(_case_of_row(values, path.parent))
    return _cohort_of(cases, faults, path)


def _rows(path: Path) -> csv.DictReader:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CohortError(f"{path.name} cannot be read as text.", "Save it as CSV in UTF-8.") from error
    header = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=header.count))
    rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
    return rows


def _row_faults(values: dict[str, str]) -> list[str]:
    faults = [f"no {column}" for column in ("case", "ct") if not values[column]]
    if values["role"].lower() not in ROLES:
        faults.append(f"the role “{values['role']}” is none of {', '.join(ROLES)}")
    return faults


def _case_of_row(values: dict[str, str], folder: Path) -> Case:
    return Case(
        name=values["case"],
        ct=_absolute(folder / values["ct"]),
        mask=_absolute(folder / values["mask"]) if values["mask"] else None,
        role=values["role"].lower(),
        patient=values["patient"] or None,
    )


def _read_tree(root: Path) -> Cohort:
    cases, faults = [], []
    for role in ROLES:
        if (root / role).is_dir():
            found, wrong = find_cases(root / role)
            cases += [Case(case.name, case.ct, case.mask, role) for case in found]
            faults += wrong
    doubled = _doubled(case.name for case in cases)
    cases = [replace(c, name=f"{c.name} ({c.role})") if c.name in doubled else c for c in cases]
    return _cohort_of(cases, faults, root)


def _doubled(names: Iterator[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def _cohort_of(cases: list[Case], faults: list[str], path: Path) -> Cohort:
    if faults:
        rest = len(faults) - FAULTS_LISTED
        listed = "; ".join(faults[:FAULTS_LISTED]) + (f"; and {rest} more" if rest > 0 else "")
        raise CohortError(f"{path.name} cannot be used as it is: {listed}.", "Correct this and try again.")
    if not cases:
        advice = f"Name the role of each in the table, or sort them into folders: {', '.join(ROLES)}."
        raise CohortError(f"{path.name} holds no cases.", advice)
    return Cohort(tuple(cases))
