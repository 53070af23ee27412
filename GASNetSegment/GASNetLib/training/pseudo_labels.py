"""Synthetic volumes: the healthy counterpart I_s, and pseudo-labelled I_ps with M_ps (Xu et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .augmentation import UNITS_PER_HU, WATER

SOFT_TISSUE_HU = 50.0
TEXTURE_LEFT = 0.1
"""Share of its contrast that a lesion keeps when it becomes a consolidation."""


@dataclass(frozen=True)
class PseudoLabelled:
    """A lesion transplanted into healthy lungs; tensors (N, 1, D, H, W).

    Attributes:
        image: I_ps in [−1, 1]. mask: M_ps, 1 lesion, 0 not. known: 0 where M_ps is *ignore*, else 1.
    """

    image: Tensor
    mask: Tensor
    known: Tensor


def synthetic_healthy(diseased: Tensor, generated: Tensor, mask: Tensor) -> Tensor:
    """I_s = M̂ · G(I_d) + (1 − M̂) · I_d; ``mask`` is M̂ in [0, 1]."""
    return mask * generated + (1 - mask) * diseased


@torch.no_grad()
def pseudo_labelled(
    diseased: Tensor, healthy: Tensor, mask: Tensor, lungs: Tensor, xi: float
) -> PseudoLabelled:
    """I_ps = M·I_d + (1 − M)·I_h with M = M̂ · M_lung(I_h); detached.

    M_ps is 1 where M > 1 − ξ, 0 where M < ξ, *ignore* in between.

    Args:
        mask: M̂ = S(I_d) in [0, 1]. lungs: M_lung of the healthy volume, non-zero within. xi: ξ.
    """
    m = mask * (lungs > 0)
    lesion, none = m > 1 - xi, m < xi
    return PseudoLabelled(
        image=m * diseased + (1 - m) * healthy,
        mask=lesion.to(m.dtype),
        known=(lesion | none).to(m.dtype),
    )


@torch.no_grad()
def changed_density(image: Tensor, seeds: Sequence[int], range_hu: tuple[float, float]) -> Tensor:
    """Volumes (N, 1, D, H, W), the densities of half of them moved by random HU, each by its seed (ours).

    What becomes denser ends at soft tissue, with a tenth of its contrast; what was denser before stays as it
    was.
    """
    randoms = [np.random.default_rng([seed, 3]) for seed in seeds]
    moves = [random.integers(2) * random.uniform(*range_hu) * UNITS_PER_HU for random in randoms]
    move = torch.tensor(moves, dtype=image.dtype, device=image.device).view(-1, 1, 1, 1, 1)
    soft_tissue = WATER + SOFT_TISSUE_HU * UNITS_PER_HU
    ceiling = torch.maximum(image, soft_tissue + TEXTURE_LEFT * (image - soft_tissue))
    return torch.minimum(image + move, ceiling).clamp(min=-1)


@torch.no_grad()
def transplanted(labelled: Tensor, healthy: Tensor, mask: Tensor, lungs: Tensor) -> PseudoLabelled:
    """A labelled lesion set into healthy lungs: I_ps with M_l for M̂, so that every voxel is known (ours).

    Args:
        mask: M_l in [0, 1]; soft at the border. lungs: M_lung of the healthy volume, non-zero within.
    """
    m = mask * (lungs > 0)
    return PseudoLabelled(image=m * labelled + (1 - m) * healthy, mask=m, known=torch.ones_like(m))
