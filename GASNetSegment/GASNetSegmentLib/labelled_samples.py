"""Corrected cases kept as labelled samples: a folder per case, which the training finds by itself.

<case folder>/<case>/ct.nrrd         the CT, HU as in the scene
                     mask.seg.nrrd   the corrected lesion
                     case.json       where it comes from; no names, no DICOM tags
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer

from GASNetLib.atomic import write_atomically
from GASNetLib.errors import InputError, ResourceError
from GASNetLib.version import VERSION

from .correction import changes
from .ct_nodes import ct_array, geometry_of
from .result import IMAGE_SHA256, LESION, Result

CT_FILE, MASK_FILE, CASE_FILE = "ct.nrrd", "mask.seg.nrrd", "case.json"

MOST_OUTSIDE_LUNGS = 0.5
"""Share of a lesion that may lie outside the lungs as found: consolidation is often left out of them."""


@dataclass(frozen=True)
class SavedSample:
    """A labelled sample on disk: its folder, and what its ``case.json`` says."""

    folder: Path
    case: dict


def save(result: Result, case_folder: Path, note: str = "") -> SavedSample:
    """Write a corrected case.

    Raises:
        InputError: the CT changed since, the lesion is empty or mostly outside the lungs, or the case is
        stored.
        ResourceError: the folder cannot be written to.
    """
    lesions = _checked_lesions(result)
    stored = find(case_folder, result.provenance[IMAGE_SHA256])
    if stored is not None:
        raise InputError(
            f"This CT is stored as a labelled sample already, in {stored.folder}.",
            "Take that one back first.",
        )
    case = _case(result, lesions, note)
    folder = case_folder / f"case-{result.provenance[IMAGE_SHA256][:12]}"
    aside = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        _write(aside, result, case)
        aside.replace(folder)
    except (OSError, RuntimeError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise ResourceError(
            f"The labelled sample cannot be written to {case_folder} ({error}).",
            "Choose another case folder, or free disk space.",
        ) from error
    return SavedSample(folder, case)


def samples(case_folder: Path) -> list[SavedSample]:
    """The labelled samples of a folder, oldest first; folders of other kinds are passed over."""
    found = []
    for path in sorted(case_folder.glob(f"*/{CASE_FILE}")):
        try:
            found.append(SavedSample(path.parent, json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError):
            continue
    return sorted(found, key=lambda sample: sample.case.get("created", ""))


def find(case_folder: Path, image_sha256: str) -> SavedSample | None:
    """The labelled sample of an image, if it is stored."""
    return next((s for s in samples(case_folder) if s.case.get(IMAGE_SHA256) == image_sha256), None)


def take_back(sample: SavedSample) -> None:
    """Remove a labelled sample from disk: its own three files, and its folder if nothing else is in it.

    Raises:
        ResourceError: it cannot be removed.
    """
    try:
        for name in (
            CASE_FILE,
            MASK_FILE,
            CT_FILE,
        ):  # the description first: what is left is no sample any more
            (sample.folder / name).unlink(missing_ok=True)
        if not any(sample.folder.iterdir()):
            sample.folder.rmdir()
    except OSError as error:
        raise ResourceError(
            f"{sample.folder} cannot be removed ({error.strerror}).", "Close programs that use it."
        ) from error


def _checked_lesions(result: Result) -> np.ndarray:
    name = result.node.GetName()
    if not geometry_of(result.ct).same_as(result.geometry):
        raise InputError(
            f"The CT of {name} has another geometry than when it was segmented.", "Segment it again."
        )
    if result.ct.GetParentTransformNode() is not result.node.GetParentTransformNode():
        raise InputError(f"The CT and {name} lie under different transforms.", "Put both under the same one.")
    if not result.ct_is_unchanged:
        raise InputError(
            f"The CT of {name} is not the image that was segmented (another frame of a sequence?).",
            "Go back to that image, or segment this one.",
        )
    lesions = result.lesions
    if not lesions.any():
        raise InputError(
            f"The lesion in {name} is empty, so there is nothing to learn from.",
            "Mark the lesions, or use a sick case.",
        )
    outside = float(np.mean(result.lung_labels[lesions != 0] == 0))
    if outside > MOST_OUTSIDE_LUNGS:
        raise InputError(
            f"{outside:.0%} of the lesion in {name} lies outside the lungs.", "Erase what is no lung disease."
        )
    return lesions


def _case(result: Result, lesions: np.ndarray, note: str) -> dict:
    changed = changes(result)
    return {
        "role": "labelled",
        "ct": CT_FILE,
        "mask": MASK_FILE,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "software_version": VERSION,
        "note": note,
        "lesion_ml": round(float(lesions.sum()) * result.geometry.voxel_ml, 3),
        "correction": {
            "added_ml": round(changed.added_ml, 3),
            "removed_ml": round(changed.removed_ml, 3),
            "dice": changed.dice,
        },
        "ai": {key: value for key, value in result.provenance.items() if key != IMAGE_SHA256},
        IMAGE_SHA256: result.provenance[IMAGE_SHA256],
    }


def _write(folder: Path, result: Result, case: dict) -> None:
    ct = result.geometry.image(np.asarray(ct_array(result.ct)))
    sitk.WriteImage(ct, str(folder / CT_FILE), useCompression=True)
    _write_segment(result.node, LESION, folder / MASK_FILE)
    write_atomically(folder / CASE_FILE, (json.dumps(case, indent=2) + "\n").encode())


def _write_segment(segmentation_node, segment_id: str, path: Path) -> None:
    """Write one segment alone, by Slicer's own storage; a scene of its own keeps the person's scene as
    it is."""
    scene = slicer.vtkMRMLScene()
    alone = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", segment_id)
    source, target = segmentation_node.GetSegmentation(), alone.GetSegmentation()
    geometry = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    target.SetConversionParameter(geometry, source.GetConversionParameter(geometry))
    target.CopySegmentFromSegmentation(source, segment_id)
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    if not storage.WriteData(alone):
        raise RuntimeError(f"Slicer could not write {path.name}")
