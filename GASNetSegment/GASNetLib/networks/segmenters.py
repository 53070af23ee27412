"""The segmenter S of GASNet: 3-D U-Net, VB-Net or U-Net++ with one interface (Xu et al. 2020, Networks).

Input: float tensor (N, 1, depth, height, width) in [−1, 1]. Output: *logits* of the same shape; the paper's
M̂ = sigmoid(logits). Any size works of which the lowest resolution has more than one voxel, as normalisation
needs (:meth:`SegmenterConfig.fits`): with five levels 16×16×32, not 16×16×16.

Instance normalisation at the full resolution erases absolute HU, and with it the difference of ground glass
from dense normal lung: ``full_resolution_norm = "none"`` leaves it out there (not in the paper; ours).

Size and work of one forward pass of a 40×160×160 volume (``Testing/benchmarks/segmenters.py`` prints them):

========  ========  ============  ======
name      channels  parameters    GFLOP
========  ========  ============  ======
unet      16        5.89 M        141
vbnet     16        1.13 M        13
unet++    16        6.87 M       491
========  ========  ============  ======
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn

from .blocks import Bottlenecks, ConvNormAct, DoubleConv, normalisation, upsampled


@dataclass(frozen=True)
class SegmenterConfig:
    """What is needed to build a segmenter.

    Attributes:
        name: ``unet``, ``vbnet`` or ``unet++``.
        channels: basic channel number; doubled at each level (the paper: 16).
        levels: resolutions, the full one included.
        norm: normalisation below the full resolution, ``instance`` or ``none``.
        full_resolution_norm: normalisation at the full resolution, likewise.
    """

    name: str = "unet"
    channels: int = 16
    levels: int = 5
    norm: str = "instance"
    full_resolution_norm: str = "instance"

    def norm_at(self, level: int) -> str:
        """Normalisation at a level (0 = full resolution)."""
        return self.full_resolution_norm if level == 0 else self.norm

    def channels_at(self, level: int) -> int:
        """Channels at a level (0 = full resolution)."""
        return self.channels * 2**level

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether a volume (depth, height, width) has more than one voxel at the lowest resolution."""
        return math.prod(size >> (self.levels - 1) for size in shape) > 1


class Segmenter(nn.Module):
    """Base of the three: keeps the configuration, so that a model file can name it."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def architecture(self) -> dict:
        """Plain data from which :func:`create_segmenter` builds the same network."""
        return asdict(self.config)


class UNet(Segmenter):
    """The standard 3-D U-Net: double convolutions, max pooling, skip connections."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__(config)
        levels, width = range(config.levels), config.channels_at
        self.encoders = nn.ModuleList(
            DoubleConv(width(i - 1) if i else 1, width(i), config.norm_at(i)) for i in levels
        )
        self.decoders = nn.ModuleList(
            DoubleConv(width(i) + width(i + 1), width(i), config.norm_at(i)) for i in levels[:-1]
        )
        self.head = nn.Conv3d(config.channels, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level, encoder in enumerate(self.encoders):
            x = encoder(x if level == 0 else nn.functional.max_pool3d(x, 2))
            skips.append(x)
        for level in reversed(range(len(self.decoders))):
            x = self.decoders[level](torch.cat([skips[level], upsampled(x, skips[level].shape[2:])], 1))
        return self.head(x)


class VBNet(Segmenter):
    """V-Net whose residual blocks are bottlenecks; strided convolutions instead of pooling."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__(config)
        levels, width = range(config.levels), config.channels_at
        self.stem = ConvNormAct(1, config.channels, config.norm_at(0))
        self.downs = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(width(i - 1), width(i), 2, stride=2),
                normalisation(config.norm_at(i), width(i)),
                nn.LeakyReLU(0.01, inplace=True),
            )
            for i in levels[1:]
        )
        self.encoders = nn.ModuleList(Bottlenecks(width(i), min(i + 1, 3), config.norm_at(i)) for i in levels)
        self.merges = nn.ModuleList(
            ConvNormAct(width(i) + width(i + 1), width(i), config.norm_at(i), kernel=1) for i in levels[:-1]
        )
        self.decoders = nn.ModuleList(
            Bottlenecks(width(i), min(i + 1, 3), config.norm_at(i)) for i in levels[:-1]
        )
        self.head = nn.Conv3d(config.channels, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.encoders[0](self.stem(x))
        skips = [x]
        for down, encoder in zip(self.downs, self.encoders[1:], strict=True):
            x = encoder(down(x))
            skips.append(x)
        for level in reversed(range(len(self.decoders))):
            x = self.merges[level](torch.cat([skips[level], upsampled(x, skips[level].shape[2:])], 1))
            x = self.decoders[level](x)
        return self.head(x)


class UNetPlusPlus(Segmenter):
    """U-Net++: every level is refined by all nodes before it (nested skips), one head at the end."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__(config)
        width = config.channels_at
        self.nodes = nn.ModuleDict()
        for column in range(config.levels):
            for level in range(config.levels - column):
                inputs = width(level) * column + width(level + 1)
                if column == 0:
                    inputs = width(level - 1) if level else 1
                self.nodes[f"{level}_{column}"] = DoubleConv(inputs, width(level), config.norm_at(level))
        self.head = nn.Conv3d(config.channels, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = self.config.levels
        outputs: list[list[torch.Tensor]] = [[] for _ in range(levels)]
        for level in range(levels):
            x = self.nodes[f"{level}_0"](x if level == 0 else nn.functional.max_pool3d(x, 2))
            outputs[level].append(x)
        for column in range(1, levels):
            for level in range(levels - column):
                below = upsampled(outputs[level + 1][column - 1], outputs[level][0].shape[2:])
                outputs[level].append(self.nodes[f"{level}_{column}"](torch.cat([*outputs[level], below], 1)))
        return self.head(outputs[0][-1])


SEGMENTERS: dict[str, Callable[[SegmenterConfig], Segmenter]] = {
    "unet": UNet,
    "vbnet": VBNet,
    "unet++": UNetPlusPlus,
}


def create_segmenter(architecture: dict) -> Segmenter:
    """Segmenter from plain data (the fields of :class:`SegmenterConfig`; missing ones take the default).

    Raises:
        ValueError: unknown name, unknown field or value.
    """
    unknown = set(architecture) - set(SegmenterConfig.__dataclass_fields__)
    if unknown:
        raise ValueError(f"unknown fields of a segmenter: {', '.join(sorted(unknown))}")
    config = SegmenterConfig(**architecture)
    if config.name not in SEGMENTERS:
        raise ValueError(f"unknown segmenter {config.name!r}; known: {', '.join(SEGMENTERS)}")
    if not (1 <= config.channels <= 256 and 2 <= config.levels <= 7):
        raise ValueError(f"a segmenter of {config.channels} channels and {config.levels} levels is not built")
    return SEGMENTERS[config.name](config)
