"""Shrinking by averaging and linear interpolation between grids, in physical space.

ITK does it. Between grids with parallel axes, as those of nearly all CTs and of the network are, the same is
done axis by axis with matrices, which is several times as fast.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .geometry import Geometry

LARGEST_SKEW = 0.01  # voxels by which axes that count as parallel may diverge from one end to the other


def brought_to(
    grid: Geometry, values: np.ndarray, geometry: Geometry, outside: float, *, averaging: bool = False
) -> np.ndarray:
    """Values (z, y, x) of ``geometry`` at the positions of ``grid``, float32, linearly interpolated.

    Args:
        outside: value of what lies beyond ``geometry``; the outermost half voxel repeats the border value.
        averaging: first smooth as :func:`averaged` does.
    """
    axes = _parallel_axes(geometry, grid)
    if axes is not None:
        return _along_axes(values.astype(np.float32, copy=False), geometry, grid, axes, outside, averaging)
    image = geometry.image(values.astype(np.float32, copy=False))
    return sampled(averaged(image, grid) if averaging else image, grid, outside)


def nearest(grid: Geometry, labels: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Labels (z, y, x) of ``geometry`` at the positions of ``grid``, each that of the nearest voxel.

    Beyond ``geometry`` they are those of its border or 0.
    """
    axes = _parallel_axes(geometry, grid)
    if axes is None:
        return sampled(geometry.image(labels), grid, 0, sitk.sitkNearestNeighbor)
    labels = labels.transpose(axes)
    for axis, source in enumerate(axes):
        index = _weights(geometry, grid, source, axis, averaging=False).argmax(axis=1)
        labels = labels.take(index, axis)
    return labels


def _parallel_axes(geometry: Geometry, grid: Geometry) -> list[int] | None:
    """For each array axis (z, y, x) of ``grid`` the one of ``geometry`` parallel to it; None if oblique."""
    steps = np.linalg.solve(geometry.index_to_physical, grid.index_to_physical)[:3, :3]
    axes = np.abs(steps).argmax(axis=0)
    skew = np.abs(steps) * grid.size
    skew[axes, range(3)] = 0.0
    if sorted(axes) != [0, 1, 2] or skew.max() > LARGEST_SKEW:
        return None
    return [2 - int(axes[2 - axis]) for axis in range(3)]


def _along_axes(
    values: np.ndarray,
    geometry: Geometry,
    grid: Geometry,
    axes: list[int],
    outside: float,
    averaging: bool,
) -> np.ndarray:
    values = values.transpose(axes)
    weights = [_weights(geometry, grid, source, axis, averaging) for axis, source in enumerate(axes)]
    # The axis that shrinks most comes first: what follows is cheaper by as much.
    for axis in sorted(range(3), key=lambda axis: len(weights[axis]) / values.shape[axis]):
        values = _contracted(weights[axis], values, axis)
    for axis, matrix in enumerate(weights):
        np.moveaxis(values, axis, 0)[matrix.sum(axis=1) < 0.5] = outside
    return values


def _contracted(matrix: np.ndarray, values: np.ndarray, axis: int) -> np.ndarray:
    if axis == 0:
        return (matrix @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])
    return np.matmul(matrix, values) if axis == 1 else np.matmul(values, matrix.T)


def _weights(geometry: Geometry, grid: Geometry, source: int, target: int, averaging: bool) -> np.ndarray:
    """How much each voxel along one axis gives to each of the grid's, (grid's, own): what ITK makes of unit
    vectors. Rows of positions beyond the image are zero.

    Args:
        source, target: array axes of ``geometry`` and of ``grid``.
    """
    to_index = np.linalg.solve(geometry.index_to_physical, grid.index_to_physical)
    step, start = to_index[2 - source, 2 - target], to_index[2 - source, 3]
    own, size = geometry.shape[source], grid.shape[target]
    last = start + step * (size - 1)
    line = Geometry((size, own, 1), (abs(step), 1.0, 1.0), (min(start, last), 0.0, 0.0))
    units = sitk.GetImageFromArray(np.eye(own, dtype=np.float32)[None])
    matrix = sampled(averaged(units, line) if averaging else units, line, 0.0)[0].T
    return np.ascontiguousarray(matrix if step > 0 else matrix[::-1])


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
    if not variance.any():
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
    box = tuple(slice(a, b) for a, b in zip(start[::-1].tolist(), stop[::-1].tolist(), strict=True))
    return box, geometry.part(box)
