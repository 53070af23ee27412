"""Where a result comes from, in words that fit into any file header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version import VERSION

if TYPE_CHECKING:
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
