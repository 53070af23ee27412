"""What can be told from one case of a cohort alone: whether it can be read, and whether its mask fits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..errors import GASNetError
from ..lungs import find_lungs
from ..volume import Volume, read_mask, read_volume
from .content import files_of
from .crop_cache import CropCache
from .network_crop import COVERED, NetworkCrop, crop_to_lungs
from .table import Case

REFUSED, FLAGGED = "refused", "flagged"

NEAR_LUNG_MM = 15.0  # consolidation at the chest wall lies outside any lung mask by threshold
SURELY_ELSEWHERE = 0.1  # share of the mask near the lungs
MAYBE_ELSEWHERE = (
    0.9  # 0.99 and more in eight real cases of two sources, 0.11 to 1.0 with the mask upside down
)
WHOLE_LUNG_SHARE = 0.95


@dataclass(frozen=True)
class Problem:
    """Why a case is ``refused``, or ``flagged`` for a person to look at."""

    severity: str
    cause: str
    advice: str = ""


@dataclass(frozen=True)
class CaseReport:
    """What a check found about one case."""

    case: Case
    problems: tuple[Problem, ...] = ()

    @property
    def accepted(self) -> bool:
        """True if the case can be used in a training; it may be flagged."""
        return all(problem.severity != REFUSED for problem in self.problems)


@dataclass(frozen=True)
class Finding:
    """What one case's files hold, small enough to be kept for thousands of cases.

    Attributes:
        problems: found in this case alone.
        voxels: digest of the CT's voxels, the same for copies in other formats.
        mask: digest of the mask's voxels; blank without mask or if it is empty.
        named_patient: salted digest of the table's pseudonym; blank without.
        dicom_patient: salted digest of the DICOM patient ID; blank without.
    """

    problems: tuple[Problem, ...]
    voxels: str = ""
    mask: str = ""
    named_patient: str = ""
    dicom_patient: str = ""


def examine(salt: bytes, crop_cache: CropCache | None, case: Case) -> Finding:
    """Read one case; keep its crop, if there is a cache and no reason to refuse it.

    Args:
        salt: makes the digests of patient IDs worthless to who does not know it.

    Raises:
        GASNetError: the CT cannot be used at all.
    """
    entry = crop_cache.entry(case) if crop_cache else None
    volume = read_volume(case.ct)
    lungs = find_lungs(volume)
    problems = [Problem(FLAGGED, note) for note in (*volume.notes, *lungs.notes)]
    mask, reading_problems = _readable_lesions(case, volume)
    problems += reading_problems
    crop = crop_to_lungs(volume, lungs, mask)
    if mask is not None:
        problems += mask_problems(case, mask, crop, volume.geometry.voxel_ml)
    if crop_cache and CaseReport(case, tuple(problems)).accepted:
        crop_cache.put(entry, case, crop)
    return Finding(
        problems=tuple(problems),
        voxels=crop.voxels,
        mask=hashlib.sha256(np.packbits(mask)).hexdigest() if mask is not None and mask.any() else "",
        named_patient=_salted(case.patient or "", salt),
        dicom_patient=_salted(_dicom_patient(case), salt),
    )


def refusal(error: GASNetError) -> Problem:
    """The problem that an error is for its case."""
    return Problem(REFUSED, error.cause, error.advice)


def mask_problems(case: Case, mask: np.ndarray, crop: NetworkCrop, voxel_ml: float) -> list[Problem]:
    """Whether a lesion mask (native grid; of voxels of ``voxel_ml``) fits the role of its case and the lungs.

    Args:
        crop: the CT on the network's grid, with the mask's coverage as ``lesions``.
    """
    if not mask.any():
        return _empty_mask_problems(case)
    ml = np.count_nonzero(mask) * voxel_ml
    if case.role == "healthy":
        advice = "Make it a labelled or a diseased case, or leave the mask out if it marks something else."
        return [Problem(REFUSED, f"A healthy case, but {ml:.1f} ml of lesions are marked.", advice)]
    return _place_problems(crop, ml)


def _readable_lesions(case: Case, volume: Volume) -> tuple[np.ndarray | None, list[Problem]]:
    if case.mask is None and case.role in ("labelled", "validation"):
        advice = "Give its lesion mask, or make it a diseased or a healthy case."
        return None, [Problem(REFUSED, f"A {case.role} case needs a mask, and there is none.", advice)]
    try:
        return None if case.mask is None else read_mask(case.mask, volume.geometry)[0], []
    except GASNetError as error:
        return None, [refusal(error)]


def _empty_mask_problems(case: Case) -> list[Problem]:
    if case.role == "labelled":
        advice = "Choose the mask with the lesions, or make it a healthy case."
        return [Problem(REFUSED, "The mask is empty: there is nothing to learn from.", advice)]
    if case.role == "healthy":
        return []
    return [Problem(FLAGGED, "The mask is empty.", "Check that this case has no lesions.")]


def _place_problems(crop: NetworkCrop, whole_ml: float) -> list[Problem]:
    lesions = crop.lesions.astype(np.float32) / COVERED
    lung = crop.lungs > 0
    near_share = float(lesions[_near(lung, crop)].sum()) * crop.grid.voxel_ml / whole_ml
    if near_share < MAYBE_ELSEWHERE:
        severity = REFUSED if near_share < SURELY_ELSEWHERE else FLAGGED
        cause = f"Only {near_share:.0%} of the mask lies in or near the lungs."
        return [Problem(severity, cause, "It may belong to another CT or be upside down: look at both.")]
    if np.mean(lesions[lung] > 0.5) > WHOLE_LUNG_SHARE:
        return [Problem(FLAGGED, "The mask covers the whole lungs.", "Check that it is not the lung mask.")]
    return []


def _near(lung: np.ndarray, crop: NetworkCrop) -> np.ndarray:
    image = crop.grid.image(lung.astype(np.uint8))
    distance = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    return sitk.GetArrayViewFromImage(distance) <= NEAR_LUNG_MM


def _salted(name: str, salt: bytes) -> str:
    return hashlib.sha256(salt + name.encode()).hexdigest() if name else ""


def _dicom_patient(case: Case) -> str:
    """The patient ID of a DICOM series; it leaves this module as a salted digest only."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    for file in files_of(case.ct):
        reader.SetFileName(str(file))
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            continue
        return reader.GetMetaData("0010|0020").strip() if reader.HasMetaDataKey("0010|0020") else ""
    return ""
