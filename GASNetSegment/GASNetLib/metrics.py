"""How well a segmentation agrees with a reference: overlap, surface distances, and their mean over cases.

What is undefined is None, never NaN: a mean over None fails loudly, and :func:`summary` leaves it out and
says of how many cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .geometry import Geometry
from .mask_box import box_around


@dataclass(frozen=True)
class Overlap:
    """Agreement of two masks, counted in voxels.

    The measures lie between 0 and 1 (Dice, sensitivity and specificity as in Xu et al. 2020). One is None
    where its ratio is 0 / 0: Dice if both masks are empty, sensitivity if the reference is, precision if the
    prediction is, specificity if the reference fills the region. Some programs count an empty pair as Dice 1;
    "Metrics Reloaded" (Maier-Hein et al., Nat Methods 2024) calls it undefined, and so do we.
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def dice(self) -> float | None:
        """2·TP / (2·TP + FP + FN): 0 for lesions predicted in a case without any."""
        return _ratio(
            2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives
        )

    @property
    def sensitivity(self) -> float | None:
        """TP / (TP + FN): share of the reference that was found."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float | None:
        """TN / (TN + FP); it depends on how much there is around the lesions: give a region."""
        return _ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def precision(self) -> float | None:
        """TP / (TP + FP): share of the prediction that is in the reference."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    def volume_error_ml(self, geometry: Geometry) -> float:
        """Predicted minus reference volume in millilitres."""
        return (self.false_positives - self.false_negatives) * geometry.voxel_ml


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances between the surfaces of two masks in mm; all None if either is empty.

    Attributes:
        mean: average symmetric surface distance, over the surface voxels of both.
        hausdorff95: the larger of the two directed 95th percentiles.
        hausdorff: the largest distance.
    """

    mean: float | None
    hausdorff95: float | None
    hausdorff: float | None


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation (n − 1) over the cases in which a measure is defined.

    Attributes:
        mean: None without a case. sd: None with fewer than two.
        n: cases that count. undefined: cases left out.
    """

    mean: float | None
    sd: float | None
    n: int
    undefined: int


def overlap(prediction: np.ndarray, reference: np.ndarray, region: np.ndarray | None = None) -> Overlap:
    """Count the agreement of two masks (z, y, x), not 0 where lesion.

    Args:
        region: mask of the voxels that count, such as the lungs; default: all.

    Raises:
        ValueError: the shapes differ.
    """
    _check_shapes(prediction, reference)
    found, true = prediction != 0, reference != 0
    if region is not None:
        _check_shapes(prediction, region)
        counted = region != 0
        found, true = found[counted], true[counted]
    both, predicted, wanted = (int(np.count_nonzero(mask)) for mask in (found & true, found, true))
    return Overlap(both, predicted - both, wanted - both, found.size - predicted - wanted + both)


def surface_distances(prediction: np.ndarray, reference: np.ndarray, geometry: Geometry) -> SurfaceDistances:
    """Distances in mm between the surface voxels of two masks (z, y, x), by exact distance maps.

    A surface voxel belongs to the mask and has one of 26 neighbours that does not; beyond the image counts as
    outside.

    Raises:
        ValueError: the shapes differ.
    """
    _check_shapes(prediction, reference)
    found, true = prediction != 0, reference != 0
    if not (found.any() and true.any()):
        return SurfaceDistances(None, None, None)
    box = box_around(found | true)
    surface_found, to_found = _surface(found[box], geometry.spacing)
    surface_true, to_true = _surface(true[box], geometry.spacing)
    forth, back = to_true[surface_found], to_found[surface_true]
    return SurfaceDistances(
        float((forth.sum(dtype=np.float64) + back.sum(dtype=np.float64)) / (forth.size + back.size)),
        float(max(np.percentile(forth, 95), np.percentile(back, 95))),
        float(max(forth.max(), back.max())),
    )


def summary(values: Iterable[float | None]) -> Summary:
    """Mean ± sample SD of a measure over cases; None (undefined) is counted and left out.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    values = list(values)
    defined = [float(value) for value in values if value is not None]
    if not all(math.isfinite(value) for value in defined):
        raise ValueError("a measure is not a finite number")
    return Summary(
        mean=float(np.mean(defined)) if defined else None,
        sd=float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
        n=len(defined),
        undefined=len(values) - len(defined),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _check_shapes(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape:
        raise ValueError(f"masks of shapes {first.shape} and {second.shape} cannot be compared")


def _surface(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Surface voxels of a mask, and the distance in mm of every voxel to them; a border of one is added."""
    image = sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
    image.SetSpacing(spacing)
    contour = sitk.BinaryContour(image, fullyConnected=True)
    # Maurer's map is measured from this same contour; its zeros are rounded, so they do not tell the surface.
    signed = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    return sitk.GetArrayFromImage(contour) != 0, np.abs(sitk.GetArrayFromImage(signed))
