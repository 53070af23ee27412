"""The objective of GASNet (Xu et al. 2020, Objective): which network sees which volume, and what it costs.

D learns to tell synthetic and diseased volumes (1) from real healthy ones (0); S and G learn to deceive it, S
from all that is known of the labels besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..volume import WINDOW_HU
from . import terms
from .augmentation import UNITS_PER_HU, gaussian, smoothed
from .batches import Batch
from .pseudo_labels import changed_density, pseudo_labelled, synthetic_healthy, transplanted
from .settings import DiscriminatorView, Settings

WEIGHTED_BY_LAMBDA = ("segmentation", "healthy", "mil", "ps", "transplant")
"""L_GAN + λ_s · (L_S + healthy + L_MIL + L_ps + transplant) + reconstruction + repair."""


NOWHERE = -30.0
"""Logit of S beyond its reach: a probability of 1e-13."""


@dataclass(frozen=True)
class Networks:
    """S, G and D; G and D are None where no term needs them."""

    segmenter: nn.Module
    generator: nn.Module | None = None
    discriminator: nn.Module | None = None

    def segment(self, image: Tensor, near: Tensor) -> Tensor:
        """S's logits (N, 1, D, H, W), float32, heard only where ``near`` is 1."""
        return heard(self.segmenter(image), near)

    def named(self) -> dict[str, nn.Module]:
        """Those that there are."""
        return {name: network for name, network in vars(self).items() if network is not None}


def heard(logits: Tensor, near: Tensor) -> Tensor:
    """Logits of S, float32, with no lesion where ``near`` is 0."""
    return logits.float().masked_fill(near == 0, NOWHERE)


def total(losses: Mapping[str, Tensor], settings: Settings) -> Tensor:
    """The weighted sum that S and G descend."""
    return sum(
        loss * (settings.lambda_s if name in WEIGHTED_BY_LAMBDA else 1.0) for name, loss in losses.items()
    )


def discriminator_losses(
    networks: Networks, diseased: Batch, healthy: Batch, active: frozenset[str], settings: Settings
) -> dict[str, Tensor]:
    """What D descends: L_GAN, and L_IgToD and L_IdToD where active. Graph through D alone."""
    with torch.no_grad():
        mask = networks.segment(diseased.image, diseased.near).sigmoid()
        generated = networks.generator(diseased.image).float()
        synthetic = synthetic_healthy(diseased.image, generated, mask)
    shown = {"synthetic": (synthetic, diseased), "healthy": (healthy.image, healthy)}
    if "ig_to_d" in active:
        shown["generated"] = (generated, diseased)
    if "id_to_d" in active:
        shown["diseased"] = (diseased.image, diseased)
    logits = _scores(networks.discriminator, shown, settings.discriminator_view)
    losses = {"d_gan": terms.gan_discriminator(logits["synthetic"], logits["healthy"])}
    if "ig_to_d" in active:
        losses["d_ig_to_d"] = terms.ig_to_d_discriminator(logits["generated"])
    if "id_to_d" in active:
        losses["d_id_to_d"] = terms.id_to_d(logits["diseased"])
    return losses


def segmenter_generator_losses(
    networks: Networks,
    batch: Mapping[str, Batch],
    active: frozenset[str],
    settings: Settings,
    threshold: float = 0.5,
) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """What S and G descend, in parts whose graphs share nothing: terms, and shares of the lungs that S marks.

    Call ``backward`` on each part before asking for the next: then only one part's activations are held.

    Args:
        batch: by role, ``labelled``, ``diseased``, ``healthy``, as far as the active terms need them.
        threshold: probability above which S marks a voxel, for the shares.
    """
    s = settings
    if "segmentation" in active:
        labelled = batch["labelled"]
        logits = networks.segment(labelled.image, labelled.near)
        yield {"segmentation": terms.segmentation(logits, labelled.lesions, s.dice)}, {}
    if "healthy" in active:
        healthy = batch["healthy"]
        logits = networks.segment(healthy.image, healthy.near)
        yield {"healthy": terms.healthy(logits)}, {"share_healthy": marked(logits, healthy, threshold)}
    if active & {"gan", "mil", "ps"}:
        diseased = batch["diseased"]
        with torch.set_grad_enabled(bool(active & {"gan", "mil"})):
            logits = networks.segment(diseased.image, diseased.near)
        mask, shares = logits.detach().sigmoid(), {"share_diseased": marked(logits, diseased, threshold)}
        if active & {"gan", "mil"}:
            yield _on_diseased(networks, diseased, logits, active, s), shares
        del logits
    if "ps" in active:
        healthy = batch["healthy"]
        made = pseudo_labelled(diseased.image, healthy.image, mask, healthy.lungs, s.xi)
        logits = networks.segment(made.image, healthy.near)
        yield {"ps": terms.ps(logits, made.mask, made.known)}, shares
    if active & {"transplant", "repair"}:
        yield from _on_transplanted(networks, batch["labelled"], batch["healthy"], active, s)
    if "recons" in active:
        image = batch["healthy"].image
        yield {"recons": terms.recons(networks.generator(image).float(), image)}, {}


def marked(logits: Tensor, batch: Batch, threshold: float) -> Tensor:
    """Share of the lungs' voxels whose probability is above ``threshold``, mean over the volumes."""
    inside = batch.lungs.flatten(1)
    found = (logits.detach().flatten(1).sigmoid() > threshold) * inside
    return (found.sum(1) / inside.sum(1).clamp(min=1)).mean()


def as_discriminator_sees(image: Tensor, seeds: tuple[int, ...], view: DiscriminatorView) -> Tensor:
    """Volumes (N, 1, D, H, W) without what tells their source: one window, one smoothness, one noise.

    Differentiable; the noise follows the volumes' seeds.
    """
    low = WINDOW_HU[0]
    if (view.floor_hu, view.ceiling_hu) != WINDOW_HU:
        image = image.clamp(
            -1 + (view.floor_hu - low) * UNITS_PER_HU, -1 + (view.ceiling_hu - low) * UNITS_PER_HU
        )
    if view.blur:
        image = smoothed(image, view.blur)
    if view.noise_hu:
        noise = torch.stack([gaussian(image.shape[1:], seed + 1, image.device) for seed in seeds])
        image = image + noise * (view.noise_hu * UNITS_PER_HU)
    return image


def _on_diseased(
    networks: Networks,
    diseased: Batch,
    logits: Tensor,
    active: frozenset[str],
    settings: Settings,
) -> dict[str, Tensor]:
    """The terms on S(I_d) and G(I_d): L_GAN, L_IgToD and L_MIL."""
    losses = {}
    if "gan" in active:
        generated = networks.generator(diseased.image).float()
        shown = {"synthetic": (synthetic_healthy(diseased.image, generated, logits.sigmoid()), diseased)}
        if "ig_to_d" in active:
            shown["generated"] = (generated, diseased)
        scores = _scores(networks.discriminator, shown, settings.discriminator_view)
        losses["gan"] = terms.gan_deceive(scores["synthetic"])
        if "ig_to_d" in active:
            losses["ig_to_d"] = terms.ig_to_d_deceive(scores["generated"])
    if "mil" in active:
        losses["mil"] = terms.mil(logits, diseased.lungs, settings.mil_voxels)
    return losses


def _on_transplanted(
    networks: Networks, labelled: Batch, healthy: Batch, active: frozenset[str], settings: Settings
) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """The terms on a labelled lesion in healthy lungs: S should find it, and G take it out (ours)."""
    lesions = changed_density(labelled.image, labelled.seeds, settings.transplant_hu)
    made = transplanted(lesions, healthy.image, labelled.lesions, healthy.lungs)
    if "transplant" in active:
        logits = networks.segment(made.image, healthy.near)
        yield {"transplant": terms.segmentation(logits, made.mask, settings.dice)}, {}
    if "repair" in active:
        generated = networks.generator(made.image).float()
        yield {"repair": terms.repair(generated, healthy.image, made.mask)}, {}


def _scores(
    discriminator: nn.Module, shown: Mapping[str, tuple[Tensor, Batch]], view: DiscriminatorView
) -> dict[str, Tensor]:
    """D's logits of several kinds of volumes, in one pass."""
    images = [as_discriminator_sees(image, batch.seeds, view) for image, batch in shown.values()]
    logits = discriminator(torch.cat(images))
    return dict(zip(shown, logits.split([len(image) for image in images]), strict=True))
