"""The map between the native grid of a CT and the network's grid, both ways, in physical space.

The network's grid is a box around the lungs whose axes are the patient's (LPS), whatever the axes of the
CT: flipped, permuted and oblique volumes look the same to the network. Voxel *edges* lie on the box and all
positions go through mm, so nothing shifts by half a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import Geometry
from .resampling import brought_to, index_range, part_of, shrink_factors
from .volume import AIR_HU, WINDOW_HU, Volume

NETWORK_SHAPE = (40, 160, 160)
"""Depth, height, width of the network's grid (Xu et al. 2020, Preprocessing)."""


@dataclass(frozen=True)
class Box:
    """A box along the patient's axes; ``lower`` and ``upper`` are LPS mm (x, y, z)."""

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]


def network_grid(box: Box, shape: tuple[int, int, int] = NETWORK_SHAPE) -> Geometry:
    """Grid of ``shape`` (depth, height, width) that fills the box; z superior, y posterior, x left."""
    size = shape[::-1]
    spacing = np.subtract(box.upper, box.lower) / size
    origin = box.lower + spacing / 2
    return Geometry(size, tuple(spacing.tolist()), tuple(origin.tolist()))


def margin_around(intensities: str, margin_mm: float) -> float:
    """Millimetres around the lungs that the network sees, for a kind of intensities as a volume names them.

    0–255 images have none: around lungs whose contrast was equalised a margin costs Dice (model card).
    """
    return 0.0 if intensities == "window" else margin_mm


def to_network(volume: Volume, grid: Geometry) -> np.ndarray:
    """HU on the network's grid, float32, shape (depth, height, width).

    Where the grid is coarser, the voxels are averaged first (no aliasing). What lies outside the CT is air.
    """
    hu, geometry = _cut_out(volume.hu, volume.geometry, grid)
    if not hu.size:
        return np.full(grid.shape, AIR_HU, np.float32)
    hu = np.clip(hu, AIR_HU - 1000, 4000)
    return brought_to(grid, hu, geometry, AIR_HU, averaging=True)


def mask_to_network(mask: np.ndarray, geometry: Geometry, grid: Geometry) -> np.ndarray:
    """Share of each network voxel that the mask covers: float32 in [0, 1], (depth, height, width)."""
    mask, geometry = _cut_out(mask, geometry, grid)
    if not mask.size:
        return np.zeros(grid.shape, np.float32)
    return np.clip(brought_to(grid, mask != 0, geometry, 0.0, averaging=True), 0.0, 1.0)


def from_network(values: np.ndarray, grid: Geometry, geometry: Geometry, outside: float = 0.0) -> np.ndarray:
    """Bring values (depth, height, width) back to the native grid by linear interpolation.

    Returns:
        float32 (z, y, x) on ``geometry``; ``outside`` beyond the box.
    """
    # Zeros cost nothing until they are touched, and most of a CT lies beyond the box.
    native = np.full(geometry.shape, outside, np.float32) if outside else np.zeros(geometry.shape, np.float32)
    start, stop = index_range(geometry, grid.corners())
    if np.any(stop <= start):
        return native
    region, part = part_of(geometry, start, stop)
    native[region] = brought_to(part, values, grid, outside)
    return native


def normalise(hu: np.ndarray) -> np.ndarray:
    """HU clipped to [−1250, 250] and scaled linearly to [−1, 1], float32 (Xu et al. 2020, Preprocessing)."""
    low, high = WINDOW_HU
    return ((np.clip(hu, low, high) - low) * (2.0 / (high - low)) - 1.0).astype(np.float32)


def denormalise(values: np.ndarray) -> np.ndarray:
    """Inverse of :func:`normalise`: [−1, 1] to HU, float32."""
    low, high = WINDOW_HU
    return ((values + 1.0) * ((high - low) / 2.0) + low).astype(np.float32)


def _cut_out(array: np.ndarray, geometry: Geometry, grid: Geometry) -> tuple[np.ndarray, Geometry]:
    """The part around the grid, with the few voxels more that averaging needs; empty if there is none."""
    margin = int(np.ceil(max(shrink_factors(geometry, grid)))) + 1
    region, part = part_of(geometry, *index_range(geometry, grid.corners(), margin))
    return array[region], part
