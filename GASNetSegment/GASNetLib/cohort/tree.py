"""CTs and their masks in a folder, told by the names of the files. The rule is in ``cohort.read_cohort``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..dicom_series import is_dicom_file
from ..volume import IMAGE_ENDINGS, case_name

SEGMENTATION_ENDING = ".seg.nrrd"
_NAME = re.compile(r"(?:(?P<base>.*)_)?(?P<kind>ct|mask|lesions?|lungs?|probability)", re.IGNORECASE)


@dataclass(frozen=True)
class FoundCase:
    """A CT with the mask that its name says belongs to it."""

    name: str
    ct: Path
    mask: Path | None


def find_cases(
    folder: Path, leave_out: Collection[Path] = (), *, may_be_series: bool = False
) -> tuple[list[FoundCase], list[str]]:
    """The CTs in a folder and its subfolders, sorted by name, and what is wrong or unused there, in words.

    Args:
        leave_out: folders of results, which are not looked into where they lie inside the folder.
        may_be_series: DICOM files that lie in the folder itself are a case of that name, and no fault.
    """
    own = folder.resolve()
    leave_out = [result for result in map(Path.resolve, leave_out) if own in result.parents]
    cts, masks, lungs = defaultdict(list), defaultdict(list), defaultdict(list)
    kinds = {"ct": cts, "mask": masks, "lung": lungs, "probability": defaultdict(list)}
    files = [path for path in _files(folder) if not _lies_in(path, leave_out)]
    for path in files:
        if path.name.lower().endswith(IMAGE_ENDINGS):
            name, kind = _name_and_kind(path.relative_to(folder))
            kinds[kind][name].append(path)
    masked = set(masks) - set(cts)
    loose = [path for path in files if path.parent == folder and is_dicom_image(path)]
    if loose and may_be_series:
        cts[own.name].append(folder)
        loose = []
    for series in _dicom_folders(folder, files):
        name, series = _named_by_mask(series, folder, masked)
        if series not in cts[name]:
            cts[name].append(series)
    cases = [FoundCase(name, paths[0], masks.get(name, [None])[0]) for name, paths in sorted(cts.items())]
    return cases, _faults(folder, cts, masks, lungs, loose)


def is_dicom_image(path: Path) -> bool:
    """True for a DICOM file that may be a slice; the table of contents of a CD (DICOMDIR) is none."""
    other = path.name.lower().endswith(IMAGE_ENDINGS) or path.name.upper() == "DICOMDIR"
    return not other and is_dicom_file(path)


def _files(folder: Path) -> list[Path]:
    """Files below the folder, without hidden ones; the subfolders may be links to other disks."""
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    below = [path for entry in entries if entry.is_dir() for path in sorted(entry.rglob("[!.]*"))]
    return [path for path in entries + below if path.is_file()]


def _name_and_kind(path: Path) -> tuple[str, str]:
    """Case name and ``ct``, ``mask``, ``lung`` or ``probability`` of an image, by its path in the folder."""
    base, kind = _base_and_kind(case_name(path))
    if path.name.lower().endswith(SEGMENTATION_ENDING):
        kind = "mask"
    if kind != "ct":
        base = _base_and_kind(base)[0]  # P1_ct_mask belongs to P1_ct, which is P1
    parts = [*path.parent.parts, base] if base else path.parent.parts
    return "/".join(parts) or case_name(path), kind


def _base_and_kind(stem: str) -> tuple[str, str]:
    match = _NAME.fullmatch(stem)
    if match is None:
        return stem, "ct"
    kind = match["kind"].lower().rstrip("s")
    return match["base"] or "", "mask" if kind == "lesion" else kind


def _lies_in(path: Path, folders: Collection[Path]) -> bool:
    return bool(folders) and any(path.resolve().is_relative_to(folder) for folder in folders)


def _dicom_folders(folder: Path, files: list[Path]) -> list[Path]:
    """Folders below the folder that directly hold DICOM."""
    by_folder = defaultdict(list)
    for path in files:
        by_folder[path.parent].append(path)
    by_folder.pop(folder, None)
    return sorted(parent for parent, held in by_folder.items() if any(map(is_dicom_image, held)))


def _named_by_mask(series: Path, folder: Path, masks: set[str]) -> tuple[str, Path]:
    """Name and path of a DICOM case: the nearest folder around the series that has a mask, else its own."""
    for path in (series, *series.parents):
        if path == folder:
            break
        if (name := _dicom_name(path.relative_to(folder))) in masks:
            return name, path
    return _dicom_name(series.relative_to(folder)), series


def _dicom_name(path: Path) -> str:
    base, kind = _base_and_kind(path.name)
    parts = [*path.parent.parts, base] if base and kind == "ct" else path.parts
    return "/".join(parts)


def _faults(
    folder: Path,
    cts: dict[str, list[Path]],
    masks: dict[str, list[Path]],
    lungs: dict[str, list[Path]],
    loose: list[Path],
) -> list[str]:
    def listed(paths: list[Path]) -> str:
        return " and ".join(path.relative_to(folder.parent).as_posix() for path in paths)

    faults = [
        f"{listed(paths)} are both the {kind} of {name}"
        for kind, found in (("CT", cts), ("mask", masks))
        for name, paths in found.items()
        if len(paths) > 1
    ]
    faults += [
        f"{listed(paths)} has no CT beside it"
        for found in (masks, lungs)
        for name, paths in found.items()
        if name not in cts
    ]
    if len(loose) == 1:
        faults.append(f"{listed(loose)} is a DICOM file without a folder of its own")
    elif loose:
        more = f"{listed(loose[:1])} and {len(loose) - 1} more"
        faults.append(f"{more} are DICOM files without a folder of their own")
    return faults
