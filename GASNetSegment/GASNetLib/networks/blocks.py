"""Building blocks that the three segmenters share."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn


def normalisation(kind: str, channels: int) -> nn.Module:
    """``instance`` normalisation, or ``none``, which keeps absolute HU (see :mod:`.segmenters`).

    Raises:
        ValueError: unknown kind.
    """
    if kind == "instance":
        return InstanceNorm(channels, affine=True)
    if kind == "none":
        return nn.Identity()
    raise ValueError(f"unknown normalisation {kind!r}")


class InstanceNorm(nn.InstanceNorm3d):
    """Instance normalisation; on a CPU by the kernel of group normalisation, which is several times as fast.

    Contiguous, as with the channels last that kernel loses digits (errors of 2e-4, torch 2.13).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        return nn.functional.group_norm(x.contiguous(), self.num_features, self.weight, self.bias, self.eps)


class PaddedConv(nn.Conv3d):
    """3-D convolution with zero padding whose gradients can be trusted in bfloat16 on a CPU.

    There, where a volume is thinner than the kernel, PyTorch's library (oneDNN, seen in torch 2.13) gives the
    weights a gradient from memory that is not theirs: any number, infinity or NaN. The few voxels of such a
    volume are convolved in float32 instead.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        thin = any(size < kernel for size, kernel in zip(x.shape[2:], self.kernel_size, strict=True))
        if thin and x.device.type == "cpu":
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float())
        return super().forward(x)


class ConvNormAct(nn.Sequential):
    """3-D convolution of odd ``kernel`` that keeps the size, normalisation, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, norm: str, kernel: int = 3) -> None:
        super().__init__(
            PaddedConv(inputs, outputs, kernel, padding=kernel // 2, bias=norm == "none"),
            normalisation(norm, outputs),
            nn.LeakyReLU(0.01, inplace=True),
        )


class DoubleConv(nn.Sequential):
    """Two 3×3×3 convolutions, each with normalisation and activation (the U-Net's step)."""

    def __init__(self, inputs: int, outputs: int, norm: str) -> None:
        super().__init__(ConvNormAct(inputs, outputs, norm), ConvNormAct(outputs, outputs, norm))


class Bottlenecks(nn.Module):
    """``count`` bottleneck convolutions (1³ down, 3³, 1³ up) around one residual connection (VB-Net)."""

    def __init__(self, channels: int, count: int, norm: str) -> None:
        super().__init__()
        inner = max(channels // 4, 4)
        layers: list[nn.Module] = []
        for _ in range(count):
            layers += [
                ConvNormAct(channels, inner, norm, kernel=1),
                ConvNormAct(inner, inner, norm),
                nn.Conv3d(inner, channels, 1, bias=norm == "none"),
                normalisation(norm, channels),
            ]
            layers.append(nn.LeakyReLU(0.01, inplace=True))
        self.body = nn.Sequential(*layers[:-1])
        self.activation = nn.LeakyReLU(0.01, inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(x + self.body(x))


def upsampled(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """``x`` brought to a spatial size by trilinear interpolation (any size, odd ones too).

    On a CPU axis by axis as products with a matrix, which take half of the time, in bfloat16 an eighth.
    """
    if x.device.type != "cpu":
        return nn.functional.interpolate(x, size=size, mode="trilinear", align_corners=False)
    x = x.contiguous()
    depth, height, width = (_weights(old, new, x.dtype) for old, new in zip(x.shape[2:], size, strict=True))
    x = (depth @ x.flatten(3)).unflatten(3, x.shape[3:])
    return height @ x @ width.T


@lru_cache(maxsize=64)
def _weights(old: int, new: int, dtype: torch.dtype) -> torch.Tensor:
    """Matrix (new, old) of the linear interpolation of ``old`` values to ``new``."""
    with torch.inference_mode(False), torch.no_grad():
        values = torch.eye(old, device="cpu")[None]
        return nn.functional.interpolate(values, size=new, mode="linear", align_corners=False)[0].T.to(dtype)
