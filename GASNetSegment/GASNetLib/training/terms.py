"""The terms of the objective, each a function: the paper's eight, named after it (Xu et al. 2020), and ours.

Every term is a mean over the volumes of a batch of a value per volume, so that a batch gives the same loss in
micro-batches and on several GPUs. All take *logits*: S's logits (N, 1, D, H, W), D's logits (N,).
For D, *synthetic* and *diseased* are 1, *real healthy* is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import logsigmoid, mse_loss

SYNTHETIC, HEALTHY = 1.0, 0.0


def gan_discriminator(synthetic: Tensor, healthy: Tensor) -> Tensor:
    """L_GAN as D sees it: E −log D(I_s) + E −log(1 − D(I_h))."""
    return _towards(synthetic, SYNTHETIC) + _towards(healthy, HEALTHY)


def gan_deceive(synthetic: Tensor) -> Tensor:
    """L_GAN as S and G see it, non-saturating (ours): D should call I_s healthy."""
    return _towards(synthetic, HEALTHY)


def ig_to_d_discriminator(generated: Tensor) -> Tensor:
    """L_IgToD as D sees it: E −log D(G(I_d))."""
    return _towards(generated, SYNTHETIC)


def ig_to_d_deceive(generated: Tensor) -> Tensor:
    """L_IgToD as G sees it: it supervises G where M̂ ≈ 0."""
    return _towards(generated, HEALTHY)


def id_to_d(diseased: Tensor) -> Tensor:
    """L_IdToD, for D alone: E −log D(I_d); keeps D sensitive to lesions, which prevents the collapse."""
    return _towards(diseased, SYNTHETIC)


def segmentation(logits: Tensor, mask: Tensor, dice: bool = False) -> Tensor:
    """L_S = CE(S(I_l), M_l); ``mask`` in [0, 1] may be soft. ``dice`` adds the soft Dice loss (ours)."""
    loss = bce(logits, mask)
    return loss + soft_dice(logits, mask) if dice else loss


def healthy(logits: Tensor) -> Tensor:
    """CE(S(I_h), 0): nothing is lesion in a healthy volume."""
    return bce(logits, torch.zeros_like(logits))


def recons(generated: Tensor, healthy_volume: Tensor) -> Tensor:
    """L_recons = MSE(G(I_h), I_h): G is the identity on healthy tissue."""
    return mse_loss(generated, healthy_volume)


def mil(logits: Tensor, lungs: Tensor, voxels: int = 1) -> Tensor:
    """L_MIL = −log max S(I_d) over the voxels within the lungs.

    Args:
        lungs: (N, 1, D, H, W), non-zero within the lungs; a volume without any counts whole.
        voxels: how many of the highest the loss is averaged over; more than 1 (ours) keeps S from fixing on
            a single voxel.
    """
    inside = lungs.flatten(1) > 0
    inside = inside | ~inside.any(dim=1, keepdim=True)
    scores = logits.flatten(1).masked_fill(~inside, -torch.inf)
    highest = scores.topk(min(voxels, scores.shape[1]), dim=1).values
    # A lung of fewer voxels leaves −inf among the highest: those count as the last real one.
    highest = torch.where(torch.isinf(highest), highest[:, :1], highest)
    return -logsigmoid(highest).mean()


def ps(logits: Tensor, mask: Tensor, known: Tensor) -> Tensor:
    """L_ps = CE(S(I_ps), M_ps) over the voxels that are not *ignore*.

    Args:
        mask: M_ps, 1 lesion and 0 not. known: 0 where the label is *ignore*, else 1; shapes as ``logits``.
    """
    per_voxel = bce(logits, mask, reduction="none") * known
    per_volume = per_voxel.flatten(1).sum(1) / known.flatten(1).sum(1).clamp(min=1)
    return per_volume.mean()


def repair(generated: Tensor, healthy_volume: Tensor, mask: Tensor) -> Tensor:
    """Mean |G(I_t) − I_h| where the lesion was set in, plus that over the whole volume (ours).

    A volume that a lesion was transplanted into has a true healthy counterpart: the volume before. Absolute
    and not squared differences, which would blur.

    Args:
        generated: G(I_t). healthy_volume: I_h. mask: share of lesion in [0, 1]. All (N, 1, D, H, W).
    """
    difference, mask = (generated - healthy_volume).abs().flatten(1), mask.flatten(1)
    within = (difference * mask).sum(1) / (mask.sum(1) + 1)
    return (within + difference.mean(1)).mean()


def soft_dice(logits: Tensor, mask: Tensor) -> Tensor:
    """1 − soft Dice, per volume, then averaged; a volume without lesion asks for none."""
    probability, mask = logits.sigmoid().flatten(1), mask.flatten(1)
    overlap = 2 * (probability * mask).sum(1) + 1
    return (1 - overlap / (probability.sum(1) + mask.sum(1) + 1)).mean()


def _towards(logits: Tensor, label: float) -> Tensor:
    return bce(logits, torch.full_like(logits, label))
