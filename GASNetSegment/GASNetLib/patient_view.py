"""Planes and projections of a CT along the patient's axes, whatever the axes of the CT."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from .crop import Box
from .geometry import Geometry
from .lungs import Lungs, lung_box
from .resampling import binned, index_range, part_of, sampled
from .volume import AIR_HU, Volume

MARGIN_MM = 20.0
PLANE_STEP_MM = 0.6
PROJECTION_STEP_MM = 1.5
OUTSIDE_HU = -3024  # beyond the CT: darker than air in every window
NEIGHBOURS = 6  # voxels around the box that interpolation and averaging look at, at most
FULL = 200  # stored value of a whole mask voxel: masks are interpolated as bytes

SLICE, ROW, COLUMN = 0, 1, 2
"""Array axes of the patient's frame: to superior, to posterior, to the patient's left."""


@dataclass(frozen=True)
class Plane:
    """A plane through the patient, square pixels: HU, and lesion and lung as shares in [0, 1].

    Attributes:
        rows, columns: LPS mm of the outer edges along the array's axes, lowest first.
    """

    hu: np.ndarray
    lesion: np.ndarray
    lung: np.ndarray
    rows: tuple[float, float]
    columns: tuple[float, float]


@dataclass(frozen=True)
class Projection:
    """The chest seen from the front: mean HU, and the lesions' thickness in mm, both (z, x)."""

    hu: np.ndarray
    thickness_mm: np.ndarray
    rows: tuple[float, float]
    columns: tuple[float, float]


class PatientView:
    """A CT with its masks, to look at along the patient's axes within a box around the lungs.

    Args:
        lesions: mask (z, y, x) on the CT's grid.
        point: LPS mm that must lie within the box; default: none.
    """

    def __init__(
        self,
        volume: Volume,
        lesions: np.ndarray,
        lungs: Lungs,
        point: tuple[float, float, float] | None = None,
    ) -> None:
        self.box = _view_box(lung_box(lungs, MARGIN_MM), volume.geometry, point)
        corners = np.array(list(product(*zip(self.box.lower, self.box.upper, strict=True))))
        region, part = part_of(volume.geometry, *index_range(volume.geometry, corners, NEIGHBOURS))
        # Padding outside the field of view lies far below air and would darken what it is averaged with.
        self._hu = part.image(np.maximum(volume.hu[region], AIR_HU))
        self._lesion = part.image((lesions[region] != 0).astype(np.uint8) * np.uint8(FULL))
        self._lung = part.image((lungs.labels[region] != 0).astype(np.uint8) * np.uint8(FULL))

    def plane(self, axis: int, point: tuple[float, float, float]) -> Plane:
        """The plane across ``axis`` (0 axial, 1 coronal, 2 sagittal) through a point in LPS mm."""
        grid = self._grid(PLANE_STEP_MM, axis, point)
        hu, lesion, lung = (
            np.take(sampled(image, grid, outside), 0, axis=axis)
            for image, outside in ((self._hu, OUTSIDE_HU), (self._lesion, 0), (self._lung, 0))
        )
        rows, columns = (self._edges(grid, a) for a in range(3) if a != axis)
        return Plane(hu, lesion / np.float32(FULL), lung / np.float32(FULL), rows, columns)

    def front(self) -> Projection:
        """The projection from front to back."""
        grid = self._grid(PROJECTION_STEP_MM)
        hu = sampled(binned(self._hu, grid), grid, AIR_HU).mean(axis=ROW, dtype=np.float32)
        share = sampled(binned(self._lesion, grid), grid, 0).sum(axis=ROW, dtype=np.float32) / FULL
        return Projection(hu, share * grid.spacing[1], self._edges(grid, SLICE), self._edges(grid, COLUMN))

    def _grid(
        self, step: float, axis: int | None = None, point: tuple[float, float, float] | None = None
    ) -> Geometry:
        """Grid over the box along the patient's axes; across ``axis`` only the plane of the point."""
        lower, upper = np.array(self.box.lower), np.array(self.box.upper)
        size = np.maximum(1, np.round((upper - lower) / step)).astype(int)
        origin = lower + step / 2
        if axis is not None:
            size[2 - axis], origin[2 - axis] = 1, point[2 - axis]
        return Geometry(tuple(size.tolist()), (step,) * 3, tuple(origin.tolist()))

    @staticmethod
    def _edges(grid: Geometry, axis: int) -> tuple[float, float]:
        start = grid.origin[2 - axis] - grid.spacing[2 - axis] / 2
        return start, start + grid.size[2 - axis] * grid.spacing[2 - axis]


def _view_box(box: Box, geometry: Geometry, point: tuple[float, float, float] | None) -> Box:
    """The box with the point and some tissue around it, less what lies beyond the CT on all sides."""
    around = [box.lower, box.upper] if point is None else [*_around(point), box.lower, box.upper]
    corners = geometry.corners()
    lower = np.maximum(np.min(around, axis=0), corners.min(axis=0))
    upper = np.minimum(np.max(around, axis=0), corners.max(axis=0))
    return Box(tuple(lower.tolist()), tuple(upper.tolist()))


def _around(point: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    return np.subtract(point, MARGIN_MM), np.add(point, MARGIN_MM)
