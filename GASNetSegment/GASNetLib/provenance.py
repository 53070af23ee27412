"""Where a result comes from, in words that fit into any file header."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from .version import VERSION

if TYPE_CHECKING:
    from .geometry import Geometry
    from .segment import Segmentation

PREFIX = "GASNet."
"""What the keys begin with in a file header or on a node."""


def provenance(segmentation: Segmentation) -> dict[str, str]:
    """Model and its hash, software, threshold, device and time (UTC); no patient data."""
    return {
        "model": segmentation.model.name,
        "model_sha256": segmentation.model.sha256,
        "software_version": VERSION,
        "threshold": f"{segmentation.threshold:g}",
        "device": segmentation.device,
        "created": segmentation.created,
    }


def image_sha256(array: np.ndarray, geometry: Geometry) -> str:
    """Hash of the voxels (z, y, x) of a CT, as they were handed in, and of its grid: tells it from others."""
    digest = hashlib.sha256(np.ascontiguousarray(array))
    digest.update(np.round(geometry.index_to_physical, 4).tobytes())
    return digest.hexdigest()
