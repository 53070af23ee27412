"""How good S is on the validation cases, and what D has learned; whole volumes on the network's grid.

S looks at them as :func:`GASNetLib.segment.segment` does, so that what is measured is what a user will get.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import nn

from ..cohort.network_crop import COVERED
from ..metrics import Overlap, Summary, overlap, summary
from ..patches import in_patches
from .batches import Crop, Crops, whole_volume
from .objective import Networks, as_discriminator_sees, heard
from .precision import autocast
from .settings import Settings

PAPER_THRESHOLD = (0.5,)
CALIBRATION = tuple(round(0.1 + 0.05 * step, 2) for step in range(17))
HEALTHY_SHARE = 0.005
"""Share of healthy lungs that may be marked. From 0.3 % to 2 % the Dice with one label differs by 0.05."""

LEAST_BY_HEALTHY = 0.3
"""A network that knows its healthy cases by heart marks little of them at any threshold, more of others."""

MOST_HEALTHY = 32
"""Healthy cases that are looked at; more cost time and move the median little."""

GLANCE_HEALTHY = 8
"""The same while the training goes on, for the collapse watch."""

PROBE_PAIRS = 8
"""Pairs of volumes on which D is probed; more cost time and tell little more."""


@dataclass(frozen=True)
class Validation:
    """Figures over the validation cases at ``threshold``; ``cases`` holds the Dice of each."""

    dice: Summary
    sensitivity: Summary
    specificity: Summary
    cases: dict[str, float | None]
    threshold: float

    @property
    def score(self) -> float:
        """Mean Dice, by which the best parameters are chosen; 0 where it is undefined."""
        return self.dice.mean or 0.0


@dataclass(frozen=True)
class DiscriminatorEvidence:
    """What D goes by.

    Attributes:
        accuracy: on diseased against healthy volumes; here the source may give the answer.
        source_balanced_accuracy: on pairs of a healthy volume with and without a transplanted lesion; here
            only the lesion can.
        pairs: that were looked at.
    """

    accuracy: float
    source_balanced_accuracy: float
    pairs: int

    @property
    def goes_by_the_source(self) -> bool:
        """True if D tells the groups apart but not a lesion."""
        return self.pairs >= 4 and self.accuracy > 0.8 and self.source_balanced_accuracy < 0.6


@torch.no_grad()
def validate(
    segmenter: nn.Module,
    crops: Crops,
    names: Sequence[str],
    settings: Settings,
    device: torch.device,
    threshold: float | None = None,
) -> Validation:
    """Segment the cases and compare with their masks.

    Args:
        threshold: None: 0.5 or, with ``settings.calibrate``, the best one for these cases.

    Raises:
        InputError: a crop cannot be read.
    """
    thresholds = CALIBRATION if settings.calibrate else PAPER_THRESHOLD
    if threshold is not None:
        thresholds = (threshold,)
    overlaps: dict[float, list[Overlap]] = {cut: [] for cut in thresholds}
    segmenter.eval()
    for name in names:
        crop = crops[name]
        probability = predicted(segmenter, crop, settings, device)
        reference = crop.lesions >= COVERED / 2
        for cut, found in overlaps.items():
            found.append(overlap(probability > cut, reference))
    segmenter.train()

    def mean_dice(cut: float) -> tuple[float, float]:
        return summary(o.dice for o in overlaps[cut]).mean or 0.0, -abs(cut - 0.5)

    best = max(thresholds, key=mean_dice)
    return Validation(
        dice=summary(o.dice for o in overlaps[best]),
        sensitivity=summary(o.sensitivity for o in overlaps[best]),
        specificity=summary(o.specificity for o in overlaps[best]),
        cases={name: o.dice for name, o in zip(names, overlaps[best], strict=True)},
        threshold=best,
    )


def threshold_by_healthy(
    segmenter: nn.Module,
    crops: Crops,
    names: Sequence[str],
    settings: Settings,
    device: torch.device,
    most: int = MOST_HEALTHY,
) -> float:
    """The lowest threshold that marks at most ``HEALTHY_SHARE`` of the lungs of the median healthy case.

    For trainings without masks to validate on: the volume labels tell where to cut (ours). How boldly a
    network marks depends on the few labelled cases it saw, so 0.5 would mean something else for each. The
    median, because a case that is called healthy may have something else.

    Args:
        names: healthy cases, which S may have learned from. most: so many of them are looked at.

    Returns:
        One of ``CALIBRATION`` from ``LEAST_BY_HEALTHY`` on, the highest if none is high enough; 0.5 without
        any healthy case.

    Raises:
        InputError: a crop cannot be read.
    """
    if not names:
        return PAPER_THRESHOLD[0]
    thresholds = [threshold for threshold in CALIBRATION if threshold >= LEAST_BY_HEALTHY]
    shares = []
    segmenter.eval()
    for name in names[:: math.ceil(len(names) / most)]:
        crop = crops[name]
        inside = predicted(segmenter, crop, settings, device)[crop.lungs > 0]
        shares.append([(inside > threshold).mean() for threshold in thresholds])
    segmenter.train()
    enough = np.median(shares, axis=0) <= HEALTHY_SHARE
    return thresholds[int(enough.argmax())] if enough.any() else thresholds[-1]


def predicted(segmenter: nn.Module, crop: Crop, settings: Settings, device: torch.device) -> np.ndarray:
    """Probability (D, H, W), float32, as a model of these settings gives it: 0–255 in patches, HU at once."""
    volume = whole_volume(crop, settings, device)
    in_parts = crop.intensities == "window"
    with torch.no_grad(), autocast(settings, device):
        logits = in_patches(segmenter, volume.image, settings.patch) if in_parts else segmenter(volume.image)
    return heard(logits, volume.near)[0, 0].sigmoid().cpu().numpy()


@torch.no_grad()
def discriminator_evidence(
    networks: Networks,
    crops: Crops,
    with_mask: Sequence[str],
    diseased: Sequence[str],
    healthy: Sequence[str],
    settings: Settings,
    device: torch.device,
) -> DiscriminatorEvidence | None:
    """Probe D; None without D or without the cases it takes."""
    if networks.discriminator is None or not (with_mask and diseased and healthy):
        return None

    def says_diseased(image: torch.Tensor) -> bool:
        seen = as_discriminator_sees(image, (0,), settings.discriminator_view)
        return networks.discriminator(seen).item() > 0

    def image_of(name: str) -> torch.Tensor:
        return whole_volume(crops[name], settings, device).image

    balanced, pairs = [], list(product(with_mask, healthy))
    step = max(1, len(pairs) // PROBE_PAIRS)
    for sick, sound in pairs[::step][:PROBE_PAIRS]:
        ill, well = (whole_volume(crops[name], settings, device) for name in (sick, sound))
        if ill.image.shape != well.image.shape:
            continue
        lesion = ill.lesions * well.lungs
        transplanted = lesion * ill.image + (1 - lesion) * well.image
        balanced += [says_diseased(transplanted), not says_diseased(well.image)]
    plain = [says_diseased(image_of(name)) for name in diseased[:PROBE_PAIRS]]
    plain += [not says_diseased(image_of(name)) for name in healthy[:PROBE_PAIRS]]
    if not balanced:
        return None
    return DiscriminatorEvidence(float(np.mean(plain)), float(np.mean(balanced)), len(balanced) // 2)
