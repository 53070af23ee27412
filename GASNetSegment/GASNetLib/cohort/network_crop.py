"""A case on the network's grid: what the networks are trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..crop import margin_around, mask_to_network, network_grid, to_network
from ..geometry import Geometry
from ..lungs import LEFT, RIGHT, Lungs, lung_box
from ..volume import Volume
from .content import voxel_digest

COVERED = 255
"""Value of ``NetworkCrop.lesions`` where a lesion covers the whole voxel."""


@dataclass(frozen=True)
class NetworkCrop:
    """A case on the network's grid. The arrays may be read-only.

    Attributes:
        hu: Hounsfield units, not clipped to the window, int16 [40, 160, 160] (depth, height, width); a
            memory map when it comes from a file.
        lungs: uint8 [40, 160, 160]: 0 none, 1 right, 2 left, where lung covers half of the voxel or more.
        lesions: share of the voxel that lesion covers, scaled to 0..255, uint8 [40, 160, 160]; None without
            mask. Soft, so that a lesion thinner than a voxel is not lost to the training.
        grid: where the voxels lie.
        voxels: digest of the CT's voxels, the same in any format (:func:`.content.voxel_digest`).
        intensities: what kind the CT's were (:class:`GASNetLib.volume.Volume`); ``window`` is 0–255.
    """

    hu: np.ndarray
    lungs: np.ndarray
    lesions: np.ndarray | None
    grid: Geometry
    voxels: str
    intensities: str


def crop_to_lungs(
    volume: Volume, lungs: Lungs, lesions: np.ndarray | None = None, margin_mm: float = 5.0
) -> NetworkCrop:
    """Bring a CT, its lungs and its lesion mask (native grid, or None) onto the network's grid."""
    grid = network_grid(lung_box(lungs, margin_around(volume.intensities, margin_mm)))
    limits = np.iinfo(np.int16)
    hu = np.clip(np.rint(to_network(volume, grid)), limits.min, limits.max).astype(np.int16)
    right, left = (mask_to_network(lungs.labels == side, lungs.geometry, grid) for side in (RIGHT, LEFT))
    labels = np.where(right + left >= 0.5, np.where(left > right, LEFT, RIGHT), 0).astype(np.uint8)
    coverage = None
    if lesions is not None:
        coverage = np.rint(mask_to_network(lesions, volume.geometry, grid) * COVERED).astype(np.uint8)
    return NetworkCrop(hu, labels, coverage, grid, voxel_digest(volume), volume.intensities)
