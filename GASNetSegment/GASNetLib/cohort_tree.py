"""CTs and their masks in a folder, told by the names of the files. The rule is in ``cohort.read_cohort``."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from .dicom_series import is_dicom_file
from .volume import case_name

IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
SEGMENTATION_ENDING = ".seg.nrrd"
_NAME = re.compile(r"(?:(?P<base>.*)_)?(?P<kind>ct|mask|lesions?|lungs?)", re.IGNORECASE)


@dataclass(frozen=True)
class FoundCase:
    """A CT with the mask that its name says belongs to it."""

    name: str
    ct: Path
    mask: Path | None


def find_cases(folder: Path) -> tuple[list[FoundCase], list[str]]:
    """The CTs in a folder and its subfolders, sorted by name, and what is wrong there, in words."""
    cts, masks = defaultdict(list), defaultdict(list)
    for path in _files(folder):
        if path.name.lower().endswith(IMAGE_ENDINGS):
            name, kind = _name_and_kind(path.relative_to(folder))
            {"ct": cts, "mask": masks}.get(kind, defaultdict(list))[name].append(path)
    for series in _dicom_folders(folder, [path for paths in cts.values() for path in paths]):
        cts[_base_and_kind(series.name)[0] or series.name].append(series)
    cases = [FoundCase(name, paths[0], masks.get(name, [None])[0]) for name, paths in sorted(cts.items())]
    return cases, _faults(folder, cts, masks)


def _files(folder: Path) -> list[Path]:
    """Files below the folder, without hidden ones; the subfolders may be links to other disks."""
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    below = [path for entry in entries if entry.is_dir() for path in sorted(entry.rglob("[!.]*"))]
    return [path for path in entries + below if path.is_file()]


def _name_and_kind(path: Path) -> tuple[str, str]:
    """Case name and ``ct``, ``mask`` or ``lung`` of an image file, by its path within the role's folder."""
    base, kind = _base_and_kind(case_name(path))
    if path.name.lower().endswith(SEGMENTATION_ENDING):
        kind = "mask"
    if kind == "mask":
        base = _base_and_kind(base)[0]  # P1_ct_mask belongs to P1_ct, which is P1
    parts = [*path.parent.parts, base] if base else path.parent.parts
    return "/".join(parts) or case_name(path), kind


def _base_and_kind(stem: str) -> tuple[str, str]:
    match = _NAME.fullmatch(stem)
    if match is None:
        return stem, "ct"
    kind = match["kind"].lower().rstrip("s")
    return match["base"] or "", "mask" if kind == "lesion" else kind


def _dicom_folders(folder: Path, images: list[Path]) -> list[Path]:
    with_images = {parent for path in images for parent in path.parents}
    folders = [entry for entry in sorted(folder.iterdir()) if entry.is_dir() and entry not in with_images]
    return [entry for entry in folders if any(_is_dicom(path) for path in _files(entry))]


def _is_dicom(path: Path) -> bool:
    return not path.name.lower().endswith(IMAGE_ENDINGS) and is_dicom_file(path)


def _faults(folder: Path, cts: dict[str, list[Path]], masks: dict[str, list[Path]]) -> list[str]:
    def listed(paths: list[Path]) -> str:
        return " and ".join(path.relative_to(folder.parent).as_posix() for path in paths)

    faults = [
        f"{listed(paths)} are both the {kind} of {name}"
        for kind, found in (("CT", cts), ("mask", masks))
        for name, paths in found.items()
        if len(paths) > 1
    ]
    faults += [f"{listed(paths)} has no CT beside it" for name, paths in masks.items() if name not in cts]
    loose = [path for path in sorted(folder.iterdir()) if path.is_file() and _is_dicom(path)]
    return faults + [f"{listed([path])} is a DICOM file without a folder of its own" for path in loose]
