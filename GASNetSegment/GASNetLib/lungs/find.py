"""Right and left lung of a chest CT, and the box around them that the network looks into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..crop import Box
from ..errors import NotAChestCT
from ..geometry import Geometry
from ..mask_box import box_around
from ..resampling import brought_to, index_range, nearest, part_of
from ..volume import Volume, check_chest_ct
from .classical import LEFT, RIGHT, classical_lungs, coarse_scan

if TYPE_CHECKING:
    from ..model import Model

METHODS = ("network", "classical", "lungmask")
"""The first one is taken where none is named."""


CUT_OFF_MM2 = 500.0  # lung area in the outermost slice from which on the scan is said to cut the lungs off
SMALLEST_SIDE = 0.02  # share of both lungs below which a side counts as not found


@dataclass(frozen=True)
class Lungs:
    """The lungs of a CT.

    Attributes:
        labels: uint8 (z, y, x) on the CT's own grid: 0 none, 1 right, 2 left.
        geometry: that grid.
        notes: sentences for the person, such as that the scan cuts the lungs off.
    """

    labels: np.ndarray
    geometry: Geometry
    notes: tuple[str, ...] = ()


def find_lungs(
    volume: Volume,
    method: str = METHODS[0],
    progress: Callable[[str, float], None] | None = None,
    network: Model | None = None,
) -> Lungs:
    """Find both lungs, without trachea and main bronchi, with what disease has filled as far as can be.

    Args:
        method: ``network``, the classical method corrected by a small network; ``classical`` alone, which
            loses consolidation that reaches both the chest wall and the mediastinum or diaphragm; or
            ``lungmask`` (Hofmanninger et al. 2020), if that package is installed and its weights lie on this
            computer.
        progress: called with the stage's name and the fraction done, 0 to 1.
        network: instead of the one that comes with GASNet.

    Raises:
        NotAChestCT: no lungs are seen.
        ResourceError: ``lungmask`` or its weights are missing, or the network cannot be run.
        ModelError: the network's file is missing or damaged.
        ValueError: unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    check_chest_ct(volume)
    report = progress or (lambda stage, fraction: None)
    report("lungs", 0.0)
    if method == "lungmask":
        from .by_lungmask import lungmask_lungs

        labels = lungmask_lungs(volume)
    else:
        scan = coarse_scan(volume)
        coarse, grid = classical_lungs(scan)
        report("lungs", 0.5)
        if method == "network":
            from .network import corrected, lungs_network

            coarse, grid = corrected(coarse, grid, scan, network or lungs_network())
            report("lungs", 0.8)
        labels = _on_native_grid(coarse, grid, volume.geometry)
    report("lungs", 1.0)
    return Lungs(labels, volume.geometry, _notes(labels, volume.geometry))


def lung_box(lungs: Lungs, margin_mm: float = 5.0) -> Box:
    """Box around both lungs with a margin on every side, along the patient's axes, in LPS mm.

    Raises:
        NotAChestCT: the labels hold no lung.
    """
    ends = _row_ends(lungs.labels > 0)
    to_physical = lungs.geometry.index_to_physical
    points = ends @ to_physical[:3, :3].T + to_physical[:3, 3]
    # From the centre of a voxel to its farthest corner, along each of the patient's axes.
    margin = margin_mm + np.abs(to_physical[:3, :3]).sum(axis=1) / 2
    lower, upper = points.min(axis=0) - margin, points.max(axis=0) + margin
    return Box(tuple(lower.tolist()), tuple(upper.tolist()))


def _row_ends(mask: np.ndarray) -> np.ndarray:
    """Index (x, y, z) of the first and the last voxel of every row of the mask, shape (n, 3).

    No voxel lies further out in any direction, oblique ones too, and rows are far fewer than voxels.
    """
    z, y = np.nonzero(mask.any(axis=2))
    if not z.size:
        raise NotAChestCT("No lungs are marked in the image.", "Find them first, or choose a chest CT.")
    rows = mask[z, y]
    first, last = rows.argmax(axis=1), mask.shape[2] - 1 - rows[:, ::-1].argmax(axis=1)
    return np.concatenate([np.stack([x, y, z], axis=1) for x in (first, last)])


def _on_native_grid(labels: np.ndarray, grid: Geometry, native: Geometry) -> np.ndarray:
    """Labels on the CT's grid; the surface is interpolated, so that the coarse grid leaves no staircase."""
    whole = np.zeros(native.shape, np.uint8)
    box = box_around(labels > 0, 2)  # little more than the lungs: sampling costs by the voxel
    labels, grid = labels[box], grid.part(box)
    region, part = part_of(native, *index_range(native, grid.corners()))
    share = brought_to(part, labels > 0, grid, 0.0)
    # The label of a lung goes on beyond its voxels, to where its share falls below a half.
    beyond = sitk.GetArrayFromImage(sitk.GrayscaleDilate(grid.image(labels), (1, 1, 1), sitk.sitkBox))
    sides = nearest(part, np.where(labels > 0, labels, beyond), grid)
    sides[share < 0.5] = 0
    whole[region] = sides
    return whole


def _notes(labels: np.ndarray, geometry: Geometry) -> tuple[str, ...]:
    notes = [
        f"The scan cuts the lungs off at the {end}: lesions there are not seen."
        for end in _cut_ends(labels > 0, geometry)
    ]
    right, left = (np.count_nonzero(labels == side) for side in (RIGHT, LEFT))
    for missing, name in ((right, "right"), (left, "left")):
        if missing < SMALLEST_SIDE * (right + left):
            notes.append(f"No air-filled {name} lung was found.")
    return tuple(notes)


def _cut_ends(mask: np.ndarray, geometry: Geometry) -> list[str]:
    """``bottom`` and ``top`` if the lungs go on into the scan's outermost slices there."""
    direction = np.reshape(geometry.direction, (3, 3))
    along = int(np.argmax(np.abs(direction[2])))  # the index axis (x, y, z) that runs along the patient
    area = np.prod([s for axis, s in enumerate(geometry.spacing) if axis != along])
    slices = np.moveaxis(mask, 2 - along, 0)
    ends = (slices[0], slices[-1]) if direction[2, along] > 0 else (slices[-1], slices[0])
    named = zip(("bottom", "top"), ends, strict=True)
    return [name for name, end in named if np.count_nonzero(end) * area > CUT_OFF_MM2]
