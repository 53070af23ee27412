"""The generator G of GASNet: the CycleGAN generator's structure in 3-D (Xu et al. 2020, Networks).

Input and output: float tensor (N, 1, depth, height, width) in [−1, 1]; the output is what the volume would
look like without the disease. Any spatial size of at least 16 voxels works.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn

from .blocks import normalisation, upsampled


@dataclass(frozen=True)
class GeneratorConfig:
    """What is needed to build a generator.

    Attributes:
        channels: basic channel number (CycleGAN: 64 in 2-D; ours: 16, as the segmenter).
        residual_blocks: blocks at a quarter of the resolution (CycleGAN: 6 or 9).
        norm: ``instance`` or ``none``.
        upsampling: ``transposed`` convolutions (CycleGAN), which leave stripes two and four voxels wide, as
            their kernel of 3 covers the voxels of a stride of 2 unevenly; or ``resize``: interpolation, then
            a convolution, which cannot (Odena et al. 2016, Deconvolution and Checkerboard Artifacts). Of a
            40×160×160 volume, with 16 channels and 6 blocks, 76 or 113 GFLOP.
        identity: the network gives what to change, added to its input before the ``tanh``, and starts by
            changing nothing (ours). G need not learn the identity on healthy tissue first.
    """

    channels: int = 16
    residual_blocks: int = 6
    norm: str = "instance"
    upsampling: str = "transposed"
    identity: bool = False


class ResidualBlock(nn.Module):
    """Two 3×3×3 convolutions around an identity connection."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(channels, channels, 3, padding=1, padding_mode="reflect"),
            normalisation(norm, channels),
            nn.ReLU(inplace=True),
            nn.Conv3d(channels, channels, 3, padding=1, padding_mode="reflect"),
            normalisation(norm, channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class TransposedUp(nn.ConvTranspose3d):
    """Twice the size by a transposed convolution (CycleGAN)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor, size: torch.Size) -> torch.Tensor:
        return super().forward(x, output_size=size)


class ResizeUp(nn.Conv3d):
    """Twice the size by interpolation, then a convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, padding_mode="reflect")

    def forward(self, x: torch.Tensor, size: torch.Size) -> torch.Tensor:
        return super().forward(upsampled(x, size))


UPSAMPLINGS = {"transposed": TransposedUp, "resize": ResizeUp}


class OneChannelConv(nn.Conv3d):
    """Convolution of odd ``kernel`` to one channel that keeps the size.

    A CPU's library computes 8 to 16 channels at a time: for a single one most of that is thrown away. There
    each slice of the kernel gives a channel of its own; they are shifted and added.
    """

    def __init__(self, inputs: int, kernel: int) -> None:
        super().__init__(inputs, 1, kernel, padding=kernel // 2, padding_mode="reflect")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        border = [size // 2 for size in reversed(self.kernel_size) for _ in range(2)]
        padded = nn.functional.pad(x, border, mode="reflect")
        slices = nn.functional.conv3d(padded, self.weight[0].transpose(0, 1).unsqueeze(2)).float()
        depth = x.shape[2]
        shifted = [slices[:, i : i + 1, i : i + depth] for i in range(len(slices[0]))]
        return torch.stack(shifted).sum(0) + self.bias.view(1, 1, 1, 1, 1)


class Generator(nn.Module):
    """7³ convolution, two stride-2 steps down, residual blocks, two steps up, 7³ convolution, ``tanh``."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        n = config.channels
        self.stem = nn.Sequential(
            nn.Conv3d(1, n, 7, padding=3, padding_mode="reflect"),
            normalisation(config.norm, n),
            nn.ReLU(inplace=True),
        )
        self.downs = nn.ModuleList(nn.Conv3d(c, 2 * c, 3, stride=2, padding=1) for c in (n, 2 * n))
        self.down_norms = nn.ModuleList(normalisation(config.norm, c) for c in (2 * n, 4 * n))
        blocks = (ResidualBlock(4 * n, config.norm) for _ in range(config.residual_blocks))
        self.blocks = nn.Sequential(*blocks)
        self.ups = nn.ModuleList(UPSAMPLINGS[config.upsampling](2 * c, c) for c in (2 * n, n))
        self.up_norms = nn.ModuleList(normalisation(config.norm, c) for c in (2 * n, n))
        self.head = OneChannelConv(n, 7)
        self.apply(_initialise)
        if config.identity:
            nn.init.zeros_(self.head.weight)

    @property
    def architecture(self) -> dict:
        """Plain data from which :func:`create_generator` builds the same network."""
        return asdict(self.config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sizes, h = [], self.stem(x)
        for convolution, norm in zip(self.downs, self.down_norms, strict=True):
            sizes.append(h.shape[2:])
            h = nn.functional.relu(norm(convolution(h)))
        h = self.blocks(h)
        for up, norm in zip(self.ups, self.up_norms, strict=True):
            h = nn.functional.relu(norm(up(h, sizes.pop())))
        change = self.head(h)
        if not self.config.identity:
            return torch.tanh(change)
        # float32: close to ±1 the inverse of tanh is beyond the precision of bfloat16.
        return torch.tanh(change.float() + torch.atanh(x.float().clamp(-0.999, 0.999)))


def create_generator(architecture: dict) -> Generator:
    """Generator from plain data (the fields of :class:`GeneratorConfig`; missing ones take the default).

    Raises:
        ValueError: unknown field or value.
    """
    unknown = set(architecture) - set(GeneratorConfig.__dataclass_fields__)
    if unknown:
        raise ValueError(f"unknown fields of a generator: {', '.join(sorted(unknown))}")
    config = GeneratorConfig(**architecture)
    if config.upsampling not in UPSAMPLINGS:
        known = ", ".join(UPSAMPLINGS)
        raise ValueError(f"unknown upsampling {config.upsampling!r} of a generator; known: {known}")
    if not (1 <= config.channels <= 256 and 0 <= config.residual_blocks <= 32):
        raise ValueError(
            f"a generator of {config.channels} channels and {config.residual_blocks} blocks is not built"
        )
    return Generator(config)


def _initialise(module: nn.Module) -> None:
    """CycleGAN's start: weights of N(0, 0.02)."""
    # Without storage (a package is loaded) there is nothing to fill, and PyTorch would import its compiler to
    # do so: seconds, and in Slicer a crash where triton's LLVM meets that of the graphics driver.
    if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)) and not module.weight.is_meta:
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)
