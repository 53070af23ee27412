"""The map between the native grid of a CT and the network's grid, both ways, in physical space.

The network's grid is a box around the lungs whose axes are the patient's (LPS), whatever the axes of the
CT: flipped, permuted and oblique volumes look the same to the network. Voxel *edges* lie on the box and all
positions go through mm, so nothing shifts by half a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .geometry import Geometry
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


def to_network(volume: Volume, grid: Geometry) -> np.ndarray:
    """HU on the network's grid, float32, shape (depth, height, width).

    Where the grid is coarser, the voxels are averaged first (no aliasing). What lies outside the CT is air.
    """
    image = sitk.Cast(volume.geometry.image(np.clip(volume.hu, AIR_HU - 1000, 4000)), sitk.sitkFloat32)
    return _sampled(_averaged(_cut_out(image, grid), grid), grid, float(AIR_HU))


def mask_to_network(mask: np.ndarray, geometry: Geometry, grid: Geometry) -> np.ndarray:
    """Share of each network voxel that the mask covers: float32 in [0, 1], (depth, height, width)."""
    image = geometry.image((mask != 0).astype(np.float32))
    return np.clip(_sampled(_averaged(_cut_out(image, grid), grid), grid, 0.0), 0.0, 1.0)


def from_network(values: np.ndarray, grid: Geometry, geometry: Geometry, outside: float = 0.0) -> np.ndarray:
    """Bring values (depth, height, width) back to the native grid by linear interpolation.

    Returns:
        float32 (z, y, x) on ``geometry``; ``outside`` beyond the box.
    """
    native = np.full(geometry.shape, outside, np.float32)
    start, stop = _index_range(geometry, grid.corners())
    if np.any(stop <= start):
        return native
    region = tuple(slice(a, b) for a, b in zip(start[::-1], stop[::-1], strict=True))
    origin = (geometry.index_to_physical @ np.append(start, 1.0))[:3]
    part = Geometry(
        tuple((stop - start).tolist()), geometry.spacing, tuple(origin.tolist()), geometry.direction
    )
    native[region] = _sampled(grid.image(values.astype(np.float32)), part, outside)
    return native


def normalise(hu: np.ndarray) -> np.ndarray:
    """HU clipped to [−1250, 250] and scaled linearly to [−1, 1], float32 (Xu et al. 2020, Preprocessing)."""
    low, high = WINDOW_HU
    return ((np.clip(hu, low, high) - low) * (2.0 / (high - low)) - 1.0).astype(np.float32)


def denormalise(values: np.ndarray) -> np.ndarray:
    """Inverse of :func:`normalise`: [−1, 1] to HU, float32."""
    low, high = WINDOW_HU
    return ((values + 1.0) * ((high - low) / 2.0) + low).astype(np.float32)


def _index_range(geometry: Geometry, points: np.ndarray, margin: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """First and last+1 index (x, y, z) of the part of ``geometry`` around LPS points (n, 3)."""
    homogeneous = np.c_[points, np.ones(len(points))].T
    index = np.linalg.solve(geometry.index_to_physical, homogeneous)[:3]
    start = np.floor(index.min(axis=1)).astype(int) - margin
    stop = np.ceil(index.max(axis=1)).astype(int) + 1 + margin
    return np.clip(start, 0, geometry.size), np.clip(stop, 0, geometry.size)


def _cut_out(image: sitk.Image, grid: Geometry) -> sitk.Image:
    """The part of the image around the grid, with the few voxels more that averaging needs."""
    geometry = Geometry.of(image)
    margin = int(np.ceil(max(_shrink_factors(geometry, grid)))) + 1
    start, stop = _index_range(geometry, grid.corners(), margin)
    if np.any(stop <= start):
        return image
    return sitk.RegionOfInterest(image, (stop - start).tolist(), start.tolist())


def _shrink_factors(geometry: Geometry, grid: Geometry) -> np.ndarray:
    """How many native voxels (along each native axis) make one voxel of the grid."""
    direction = np.abs(np.reshape(geometry.direction, (3, 3)))
    step_along_axis = direction.T @ np.asarray(grid.spacing) / direction.sum(axis=0)
    return step_along_axis / np.asarray(geometry.spacing)


def _averaged(image: sitk.Image, grid: Geometry) -> sitk.Image:
    """The image smoothed as a mean over one voxel of the grid would, and coarser where that loses nothing.

    Bins half as wide as the grid's voxels make the rest cheap; a Gaussian adds the missing variance. (Bins of
    the full width would depend on where the first one starts, and so on the orientation of the storage.)
    """
    factors = np.maximum(_shrink_factors(Geometry.of(image), grid), 1.0)
    bins = np.minimum(np.maximum(1, np.floor(factors / 2)).astype(int), image.GetSize())
    if bins.max() > 1:
        # BinShrink drops an incomplete last bin: the border is repeated to complete it.
        rest = (-np.asarray(image.GetSize())) % bins
        padded = sitk.ZeroFluxNeumannPad(image, [0, 0, 0], rest.tolist()) if rest.any() else image
        image = sitk.BinShrink(padded, bins.tolist())
    variance = (factors**2 - bins**2) / (12.0 * bins**2)  # of a uniform distribution, in voxels of a bin
    if variance.max() < 0.01:
        return image
    return sitk.DiscreteGaussian(image, variance.tolist(), 9, 0.01, False)


def _sampled(image: sitk.Image, grid: Geometry, outside: float) -> np.ndarray:
    """Linear interpolation at the grid's positions; the outermost half voxel repeats the border value."""
    filter_ = sitk.ResampleImageFilter()
    filter_.SetSize(grid.size)
    filter_.SetOutputSpacing(grid.spacing)
    filter_.SetOutputOrigin(grid.origin)
    filter_.SetOutputDirection(grid.direction)
    filter_.SetInterpolator(sitk.sitkLinear)
    filter_.SetDefaultPixelValue(outside)
    return sitk.GetArrayFromImage(filter_.Execute(image))
