"""The discriminator D of GASNet: the CycleGAN discriminator's structure in 3-D with spectral normalisation
(Xu et al. 2020, Networks).

Input: float tensor (N, 1, depth, height, width) in [−1, 1]. Output: one logit per volume, shape (N,), since
the label is a label of the volume (ours): high where the volume looks diseased or synthetic.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from .blocks import PaddedConv


@dataclass(frozen=True)
class DiscriminatorConfig:
    """What is needed to build a discriminator.

    Attributes:
        channels: basic channel number (CycleGAN: 64 in 2-D; ours: 16).
        levels: stride-2 convolutions, each doubling the channels (CycleGAN: 3).
    """

    channels: int = 16
    levels: int = 3


class Discriminator(nn.Module):
    """4³ convolutions with leaky ReLU; the local scores are averaged over the volume.

    Spectral normalisation takes the place of CycleGAN's instance normalisation. Its power iteration is
    stepped by :meth:`step_spectral_norm`, once per update, and not by every forward pass: the same weights
    for all volumes of an update, however they are split into micro-batches. Padded by 2, so that a depth of
    16 survives three halvings.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = [1, *(config.channels * 2**level for level in range(config.levels + 1))]
        layers: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(pairwise(widths)):
            stride = 2 if level < config.levels else 1
            layers.append(_spectral(PaddedConv(inputs, outputs, 4, stride, padding=2)))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.body = nn.Sequential(*layers, _spectral(PaddedConv(widths[-1], 1, 4, padding=1)))
        self.eval()

    @property
    def architecture(self) -> dict:
        """Plain data from which :func:`create_discriminator` builds the same network."""
        return asdict(self.config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x).float().mean(dim=(1, 2, 3, 4))

    @torch.no_grad()
    def step_spectral_norm(self) -> None:
        """One power iteration of every convolution's largest singular value."""
        for module in self.body:
            if parametrize.is_parametrized(module, "weight"):
                module.parametrizations.train()
                module.weight  # noqa: B018  (reading the weight iterates)
                module.parametrizations.eval()


def create_discriminator(architecture: dict) -> Discriminator:
    """Discriminator from plain data (fields of :class:`DiscriminatorConfig`; missing ones take the default).

    Raises:
        ValueError: unknown field or value.
    """
    unknown = set(architecture) - set(DiscriminatorConfig.__dataclass_fields__)
    if unknown:
        raise ValueError(f"unknown fields of a discriminator: {', '.join(sorted(unknown))}")
    config = DiscriminatorConfig(**architecture)
    if not (1 <= config.channels <= 256 and 1 <= config.levels <= 6):
        raise ValueError(
            f"a discriminator of {config.channels} channels and {config.levels} levels is not built"
        )
    return Discriminator(config)


def _spectral(convolution: nn.Conv3d) -> nn.Module:
    return parametrizations.spectral_norm(convolution)
