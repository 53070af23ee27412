"""The CT series in Slicer's DICOM database (a ctkDICOMDatabase), as cases of a cohort."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from GASNetLib.cohort import CohortError

from .cohort_table import CohortTable

CT_MODALITY = "CT"
NAME_DIGITS = 8


@dataclass(frozen=True)
class StoredSeries:
    """A CT series as the database lists it.

    Attributes:
        uid: series instance UID. patient, study: for the person to choose by; never kept in a cohort.
        description: of the series. images: how many, empty where the database does not know.
        file: one of them; a case named by it is its whole series. None where there is none on this computer:
            the database also lists what was only asked of a server and not retrieved.
    """

    uid: str
    patient: str
    study: str
    description: str
    images: str
    file: Path | None

    @property
    def case_name(self) -> str:
        """A name for the case without patient data: the same series always gets the same."""
        digest = hashlib.sha256(self.uid.encode()).hexdigest()[:NAME_DIGITS]
        return f"{self.description or CT_MODALITY} {digest}"


def stored_ct_series(database) -> list[StoredSeries]:
    """The CT series, in the order of the database.

    Args:
        database: ``slicer.dicomDatabase``; None where this Slicer has none.

    Raises:
        CohortError: there is no database, it is not open, or it holds no CT.
    """
    if database is None:
        raise CohortError("This Slicer has no DICOM module.", "Add the folder that holds the DICOM files.")
    if not database.isOpen:
        raise CohortError("Slicer's DICOM database is not open.", "Open it in the DICOM module first.")
    found = [
        _series(database, patient, study, uid)
        for patient in database.patients()
        for study in database.studiesForPatient(patient)
        for uid in database.seriesForStudy(study)
        if database.fieldForSeries("Modality", uid) == CT_MODALITY
    ]
    if not found:
        raise CohortError(
            "Slicer's DICOM database holds no CT.", "Import the CTs in the DICOM module, or add their folder."
        )
    return found


def add_series(cohort: CohortTable, chosen: Iterable[StoredSeries], role: str) -> int:
    """Add series to a cohort; those that are in it already are passed over.

    Returns:
        How many were new.

    Raises:
        CohortError: the files of a series are gone; none is added then.
    """
    chosen = list(chosen)
    not_here = [series.case_name for series in chosen if series.file is None]
    if not_here:
        raise CohortError(
            f"{', '.join(not_here)}: the images are on the DICOM server, not on this computer.",
            "Retrieve them in the DICOM module first.",
        )
    gone = [series.case_name for series in chosen if not series.file.is_file()]
    if gone:
        raise CohortError(
            f"The files of {', '.join(gone)} are no longer where the DICOM database says.",
            "Import them in the DICOM module again.",
        )
    known = {row.case.name for row in cohort}
    new = [series for series in chosen if series.case_name not in known]
    for series in new:
        cohort.add(series.file, role, name=series.case_name)
    return len(new)


def _series(database, patient: str, study: str, uid: str) -> StoredSeries:
    study_words = (database.fieldForStudy("StudyDate", study), database.descriptionForStudy(study))
    files = database.filesForSeries(uid, 1)  # one: all the paths of a hospital's database take seconds
    return StoredSeries(
        uid=uid,
        patient=database.nameForPatient(patient),
        study=" ".join(filter(None, study_words)),
        description=database.descriptionForSeries(uid),
        images=database.fieldForSeries("DisplayedCount", uid),
        file=Path(files[0]) if files and files[0] else None,
    )
