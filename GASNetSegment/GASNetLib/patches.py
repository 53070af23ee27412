"""A network's answer in overlapping patches, where that is better than in one pass over the whole crop.

Normalisation layers see the voxels of a patch while a network learns, and those of the whole crop afterwards.
For HU both ways are alike; where contrast was equalised place by place, patches find more of what is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

LEAST_OVERLAP = 0.25  # of a patch


def in_patches(network: Callable[[Tensor], Tensor], volume: Tensor, patch: Sequence[int]) -> Tensor:
    """What the network gives for each patch, blended where they overlap: near its middle a patch counts most.

    Args:
        volume: (N, 1, D, H, W). patch: voxels (depth, height, width); longer sides than the volume's are cut.

    Returns:
        (N, C, D, H, W) float32, with the C channels of the network.
    """
    size = [min(wanted, own) for wanted, own in zip(patch, volume.shape[2:], strict=True)]
    weight = _weight(size).to(volume.device)
    total = weights = None
    for corner in product(*map(_starts, volume.shape[2:], size)):
        part = (..., *(slice(start, start + length) for start, length in zip(corner, size, strict=True)))
        values = network(volume[part].contiguous(memory_format=torch.channels_last_3d)).float()
        if total is None:
            total = values.new_zeros(*values.shape[:2], *volume.shape[2:])
            weights = values.new_zeros(volume.shape[2:])
        total[part] += weight * values
        weights[part] += weight
    return total / weights


def _starts(length: int, patch: int) -> list[int]:
    """First voxels of the fewest patches along an axis that overlap enough, evenly spread."""
    count = math.ceil((length - patch) / (patch * (1 - LEAST_OVERLAP))) + 1
    return [round(k * (length - patch) / max(count - 1, 1)) for k in range(count)]


def _weight(size: Sequence[int]) -> Tensor:
    along_axes = [torch.hann_window(length + 2, periodic=False)[1:-1] for length in size]
    depth, height, width = along_axes
    return depth[:, None, None] * height[:, None] * width
