"""Which lung a voxel belongs to, inside the lung masks and beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .lungs import LEFT, RIGHT
from .lungs.morphology import distance_to
from .mask_box import Slices, box_around

STEP_MM = 4.0
"""How finely the nearer lung is told: millions of voxels, and only the midline matters."""


@dataclass(frozen=True)
class LungSides:
    """What the lungs alone tell. It stays as it is while a lesion is corrected; working it out takes longer
    than to measure the lesion.

    Attributes:
        right, left: number of voxels of each.
        nearer: label of the nearer lung, of cells of ``step`` (z, y, x) voxels.
    """

    right: int
    left: int
    nearer: np.ndarray
    step: tuple[int, int, int]

    @classmethod
    def of(cls, labels: np.ndarray, spacing: tuple[float, float, float]) -> LungSides:
        """Sides of a label image (z, y, x) with a spacing (x, y, z) in mm.

        Raises:
            InputError: no lung in it.
        """
        box = box_around(labels)
        lungs = labels[box]
        right, left = (int(np.count_nonzero(lungs == label)) for label in (RIGHT, LEFT))
        if right + left == 0:
            raise InputError(
                "No lungs are marked, so no share of them can be given.", "Find the lungs first."
            )
        step = np.maximum(1, np.round(STEP_MM / np.asarray(spacing))).astype(int)[::-1]
        to_right, to_left = (
            _distance(_cells(labels, label, box, step), step * spacing[::-1]) for label in (RIGHT, LEFT)
        )
        nearer = np.where(to_right <= to_left, RIGHT, LEFT).astype(np.uint8)
        return cls(right, left, nearer, tuple(step.tolist()))

    def given(self, labels: np.ndarray, index: tuple[np.ndarray, ...]) -> np.ndarray:
        """Labels of voxels, with those outside the lungs given to the nearer one.

        Args:
            labels: of the voxels, 0 outside. index: of the voxels in the grid, (z, y, x).
        """
        outside = np.flatnonzero(labels == 0)
        cell = tuple(axis[outside] // n for axis, n in zip(index, self.step, strict=True))
        sides = labels.copy()
        sides[outside] = self.nearer[cell]
        return sides


def _cells(labels: np.ndarray, label: int, box: Slices, step: np.ndarray) -> np.ndarray:
    """Which cells of the whole grid hold a voxel of a label; all of it lies in the box."""
    cells = np.zeros(-(-np.array(labels.shape) // step), bool)
    first = [ends.start // n for ends, n in zip(box, step, strict=True)]
    whole_cells = tuple(slice(a * n, ends.stop) for a, n, ends in zip(first, step, box, strict=True))
    part = labels[whole_cells] == label
    for axis, n in enumerate(step):
        part = np.logical_or.reduceat(part, np.arange(0, part.shape[axis], n), axis=axis)
    cells[tuple(slice(a, a + size) for a, size in zip(first, part.shape, strict=True))] = part
    return cells


def _distance(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Distance in mm to a mask, spacing (z, y, x); infinite if it is empty."""
    return distance_to(mask, spacing[::-1].tolist()) if mask.any() else np.full(mask.shape, np.inf)
