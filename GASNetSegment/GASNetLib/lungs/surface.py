"""Filling what a threshold loses of the lung: vessels, consolidation, and lesions at the chest wall."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import SimpleITK as sitk

from ..mask_box import box_around
from .morphology import closed_over, dilated, eroded, slice_components, widely_closed

CLOSING_MM = 10.0
ANGLE_STEP_DEGREES = 3.0
DENT_DEGREES = 30.0  # half of the widest dent at the chest wall that is filled, around the lung
DENT_MM = 40.0  # the same along the patient
DEEPEST_DENT_MM = 40.0
THINNEST_DENT_MM = 4.0
LARGEST_BULGE_MM = 7.5  # of the back beyond the bridge over a deep dent: a chord of 80 mm at 110 mm
# Sine of the angle towards the midline up to which a lung lies at the chest wall, not at the mediastinum.
MOST_MEDIAL_BEHIND, MOST_MEDIAL_IN_FRONT = -0.6, -0.1

Spacing = tuple[float, float, float]


def filled_lungs(sides: np.ndarray, blocked: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Labels (z, y, x) of both lungs, each filled to its surface; what is ``blocked`` stays out.

    Args:
        sides: labels of lung tissue, 1 right, 2 left, on an axial grid (columns to the patient's left).
        blocked: what cannot be lung: airways, bowel gas, bone.
        spacing: mm (x, y, z).
    """
    labels = sides.copy()
    chest_walls = [(label, outwards) for label, outwards in ((1, -1), (2, 1)) if (sides == label).any()]
    with ThreadPoolExecutor(2) as pool:
        lungs = pool.map(lambda wall: _filled(sides == wall[0], blocked, spacing, wall[1]), chest_walls)
        for (label, _), (box, filled) in zip(chest_walls, lungs, strict=True):
            part = labels[box]
            part[filled & (part == 0)] = label
    return labels


def _filled(
    lung: np.ndarray, blocked: np.ndarray, spacing: Spacing, outwards: int
) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    """The box around one lung, and the lung in it, filled."""
    box = box_around(lung, round(CLOSING_MM / min(spacing)))
    blocked = blocked[box]
    filled = widely_closed(lung[box], CLOSING_MM, spacing)
    filled = filled | _costal_dents(filled & ~blocked, spacing, outwards)
    filled = closed_over(filled, 2)
    return box, (filled | _enclosed(filled)) & ~blocked


def _enclosed(lung: np.ndarray) -> np.ndarray:
    """Holes of the lung in at least two of the axial, coronal and sagittal planes.

    Consolidation is one; the dome of the liver is a hole in axial planes only.
    """
    planes = np.zeros(lung.shape, np.uint8)
    for axis in range(3):
        turned = np.moveaxis(lung, axis, 0)
        np.moveaxis(planes, axis, 0)[...] += ~turned & ~_open_to_rim(~turned)
    return planes >= 2


def _open_to_rim(free: np.ndarray) -> np.ndarray:
    """What of ``free`` connects to the rim of its plane, plane by plane along the first axis."""
    labels = slice_components(free)
    reached = np.zeros(labels.max() + 1, bool)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        reached[edge] = True
    reached[0] = False
    return reached[labels]


def _costal_dents(lung: np.ndarray, spacing: Spacing, outwards: int) -> np.ndarray:
    """What lies between a lung and the smooth chest wall: pleural lesions and consolidation, (z, y, x).

    The outermost radius of the lung around its middle, as a map over angle and slice, is smooth where the
    lung is healthy. A lesion at the chest wall is a dent in it: a closing of the map bridges the dent
    along the wall's curve, where a closing of the mask would cut the chord.

    Args:
        outwards: −1 where the chest wall lies at small columns (right lung), 1 for the left.
    """
    z, y, x = np.nonzero(lung)
    rows, columns = np.mgrid[: lung.shape[1], : lung.shape[2]]
    back, across = (rows - y.mean()) * spacing[1], (columns - x.mean()) * spacing[0]
    radius = np.hypot(back, across)
    bins = round(360 / ANGLE_STEP_DEGREES)
    angle = ((np.arctan2(back, across) / (2 * np.pi) % 1.0) * bins).astype(int) % bins
    outermost = np.zeros((lung.shape[0], bins), np.float32)
    np.maximum.at(outermost, (z, angle[y, x]), radius[y, x].astype(np.float32))
    bridged = _bridged(outermost, spacing[2])
    reach, wall = outermost[:, angle], bridged[:, angle]
    depth = wall - reach
    bulge = np.where(back > np.abs(across), np.minimum(depth / 3, LARGEST_BULGE_MM), 0.0)
    dents = (radius > np.maximum(reach, wall - DEEPEST_DENT_MM)) & (radius <= wall + bulge) & (reach > 0)
    dents &= depth > THINNEST_DENT_MM
    dents &= across * outwards > np.where(back > 0, MOST_MEDIAL_BEHIND, MOST_MEDIAL_IN_FRONT) * radius
    return dilated(eroded(dents, (1, 1, 1)), (1, 1, 1)) & dents


def _bridged(radius: np.ndarray, step_mm: float) -> np.ndarray:
    """Grey closing of the map (slices, angles), which wraps around in angle; beyond the slices is nothing."""
    turn, slices = round(DENT_DEGREES / ANGLE_STEP_DEGREES), max(1, round(DENT_MM / step_mm))
    around = np.pad(radius, ((slices, slices), (2 * turn, 2 * turn)), mode="wrap")
    around[:slices] = around[-slices:] = 0.0
    image = sitk.GetImageFromArray(around)
    inner = np.s_[slices:-slices, 2 * turn : -2 * turn]
    closings = [
        sitk.GetArrayFromImage(sitk.GrayscaleMorphologicalClosing(image, kernel, sitk.sitkBox))[inner]
        for kernel in ((turn, 1), (1, slices))
    ]
    return np.maximum(*closings)
