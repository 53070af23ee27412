"""Synthetic volumes: the healthy counterpart I_s, and pseudo-labelled I_ps with M_ps (Xu et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


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
def transplanted(labelled: Tensor, healthy: Tensor, mask: Tensor, lungs: Tensor) -> PseudoLabelled:
    """A labelled lesion set into healthy lungs: I_ps with M_l for M̂, so that every voxel is known (ours).

    Args:
        mask: M_l in [0, 1]; soft at the border. lungs: M_lung of the healthy volume, non-zero within.
    """
    m = mask * (lungs > 0)
    return PseudoLabelled(image=m * labelled + (1 - m) * healthy, mask=m, known=torch.ones_like(m))
