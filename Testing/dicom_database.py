"""A DICOM database like ctkDICOMDatabase, over files as they lie in a folder: Slicer's own needs its desktop.

It has the methods of the real one that GASNetTrain calls, with the same arguments and kinds of results
(CTK, Libs/DICOM/Core/ctkDICOMDatabase.h), and answers from the headers of the files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom


class DicomDatabase:
    """All DICOM files below a folder; patients, studies and series known by their UIDs or numbers.

    Attributes:
        retrieved: False as after a query: all is known, but the images are still on their server. The real
            database then gives empty file names.
    """

    def __init__(self, folder: Path) -> None:
        self.isOpen = True
        self.retrieved = True
        self._headers = {
            str(path): pydicom.dcmread(path, stop_before_pixels=True)
            for path in sorted(folder.rglob("*.dcm"))
        }

    def patients(self) -> tuple[str, ...]:
        return self._values(lambda header: str(header.PatientID), lambda header: True)

    def studiesForPatient(self, patient: str) -> tuple[str, ...]:
        return self._values(
            lambda header: str(header.StudyInstanceUID), lambda header: header.PatientID == patient
        )

    def seriesForStudy(self, study: str) -> tuple[str, ...]:
        return self._values(
            lambda header: str(header.SeriesInstanceUID), lambda header: header.StudyInstanceUID == study
        )

    def filesForSeries(self, series: str, hits: int = -1) -> tuple[str, ...]:
        files = [
            file if self.retrieved else ""
            for file, header in self._headers.items()
            if header.SeriesInstanceUID == series
        ]
        return tuple(files if hits < 0 else files[:hits])

    def nameForPatient(self, patient: str) -> str:
        return self._first("PatientName", lambda header: header.PatientID == patient)

    def fieldForStudy(self, field: str, study: str) -> str:
        return self._first(field, lambda header: header.StudyInstanceUID == study)

    def fieldForSeries(self, field: str, series: str) -> str:
        if field == "DisplayedCount":
            return str(len(self.filesForSeries(series)))
        return self._first(field, lambda header: header.SeriesInstanceUID == series)

    def descriptionForStudy(self, study: str) -> str:
        return self.fieldForStudy("StudyDescription", study)

    def descriptionForSeries(self, series: str) -> str:
        return self.fieldForSeries("SeriesDescription", series)

    def _values(self, value: Callable, wanted: Callable) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value(header) for header in self._headers.values() if wanted(header)))

    def _first(self, field: str, wanted: Callable) -> str:
        found = next(header for header in self._headers.values() if wanted(header))
        return str(found.get(field, ""))
