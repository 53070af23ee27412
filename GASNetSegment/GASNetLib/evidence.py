"""What a segmentation leaves behind so that its threshold stays a view: probability in steps, and the lungs.

The probability is kept as ``ceil(200 p)`` in one byte. For every threshold that is a multiple of 0.005 the
mask taken from the steps is exactly the mask taken from the probability itself, because
``p > k/200`` holds if and only if ``ceil(200 p) > k`` (both in double precision).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .mask_box import Slices, box_around
from .provenance import provenance
from .threshold import checked_threshold

if TYPE_CHECKING:
    from .segment import Segmentation

STEPS = 200
PROBABILITY, LUNGS = 0, 1
"""Components of an evidence array."""


def evidence_of(segmentation: Segmentation) -> np.ndarray:
    """Evidence of a segmentation: uint8 (z, y, x, 2); probability steps, and the lungs (1 right, 2 left)."""
    evidence = np.empty((*segmentation.probability.shape, 2), np.uint8)
    for z, plane in enumerate(segmentation.probability):  # slice by slice: no second float copy of the CT
        evidence[z, ..., PROBABILITY] = np.ceil(plane.astype(np.float64) * STEPS)
    evidence[..., LUNGS] = segmentation.lungs.labels
    return evidence


def evidence_box(evidence: np.ndarray) -> Slices:
    """The box (z, y, x) that holds all of an evidence; beyond it nothing was found."""
    return box_around(np.ascontiguousarray(evidence).view(np.uint16)[..., 0])


def lesions_above(evidence: np.ndarray, threshold: float) -> np.ndarray:
    """Lesion mask at a threshold, uint8 (z, y, x).

    Raises:
        ValueError: not between 0 and 1.
    """
    return (evidence[..., PROBABILITY] > round(stepped(threshold) * STEPS)).view(np.uint8)


def stepped(threshold: float) -> float:
    """The nearest threshold that the evidence can show exactly: a multiple of 0.005, between 0 and 1.

    Raises:
        ValueError: not between 0 and 1.
    """
    return min(max(round(checked_threshold(threshold) * STEPS), 1), STEPS - 1) / STEPS


def provenance_of(segmentation: Segmentation, lungs_method: str) -> dict:
    """Where a result comes from, as plain JSON values; it holds no patient data."""
    return {
        **provenance(segmentation),
        "threshold": stepped(segmentation.threshold),
        "lungs_method": lungs_method,
        "intensities": segmentation.volume.intensities,
        "seconds": segmentation.seconds,
        "notes": list(segmentation.notes),
    }
