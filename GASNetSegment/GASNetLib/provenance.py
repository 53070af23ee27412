"""Where a result comes from, in words that fit into any file header."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np

from .version import VERSION

if TYPE_CHECKING:
    from .geometry import Geometry
    from .model import ModelInfo
    from .segment import Segmentation

PREFIX = "GASNet."
"""What the keys begin with in a file header or on a node."""


def provenance(segmentation: Segmentation) -> dict[str, str]:
    """Model and its hash, software, threshold, device and time (UTC); no patient data."""
    return {
        **made_by(segmentation.model, segmentation.created),
        "threshold": f"{segmentation.threshold:g}",
        "device": segmentation.device,
    }


def made_by(model: ModelInfo, created: str) -> dict[str, str]:
    """Model and its hash, software and time (UTC) of anything that a model made."""
    return {
        "model": model.name,
        "model_sha256": model.sha256,
        "software_version": VERSION,
        "created": created,
    }


def now() -> str:
    """This moment, ISO 8601 in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def image_sha256(array: np.ndarray, geometry: Geometry) -> str:
    """Hash of the voxels (z, y, x) of a CT, as they were handed in, and of its grid: tells it from others."""
    digest = hashlib.sha256(np.ascontiguousarray(array))
    digest.update(np.round(geometry.index_to_physical, 4).tobytes())
    return digest.hexdigest()
