"""Shrinking by averaging and linear interpolation between grids, in physical space."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .geometry import Geometry


def shrink_factors(geometry: Geometry, grid: Geometry) -> np.ndarray:
    """How many voxels of ``geometry``, along each of its axes, make one voxel of the grid."""
    direction = np.abs(np.reshape(geometry.direction, (3, 3)))
    step_along_axis = direction.T @ np.asarray(grid.spacing) / direction.sum(axis=0)
    return step_along_axis / np.asarray(geometry.spacing)


def binned(image: sitk.Image, grid: Geometry) -> sitk.Image:
    """The image with neighbouring voxels averaged until it is about as coarse as ``grid``."""
    factors = shrink_factors(Geometry.of(image), grid)
    return _bin_means(image, np.maximum(1, np.floor(factors + 0.25)).astype(int))


def averaged(image: sitk.Image, grid: Geometry) -> sitk.Image:
    """The image smoothed as a mean over one voxel of the grid would, and coarser where that loses nothing.

    Bins half as wide as the grid's voxels make the rest cheap; a Gaussian adds the missing variance. (Bins of
    the full width would depend on where the first one starts, and so on the orientation of the storage.)
    """
    factors = np.maximum(shrink_factors(Geometry.of(image), grid), 1.0)
    bins = np.minimum(np.maximum(1, np.floor(factors / 2)).astype(int), image.GetSize())
    image = _bin_means(image, bins)
    variance = (factors**2 - bins**2) / (12.0 * bins**2)  # of a uniform distribution, in voxels of a bin
    if variance.max() < 0.01:
        return image
    return sitk.DiscreteGaussian(image, variance.tolist(), 9, 0.01, False)


def _bin_means(image: sitk.Image, bins: np.ndarray) -> sitk.Image:
    if bins.max() == 1:
        return image
    # BinShrink drops an incomplete last bin: the border is repeated to complete it.
    rest = (-np.asarray(image.GetSize())) % bins
    padded = sitk.ZeroFluxNeumannPad(image, [0, 0, 0], rest.tolist()) if rest.any() else image
    return sitk.BinShrink(padded, bins.tolist())


def sampled(
    image: sitk.Image, grid: Geometry, outside: float, interpolator: int = sitk.sitkLinear
) -> np.ndarray:
    """Values (z, y, x) at the grid's positions; the outermost half voxel repeats the border value."""
    filter_ = sitk.ResampleImageFilter()
    filter_.SetSize(grid.size)
    filter_.SetOutputSpacing(grid.spacing)
    filter_.SetOutputOrigin(grid.origin)
    filter_.SetOutputDirection(grid.direction)
    filter_.SetInterpolator(interpolator)
    filter_.SetDefaultPixelValue(outside)
    return sitk.GetArrayFromImage(filter_.Execute(image))


def index_range(geometry: Geometry, points: np.ndarray, margin: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 index (x, y, z) of the part of a grid around LPS points (n, 3)."""
    index = np.linalg.solve(geometry.index_to_physical, np.c_[points, np.ones(len(points))].T)[:3]
    start = np.floor(index.min(axis=1)).astype(int) - margin
    stop = np.ceil(index.max(axis=1)).astype(int) + 1 + margin
    return np.clip(start, 0, geometry.size), np.clip(stop, 0, geometry.size)


def part_of(
    geometry: Geometry, start: np.ndarray, stop: np.ndarray
) -> tuple[tuple[slice, slice, slice], Geometry]:
    """The part of a grid between two indices (x, y, z): its slices in an array, its geometry."""
    origin = (geometry.index_to_physical @ np.append(start, 1.0))[:3]
    size = tuple((stop - start).tolist())
    part = Geometry(size, geometry.spacing, tuple(origin.tolist()), geometry.direction)
    return tuple(slice(a, b) for a, b in zip(start[::-1].tolist(), stop[::-1].tolist(), strict=True)), part
