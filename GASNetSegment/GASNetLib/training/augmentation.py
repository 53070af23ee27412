"""Random changes of a volume, on the device of the tensors: one affine resampling, then the intensities.

All randomness of a volume comes from one seed, so that it does not matter in which batch, process or run the
volume is made. Tensors are (channels, D, H, W) for space and (1, D, H, W) in [−1, 1] for intensities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool3d, conv3d, grid_sample, interpolate, pad

from ..volume import WINDOW_HU
from .settings import Augmentation

UNITS_PER_HU = 2.0 / (WINDOW_HU[1] - WINDOW_HU[0])
WATER = -1.0 - WINDOW_HU[0] * UNITS_PER_HU
"""0 HU in the units of the networks."""


@dataclass(frozen=True)
class Place:
    """Where in a volume a patch is wanted, whatever its rotation and zoom.

    Attributes:
        fraction: (z, y, x) in [0, 1] of the room that the patch has.
        voxel: (z, y, x) that the patch is centred on instead, as far as the border allows; or None.
    """

    fraction: np.ndarray
    voxel: np.ndarray | None = None


@dataclass(frozen=True)
class Placement:
    """Where a patch lies: offsets from its middle times ``matrix`` plus ``centre``, in voxels (z, y, x)."""

    matrix: np.ndarray
    centre: np.ndarray


def random_placement(
    random: np.random.Generator,
    augmentation: Augmentation,
    shape: tuple[int, int, int],
    patch: tuple[int, int, int],
    spacing: tuple[float, float, float],
    place: Place,
) -> Placement:
    """Rotated, zoomed and mirrored placement of a patch within a volume of ``shape``.

    Args:
        spacing: mm (z, y, x), so that rotations are those of a body and do not shear it.
    """
    zoom = random.uniform(*augmentation.zoom)
    angles = np.radians(random.uniform(-1, 1, 3) * augmentation.rotation_degrees)
    mirrored = random.random(2) < augmentation.flips
    flips = np.diag([1.0, *np.where(mirrored, -1.0, 1.0)])
    in_mm = np.diag(spacing)
    matrix = zoom * np.linalg.inv(in_mm) @ _rotation(angles) @ in_mm @ flips
    size, extent = np.array(shape), np.minimum(np.array(patch) * zoom, shape)
    low, high = extent / 2 - 0.5, size - extent / 2 - 0.5
    anywhere = low + place.fraction * (high - low)
    centre = anywhere if place.voxel is None else np.clip(place.voxel, low, high)
    return Placement(matrix, centre)


def resampled(channels: Tensor, placement: Placement, patch: tuple[int, int, int]) -> Tensor:
    """The patch cut from (C, D, H, W) by linear interpolation; beyond the border the border goes on."""
    size, out = np.array(channels.shape[1:]), np.array(patch)
    if (out == size).all() and np.allclose(placement.matrix, np.eye(3)):
        return channels
    scale = (2 / size)[:, None] * placement.matrix * (out / 2)[None, :]
    shift = (2 * placement.centre + 1) / size - 1
    # grid_sample counts axes from the last (x, y, z).
    theta = np.concatenate([scale[::-1, ::-1], shift[::-1, None]], axis=1)
    grid = affine_grid(_on(theta[None], channels.device), (1, 1, *patch), align_corners=False)
    return grid_sample(channels[None], grid, padding_mode="border", align_corners=False)[0]


def vary_intensities(
    image: Tensor, augmentation: Augmentation, random: np.random.Generator, seed: int
) -> Tensor:
    """What scanner, reconstruction and export may do to a CT; (1, D, H, W) in [−1, 1] and back."""
    a = augmentation
    chance = dict(zip(("thick", "blur", "sharpen", "window"), random.random(4), strict=True))
    shift, gain = random.uniform(-a.shift_hu, a.shift_hu) * UNITS_PER_HU, 1 + random.uniform(-a.gain, a.gain)
    gamma, noise = (1 + a.gamma) ** random.uniform(-1, 1), random.uniform(0, a.noise_hu) * UNITS_PER_HU
    width, amount = random.uniform(0.5, 1.2), random.uniform(0.3, 1.0)
    eight_bit, clip = random.random() < a.eight_bit, random.uniform(1.5, 4.0)
    lowest, highest = random.uniform(-1200, -950), random.uniform(250, 1200)
    floor, ceiling = -1 + random.uniform(0, 250) * UNITS_PER_HU, 1 - random.uniform(0, 150) * UNITS_PER_HU
    if eight_bit:
        span = (highest - lowest) * UNITS_PER_HU / 2
        from_lowest = (image.clamp(-1, 1) + 1) - (lowest - WINDOW_HU[0]) * UNITS_PER_HU
        image = locally_equalised((from_lowest / span - 1).clamp(-1, 1), clip)
    if chance["thick"] < a.thick:
        image = thick_slices(image)
    if chance["blur"] < a.blur:
        image = smoothed(image, width)
    elif chance["sharpen"] < a.sharpen:
        image = image + amount * (image - smoothed(image, width))
    if a.gamma:
        image = ((image.clamp(-1, 1) + 1) / 2) ** gamma * 2 - 1
    image = (image - WATER) * gain + WATER + shift
    if noise:
        image = image + noise * gaussian(image.shape, seed, image.device)
    if chance["window"] < a.window:
        image = image.clamp(floor, ceiling)
    return image.clamp(-1, 1)


def smoothed(image: Tensor, width: float) -> Tensor:
    """Gaussian smoothing of (..., D, H, W) by ``width`` voxels, with 3 taps per axis."""
    side = float(np.exp(-0.5 / width**2))
    taps = _on(np.array([side, 1.0, side]) / (1 + 2 * side), image.device).to(image.dtype)
    volumes = image.reshape(-1, 1, *image.shape[-3:])
    for axis in range(3):
        shape, border = [1, 1, 1, 1, 1], [0] * 6
        shape[2 + axis], border[2 * (2 - axis)], border[2 * (2 - axis) + 1] = 3, 1, 1
        volumes = conv3d(pad(volumes, border, mode="replicate"), taps.reshape(shape))
    return volumes.reshape(image.shape)


def thick_slices(image: Tensor) -> Tensor:
    """Slices of twice the thickness, interpolated back to the grid; (1, D, H, W)."""
    thick = avg_pool3d(image[None], (2, 1, 1), ceil_mode=True)
    return interpolate(thick, size=image.shape[1:], mode="trilinear", align_corners=False)[0]


def locally_equalised(image: Tensor, clip: float, tile: int = 24, bins: int = 64) -> Tensor:
    """Contrast-limited adaptive histogram equalisation of each slice; (1, D, H, W) in [−1, 1] and back.

    Each tile of a slice gets the map that levels its histogram, with counts above ``clip`` times the mean
    shared out among all bins; a voxel takes the maps of the tiles around it, interpolated (Pizer et al. 1987,
    "Adaptive histogram equalization and its variations").

    Args:
        tile: voxels; about an eighth of a slice's width, as image libraries have it by default.
    """
    slices, (height, width) = image[0], image.shape[2:]
    rows, columns = max(1, round(height / tile)), max(1, round(width / tile))
    row = torch.arange(height, device=image.device) * rows // height
    column = torch.arange(width, device=image.device) * columns // width
    of_tile = row[:, None] * columns + column[None, :]
    level = ((slices + 1) * (bins / 2)).long().clamp(max=bins - 1)
    tiles = len(slices) * rows * columns
    number = torch.arange(len(slices), device=image.device)[:, None, None] * (rows * columns) + of_tile
    # And not bincount, which waits for the device to tell the highest number.
    counted = slices.new_ones(1).expand(slices.numel())
    counts = slices.new_zeros(tiles * bins).scatter_add_(0, (number * bins + level).flatten(), counted)
    share = counts.view(tiles, bins)
    share = share / share.sum(1, keepdim=True).clamp(min=1)
    limited = share.clamp(max=clip / bins)
    limited = limited + (1 - limited.sum(1, keepdim=True)) / bins
    maps = limited.cumsum(1).view(len(slices), 1, rows, columns, bins) * 2 - 1
    across = (torch.arange(width, device=image.device) + 0.5) * (2 / width) - 1
    down = (torch.arange(height, device=image.device) + 0.5) * (2 / height) - 1
    place = torch.stack(torch.broadcast_tensors(slices, across[None, None, :], down[None, :, None]), -1)
    looked_up = grid_sample(maps, place[:, None], padding_mode="border", align_corners=False)
    return looked_up[:, 0, 0][None]


def gaussian(shape: torch.Size, seed: int, device: torch.device) -> Tensor:
    """Standard normal numbers of a seed."""
    generator = torch.Generator(device).manual_seed(seed)
    return torch.randn(shape, generator=generator, device=device)


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Product of the rotations about z, y and x, for vectors (z, y, x)."""
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = (i for i in range(3) if i != axis)
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        rotation = rotation @ turn
    return rotation


def _on(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(device, non_blocking=True)
