"""The box around a mask: most of a chest CT holds no lung and no lesion, and need not be worked on."""

from __future__ import annotations

import numpy as np

Slices = tuple[slice, slice, slice]


def box_around(mask: np.ndarray, margin: int = 0) -> Slices:
    """Slices (z, y, x) of the smallest box that holds all of a 3-D mask; the whole array if it is empty.

    Args:
        margin: voxels by which the box is wider on each side, where the array goes on.
    """
    rows = mask.any(axis=(1, 2))
    if not rows.any():
        return tuple(slice(0, size) for size in mask.shape)
    plane = mask.any(axis=0)
    return tuple(_range(line, margin) for line in (rows, plane.any(axis=1), plane.any(axis=0)))


def box_of_both(first: Slices, second: Slices) -> Slices:
    """The smallest box that holds two boxes."""
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True)
    )


def _range(line: np.ndarray, margin: int) -> slice:
    present = np.flatnonzero(line)
    return slice(max(0, int(present[0]) - margin), min(line.size, int(present[-1]) + 1 + margin))
