"""Shrinking by averaging and linear interpolation between grids, in physical space."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .geometry import Geometry


def averaged(image: sitk.Image, grid: Geometry) -> sitk.Image:
    """The image with neighbouring voxels averaged until it is about as coarse as ``grid`` (no aliasing)."""
    direction = np.abs(np.reshape(image.GetDirection(), (3, 3)))
    step_along_axis = direction.T @ np.asarray(grid.spacing) / direction.sum(axis=0)
    ratio = step_along_axis / np.asarray(image.GetSpacing())
    factors = np.maximum(1, np.floor(ratio + 0.25)).astype(int)
    if factors.max() == 1:
        return image
    # BinShrink drops an incomplete last bin: the border is repeated to complete it.
    rest = (-np.asarray(image.GetSize())) % factors
    padded = sitk.ZeroFluxNeumannPad(image, [0, 0, 0], rest.tolist()) if rest.any() else image
    return sitk.BinShrink(padded, factors.tolist())


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


def part_around(geometry: Geometry, points: np.ndarray) -> tuple[tuple[slice, slice, slice], Geometry]:
    """The part of a grid that encloses LPS points (n, 3): its slices in an array, its geometry."""
    index = np.linalg.solve(geometry.index_to_physical, np.c_[points, np.ones(len(points))].T)[:3]
    start = np.clip(np.floor(index.min(axis=1)).astype(int), 0, np.asarray(geometry.size) - 1)
    stop = np.clip(np.ceil(index.max(axis=1)).astype(int) + 1, start + 1, geometry.size)
    origin = (geometry.index_to_physical @ np.append(start, 1.0))[:3]
    size = tuple((stop - start).tolist())
    part = Geometry(size, geometry.spacing, tuple(origin.tolist()), geometry.direction)
    return tuple(slice(a, b) for a, b in zip(start[::-1].tolist(), stop[::-1].tolist(), strict=True)), part
