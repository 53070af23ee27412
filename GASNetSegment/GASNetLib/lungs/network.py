"""A small network beside the classical lungs: it knows the shape of a chest where no air shows the lung.

Consolidation that reaches chest wall and mediastinum is lost to a threshold. The network sees HU on a grid of
about 4 mm around the classical lungs, and what it is sure of is added to them; it takes nothing away.
``Resources/Models/train_lungs.py`` trains it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..crop import Box, network_grid, normalise
from ..errors import ResourceError
from ..geometry import Geometry
from ..mask_box import box_around
from ..model import Model, load_model
from ..resampling import brought_to
from ..volume import AIR_HU
from .classical import Scan, nearest_side
from .morphology import distance_to

NETWORK_FILE = Path(__file__).with_name("lungs.safetensors")
STEP_MM = 4.0
MARGIN_MM = 30.0
SMALLEST = 16  # voxels along an axis, which the network's levels need
SURELY_LUNG = 0.8
FARTHEST_MM = 10.0
"""From the classical lungs; a diaphragm that stands high looks like a consolidated base."""


@lru_cache(maxsize=1)
def lungs_network() -> Model:
    """The network that comes with GASNet.

    Raises:
        ModelError: its file is missing or damaged.
    """
    return load_model(NETWORK_FILE)


def corrected(labels: np.ndarray, grid: Geometry, scan: Scan, network: Model) -> tuple[np.ndarray, Geometry]:
    """Labels (z, y, x) uint8 of both lungs on the scan's grid around them, and that grid.

    Args:
        labels: 0 none, 1 right, 2 left, on ``grid``, a part of the scan's.
        network: as :func:`lungs_network` gives it.
    """
    labels, grid, hu = around(labels, grid, scan)
    probability = brought_to(grid, *seen_by(network, scan, grid), 0.0)
    near = distance_to(labels > 0, grid.spacing) <= FARTHEST_MM
    tissue = hu >= scan.air  # what holds air and is not among the classical lungs is airway or bowel
    lung = (labels > 0) | (near & tissue & (probability > SURELY_LUNG))
    return np.where(lung, nearest_side(labels, grid.spacing), 0).astype(np.uint8), grid


def seen_by(network: Model, scan: Scan, grid: Geometry) -> tuple[np.ndarray, Geometry]:
    """The network's probability of lung, float32 (z, y, x), and the grid it is on, which covers ``grid``.

    Raises:
        ResourceError: it cannot be run.
    """
    import torch

    hu, lattice = on_lattice(scan, grid)
    try:
        with torch.inference_mode():
            logits = network.segmenter(torch.from_numpy(normalise(hu))[None, None])
            return torch.sigmoid(logits)[0, 0].numpy(), lattice
    except RuntimeError as error:  # too little memory is one
        raise ResourceError(
            f"The network that finds the lungs could not be run ({str(error).splitlines()[0]}).",
            "Close other programs, or find the lungs without their network.",
        ) from error


def on_lattice(scan: Scan, grid: Geometry) -> tuple[np.ndarray, Geometry]:
    """HU, float32 (z, y, x), on a grid of about ``STEP_MM`` that fills the outline of ``grid``, and it."""
    corners = grid.corners()
    lower, upper = corners.min(axis=0), corners.max(axis=0)
    size = np.maximum(np.rint((upper - lower) / STEP_MM).astype(int), SMALLEST)
    lattice = network_grid(Box(tuple(lower.tolist()), tuple(upper.tolist())), tuple(size[::-1].tolist()))
    hu = np.where(scan.unseen, AIR_HU, scan.hu)
    return brought_to(lattice, hu, scan.grid, AIR_HU, averaging=True), lattice


def around(
    labels: np.ndarray, grid: Geometry, scan: Scan, margin_mm: float = MARGIN_MM
) -> tuple[np.ndarray, Geometry, np.ndarray]:
    """The labels on that part of the scan's grid that holds them and ``margin_mm`` on every side, that part,
    and the scan's HU there."""
    whole = np.zeros(scan.hu.shape, np.uint8)
    first = np.rint(np.subtract(grid.origin, scan.grid.origin) / grid.spacing).astype(int)[::-1]
    whole[tuple(slice(at, at + size) for at, size in zip(first, labels.shape, strict=True))] = labels
    box = box_around(whole > 0, round(margin_mm / min(grid.spacing)))
    return whole[box], scan.grid.part(box), scan.hu[box]
