"""Which CTs the inputs of ``gasnet segment`` name, with the reason where one cannot be used; which model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..cohort.tree import is_dicom_image
from ..device import choose_device
from ..errors import InputError, ModelError
from ..folder_run import cases_in
from ..model import Model, load_model, starter_model_path
from ..volume import case_name
from .packages import load_torch


@dataclass(frozen=True)
class Input:
    """A CT to segment and the name its results get; ``is_dicom``: a DICOM folder or a file of a series."""

    name: str
    path: Path
    is_dicom: bool = False


@dataclass(frozen=True)
class Failure:
    """A case, or something in an input folder, that gave no result, and why."""

    name: str
    why: str


def find_inputs(paths: list[Path], leave_out: Collection[Path]) -> tuple[list[Input], list[Failure]]:
    """All CTs that the paths name, and what is there but cannot be used.

    Args:
        leave_out: folders of results; those that lie inside an input folder are not looked into.

    Raises:
        InputError: two cases would get the same name.
    """
    cases, failures, dicom_files = [], [], []
    for path in paths:
        try:
            if path.is_dir():
                found, wrong = _in_folder(path, leave_out)
                cases += found
                failures += wrong
            elif path.is_file() and is_dicom_image(path):
                dicom_files.append(path)
            else:
                cases.append(Input(case_name(path), path))
        except OSError as error:
            failures.append(Failure(str(path), f"It cannot be read ({error.strerror or error})."))
    cases += _series_of(dicom_files)
    _refuse_doubled([case.name for case in cases])
    return cases, failures


def open_model(given: Path | None, device: str) -> tuple[Model, str]:
    """The model of ``--model``, or the starter, and the device of ``--device``: both are tried before any CT.

    Raises:
        ModelError: it cannot be used, or there is none. ResourceError: the device does not work.
        ImportError: PyTorch is missing or half installed.
    """
    load_torch()
    path = given or starter_model_path()
    if path is None:
        raise ModelError("The starter model is not installed.", "Name a model package with --model.")
    return load_model(path), choose_device(device)


def _in_folder(folder: Path, leave_out: Collection[Path]) -> tuple[list[Input], list[Failure]]:
    try:
        cases, faults = cases_in(folder, leave_out)
    except InputError as error:
        return [], [Failure(str(folder), str(error))]
    failures = [Failure(fault["case"], fault["error"]) for fault in faults]
    return [Input(case.name, case.ct, case.ct.is_dir()) for case in cases], failures


def _series_of(files: list[Path]) -> list[Input]:
    """One case for the files of one folder and series, named as the folder where that is the only one."""
    series = defaultdict(list)
    for path in files:
        series[path.parent.resolve(), _series_uid(path)].append(path)
    in_folder = Counter(folder for folder, _ in series)
    return [
        Input(folder.name if len(held) > 1 and in_folder[folder] == 1 else case_name(held[0]), held[0], True)
        for (folder, _), held in series.items()
    ]


def _series_uid(path: Path) -> str:
    """UID of the series; the path of a file that has none, which then stands for itself."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
    except (InvalidDicomError, OSError, ValueError, EOFError):
        return str(path)
    return str(header.get("SeriesInstanceUID", path))


def _refuse_doubled(names: list[str]) -> None:
    """Upper and lower case make no difference: on many disks they are one file."""
    counts = Counter(name.casefold() for name in names)
    doubled = sorted({name for name in names if counts[name.casefold()] > 1})
    if doubled:
        raise InputError(
            f"Several inputs are called {', '.join(doubled)}, so their results would overwrite each other.",
            "Run them one after the other, into different folders.",
        )
