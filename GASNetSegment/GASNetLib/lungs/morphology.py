"""Binary morphology and components on arrays (z, y, x), by SimpleITK; radii are in voxels (x, y, z)."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

Radius = tuple[int, int, int]


def eroded(mask: np.ndarray, radius: Radius) -> np.ndarray:
    """Erosion by a ball; beyond the border counts as inside, so that what is cut off there stays."""
    return ~dilated(~mask, radius)


def dilated(mask: np.ndarray, radius: Radius) -> np.ndarray:
    """Dilation by a ball."""
    if max(radius) <= 1:
        return _dilated_by_one(mask, [axis for axis in range(3) if radius[2 - axis]])
    filter_ = sitk.BinaryDilateImageFilter()
    filter_.SetKernelRadius(radius)
    filter_.SetKernelType(sitk.sitkBall)
    return _applied(filter_, mask)


def _dilated_by_one(mask: np.ndarray, axes: list[int]) -> np.ndarray:
    """Dilation by the ball of one voxel: squares in the planes of ``axes``; ten times as fast as ITK."""
    lines = [_dilated_along(mask, axis) for axis in axes]
    if len(lines) < 2:
        return lines[0] if lines else mask.copy()
    grown = _dilated_along(lines[0], axes[1])
    for k in range(2, len(lines)):
        for line in lines[:k]:
            grown |= _dilated_along(line, axes[k])
    return grown


def _dilated_along(mask: np.ndarray, axis: int) -> np.ndarray:
    grown = mask.copy()
    source, target = np.moveaxis(mask, axis, 0), np.moveaxis(grown, axis, 0)
    target[1:] |= source[:-1]
    target[:-1] |= source[1:]
    return grown


def closed_over(mask: np.ndarray, steps: int) -> np.ndarray:
    """Closing by ``steps`` times the ball of one voxel; nothing is closed against the border."""
    one = (1, 1, 1)
    closed = np.pad(mask, steps)
    for _ in range(steps):
        closed = dilated(closed, one)
    for _ in range(steps):
        closed = eroded(closed, one)
    return closed[(slice(steps, -steps),) * 3]


def widely_closed(mask: np.ndarray, distance_mm: float, spacing: tuple[float, float, float]) -> np.ndarray:
    """Closing by a ball of ``distance_mm``, by distance maps (fast at any radius).

    The border is repeated, so that a mask cut off there is closed as if it went on.
    """
    margin = [int(np.ceil(distance_mm / s)) + 1 for s in spacing]
    widths = [(m, m) for m in reversed(margin)]
    grown = distance_to(np.pad(mask, widths, mode="edge"), spacing) <= distance_mm
    shrunk = distance_to(~grown, spacing) > distance_mm
    return shrunk[tuple(slice(before, -after) for before, after in widths)] | mask


def distance_to(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Distance in mm of every voxel to the nearest voxel of the mask (negative inside), float32."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing)
    distance = sitk.SignedMaurerDistanceMap(image, False, False, True)  # outside positive, mm, not squared
    return sitk.GetArrayFromImage(distance)


def components(mask: np.ndarray) -> np.ndarray:
    """Face-connected components in 3-D: labels from 1, int32-like (z, y, x)."""
    return sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))


def slice_components(mask: np.ndarray) -> np.ndarray:
    """Components of each axial slice by itself, with labels that are unique in the volume."""
    apart = np.zeros((2 * mask.shape[0], *mask.shape[1:]), np.uint8)
    apart[::2] = mask  # blank slices between them: one pass labels all
    return components(apart)[::2]


def grown_within(seeds: np.ndarray, allowed: np.ndarray, steps: int) -> np.ndarray:
    """Dilation of ``seeds`` by ``steps`` voxels that never leaves ``allowed``."""
    mask = seeds
    for _ in range(steps):
        mask = (dilated(mask, (1, 1, 1)) & allowed) | seeds
    return mask


def _applied(filter_: sitk.ImageFilter, mask: np.ndarray) -> np.ndarray:
    return sitk.GetArrayFromImage(filter_.Execute(sitk.GetImageFromArray(mask.astype(np.uint8)))) > 0
