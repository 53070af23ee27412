"""Trachea and main bronchi, by region growing from the trachea until it would leak into the lungs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .morphology import slice_components

TUBE_HU = -700  # at the coarse grid the tracheal wall is brighter than this, its inside darker
TUBE_AREA_MM2 = (40.0, 900.0)
LONGEST_SIDE_RATIO = 2.5
LARGEST_OFFSET_MM = 50.0  # from the body's midline
FEWEST_SLICES = 3
FIRST_HU, STEP_HU = -975, 25
BRIGHTEST_LUMEN_HU = -500
BRIGHTEST_EQUALISED_LUMEN_HU = -850  # above it lung is as dark, and growth seeps into it without a leap
LEAK_RATIO, LEAK_ML = 1.6, 25.0  # one step that adds more than both is a leak into the lungs


@dataclass(frozen=True)
class _Section:
    """Cross-section of a tube in one axial slice."""

    z: int
    rows: np.ndarray
    columns: np.ndarray

    def overlap(self, other: _Section, shape: tuple[int, int]) -> int:
        own = np.ravel_multi_index((self.rows, self.columns), shape)
        return int(np.isin(own, np.ravel_multi_index((other.rows, other.columns), shape)).sum())


def find_airways(
    hu: np.ndarray,
    air: np.ndarray,
    spacing: tuple[float, float, float],
    middle: float,
    above: float,
    absolute: bool = True,
) -> np.ndarray:
    """Mask (z, y, x) of the lumen of trachea and main bronchi; empty if no trachea is seen.

    Args:
        hu: on an axial grid (z upwards).
        air: air within the body.
        spacing: mm (x, y, z).
        middle: column of the body's midline.
        above: the trachea must reach higher than this slice.
        absolute: whether HU can be trusted, as they cannot after contrast equalisation.
    """
    seeds = _trachea(air & (hu < TUBE_HU), spacing, middle, above)
    mask = np.zeros(air.shape, bool)
    if not seeds:
        return mask
    for section in seeds:
        mask[section.z, section.rows, section.columns] = True
    inside = sitk.GetImageFromArray(np.where(air, hu, 0).astype(np.float32))
    points = [_middle_voxel(section) for section in seeds]
    voxel_ml = float(np.prod(spacing)) / 1000.0
    brightest = BRIGHTEST_LUMEN_HU if absolute else BRIGHTEST_EQUALISED_LUMEN_HU
    for threshold in range(FIRST_HU, brightest, STEP_HU):
        grown = sitk.GetArrayFromImage(sitk.ConnectedThreshold(inside, points, -5000, threshold)) > 0
        grown = grown | mask
        before, after = mask.sum() * voxel_ml, grown.sum() * voxel_ml
        if after > max(LEAK_RATIO * before, before + LEAK_ML):
            break
        mask = grown
    return mask


def _middle_voxel(section: _Section) -> tuple[int, int, int]:
    nearest = np.argmin(
        np.hypot(section.rows - section.rows.mean(), section.columns - section.columns.mean())
    )
    return int(section.columns[nearest]), int(section.rows[nearest]), section.z


def _trachea(
    dark: np.ndarray, spacing: tuple[float, float, float], middle: float, above: float
) -> list[_Section]:
    """The longest chain of overlapping tube sections near the midline that begins above the lungs' middle."""
    labels = slice_components(dark)
    shape = dark.shape[1:]
    chains: list[list[_Section]] = []
    growing: list[list[_Section]] = []
    for z in reversed(range(dark.shape[0])):
        sections = _tube_sections(labels[z], z, spacing, middle)
        continued = []
        for chain in growing:
            last = chain[-1]
            fits = [s for s in sections if s.overlap(last, shape) > 0.3 * min(len(s.rows), len(last.rows))]
            if fits:
                best = max(fits, key=lambda s: s.overlap(last, shape))
                sections = [s for s in sections if s is not best]
                chain.append(best)
                continued.append(chain)
        started = [[section] for section in sections]
        chains += started
        growing = continued + started
    tracheas = [chain for chain in chains if len(chain) >= FEWEST_SLICES and chain[0].z > above]
    return max(tracheas, key=len, default=[])


def _tube_sections(
    labels: np.ndarray, z: int, spacing: tuple[float, float, float], middle: float
) -> list[_Section]:
    sections = []
    rows, columns = np.nonzero(labels)
    found, which, counts = np.unique(labels[rows, columns], return_inverse=True, return_counts=True)
    for index in range(len(found)):
        area = counts[index] * spacing[0] * spacing[1]
        if not TUBE_AREA_MM2[0] <= area <= TUBE_AREA_MM2[1]:
            continue
        section = _Section(z, rows[which == index], columns[which == index])
        height, width = np.ptp(section.rows) + 1, np.ptp(section.columns) + 1
        round_enough = max(height, width) <= LONGEST_SIDE_RATIO * min(height, width)
        filled = counts[index] >= 0.5 * height * width
        central = abs(section.columns.mean() - middle) * spacing[0] <= LARGEST_OFFSET_MM
        if round_enough and filled and central:
            sections.append(section)
    return sections
