"""How far from the lungs a lesion is looked for.

The lungs that a classical method finds lack some of the consolidation at the chest wall, so a result is not
cut off at their border, but at a distance from it. What lies farther away (fat, bowel, liver) need not be
learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d


def within_reach(lungs: Tensor, spacing: Sequence[float], reach_mm: float | None) -> Tensor:
    """1 where a voxel lies within a box of ± ``reach_mm`` around a voxel of the lungs, else 0.

    Args:
        lungs: (N, 1, D, H, W), non-zero within the lungs. spacing: mm (z, y, x).
        reach_mm: None: everywhere is 1.

    Returns:
        float32 of the same shape.
    """
    near = (lungs > 0).float()
    if reach_mm is None:
        return torch.ones_like(near)
    for axis, step in enumerate(spacing):
        radius, kernel, padding = round(reach_mm / step), [1, 1, 1], [0, 0, 0]
        kernel[axis], padding[axis] = 2 * radius + 1, radius
        near = max_pool3d(near, kernel, 1, padding)
    return near
