"""Train the small network that corrects the classical lungs.

    python Resources/Models/train_lungs.py DATA 0|1|final OUT.safetensors
    python Testing/benchmarks/lungs.py --networks FOLD_0.safetensors FOLD_1.safetensors

DATA is the folder that the model card describes; the folds are those of ``train_starter.py``, and the second
command measures each case with the network that never saw it. It learns from the CTs with a mask of the lungs
and from phantoms: deformed, with consolidation put into their lungs, some of them as 8-bit images after local
equalisation. Length and settings are fixed, the last weights count.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, grid_sample
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from train_starter import FOLDS, LESION_FREE, LESIONS, LICENCE

from GASNetLib.crop import normalise
from GASNetLib.geometry import Geometry
from GASNetLib.lungs.classical import classical_lungs, coarse_scan, standardised
from GASNetLib.lungs.network import around, on_lattice
from GASNetLib.model import DEFAULT_PREPROCESSING, ModelInfo, save_model
from GASNetLib.networks import create_segmenter
from GASNetLib.phantom import make_phantom
from GASNetLib.phantom.texture import smooth_field
from GASNetLib.resampling import brought_to
from GASNetLib.training.augmentation import locally_equalised, vary_intensities
from GASNetLib.training.settings import Augmentation
from GASNetLib.volume import Volume, read_volume, volume_from_array

ARCHITECTURE = {
    "name": "unet",
    "channels": 8,
    "levels": 4,
    "norm": "instance",
    "full_resolution_norm": "none",
}
PATCH = (48, 72, 88)
MARGIN_MM = 50.0
ITERATIONS, BATCH, RATE = 1200, 2, 2e-3
PHANTOMS = 12
EQUALISED = 2
"""Versions of each CT in HU as a published 8-bit image."""

PHANTOM_SHARE, EIGHT_BIT_SHARE = 0.3, 0.25
CONSOLIDATED_SHARE, DEFORMED_SHARE, EQUALISED_SHARE = 0.5, 0.6, 0.4
INTENSITIES = Augmentation(noise_hu=40.0, shift_hu=30.0, gain=0.05, blur=0.2, sharpen=0.1, window=0.3)
DEFORMATION_MM = (20.0, 8.0, 8.0)
"""Largest SD (z, y, x): the two halves of the diaphragm stand at any height."""


@dataclass(frozen=True)
class Chest:
    """A CT as the network sees it.

    Attributes:
        hu: float32 (z, y, x), and as 8-bit images: each a version to learn from.
        lungs: share of each voxel that is lung, float32 (z, y, x).
        grid: of all of them.
    """

    hu: tuple[np.ndarray, ...]
    lungs: np.ndarray
    grid: Geometry
    kind: str


def train(data: Path, fold: str, out: Path) -> None:
    """All iterations; the average of the weights is stored."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    chests = [*_chests(data, fold, random)]
    network = create_segmenter(ARCHITECTURE)
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.98))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=ITERATIONS, pct_start=0.05)
    for iteration in range(1, ITERATIONS + 1):
        samples = [_sample(_drawn(chests, random), random) for _ in range(BATCH)]
        image, lungs, known = (torch.stack(parts) for parts in zip(*samples, strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(image)
        loss = _loss(logits.float(), lungs, known)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        rates.step()
        averaged.update_parameters(network)
        if iteration % 50 == 0:
            print(f"{iteration}/{ITERATIONS}  loss {loss.item():.3f}", flush=True)
    save_model(out, _info(fold), averaged.module)


def _info(fold: str) -> ModelInfo:
    return ModelInfo(
        name="lungs",
        segmenter=ARCHITECTURE,
        preprocessing={**DEFAULT_PREPROCESSING, "shape": list(PATCH), "margin_mm": MARGIN_MM},
        training={"script": "train_lungs.py", "left_out": FOLDS[fold], "iterations": ITERATIONS, "seed": 0},
        licence=LICENCE,
        created=date.today().isoformat(),
    )


def _loss(logits: Tensor, lungs: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy plus soft Dice, of the voxels that are known."""
    entropy = (binary_cross_entropy_with_logits(logits, lungs, reduction="none") * known).sum() / known.sum()
    probability = torch.sigmoid(logits)
    axes = (1, 2, 3, 4)
    both, sum_ = (probability * lungs * known).sum(axes), ((probability + lungs) * known).sum(axes)
    return entropy + (1 - (2 * both + 1) / (sum_ + 1)).mean()


def _chests(data: Path, fold: str, random: np.random.Generator) -> Iterator[Chest]:
    for name, volume, lungs in _cases_with_lungs(data):
        if name not in FOLDS[fold]:
            kind = "8-bit" if volume.intensities == "window" else "HU"
            yield _chest(volume, lungs, kind, random)
    for seed in range(PHANTOMS):
        phantom = make_phantom(100 + seed, (120, 128, 160), lesions=("none", "moderate", "severe")[seed % 3])
        volume = volume_from_array(phantom.hu, phantom.geometry)
        yield _chest(volume, phantom.lungs > 0, "phantom", random)


def _cases_with_lungs(data: Path) -> Iterator[tuple[str, Volume, np.ndarray]]:
    """Name, CT and mask (z, y, x) of the cases that have a mask of the lungs."""
    for name, stem in (LESIONS | LESION_FREE).items():
        masks = [*data.glob(f"{stem}_lung.*"), *data.glob(f"{stem}_lung_labels.*")]
        if masks:
            (ct,) = data.glob(f"{stem}_ct*")
            labels = sitk.GetArrayFromImage(sitk.ReadImage(str(masks[0])))
            yield name, read_volume(ct), (labels & 0xFF) > 0  # the low byte is the region


def _chest(volume: Volume, lungs: np.ndarray, kind: str, random: np.random.Generator) -> Chest:
    scan = coarse_scan(volume)
    hu, grid = on_lattice(scan, around(*classical_lungs(scan), scan, MARGIN_MM)[1])
    versions = [hu] if kind == "8-bit" else [hu, *(_equalised(hu, random) for _ in range(EQUALISED))]
    share = brought_to(grid, lungs, volume.geometry, 0.0, averaging=True)
    return Chest(tuple(versions), share, grid, kind)


def _equalised(hu: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """As published 8-bit images: each slice from its lowest to its highest value, equalised locally."""
    hu = np.clip(hu, random.uniform(-1350, -1000), random.uniform(150, 600))
    low, high = hu.min(axis=(1, 2), keepdims=True), hu.max(axis=(1, 2), keepdims=True)
    scaled = torch.from_numpy((hu - low) / np.maximum(high - low, 1.0) * 2 - 1)[None]
    equal = locally_equalised(scaled, random.uniform(1.5, 4.0), tile=int(random.integers(12, 30)))
    return standardised(np.rint((equal[0].numpy() + 1) * 127.5))


def _drawn(chests: list[Chest], random: np.random.Generator) -> Chest:
    shares = {"phantom": PHANTOM_SHARE, "8-bit": EIGHT_BIT_SHARE}
    shares["HU"] = 1 - sum(shares.values())
    kind = random.choice(list(shares), p=list(shares.values()))
    of_kind = [chest for chest in chests if chest.kind == kind]
    return of_kind[random.integers(len(of_kind))]


def _sample(chest: Chest, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Image, share of lung, and what of it is known: float32 (1, *PATCH) each."""
    equalised = len(chest.hu) > 1 and random.random() < EQUALISED_SHARE
    hu = chest.hu[random.integers(1, len(chest.hu)) if equalised else 0]
    if random.random() < CONSOLIDATED_SHARE:
        hu = _consolidated(hu, chest, random)
    channels = np.stack([normalise(hu), chest.lungs, np.ones_like(hu)])
    image, lungs, inside = _deformed(torch.from_numpy(channels), chest.grid, random)
    image = torch.where(inside > 0.99, image, -torch.ones(()))
    image = vary_intensities(image[None], INTENSITIES, random, int(random.integers(2**31)))
    return image, lungs[None], (inside[None] > 0.99).float()


def _consolidated(hu: np.ndarray, chest: Chest, random: np.random.Generator) -> np.ndarray:
    """Tissue in a part of one or both lungs: what lies farthest in a direction, most often down and back."""
    lung = chest.lungs > 0.5
    places = np.indices(hu.shape, np.float32)
    middle, spread = (
        np.array([f(places[axis][lung]) for axis in range(3)], np.float32) for f in (np.mean, np.std)
    )
    direction = random.standard_normal(3) * (0.7, 1.0, 0.6)
    if random.random() < 0.7:
        direction += random.random(3) * (-0.8, 1.2, 0.0)
    depth = np.tensordot(direction / spread, places - middle[:, None, None, None], 1)
    depth += random.uniform(0.3, 2.0) * _field(chest.grid, random.uniform(20, 80), random)
    side = np.ones_like(lung)
    if random.random() < 0.5:
        side = (places[2] < middle[2]) == (random.random() < 0.5)
    ill = random.choice((0.03, 0.06, 0.12, 0.25)) * random.uniform(0.5, 1.4)
    border = np.quantile(depth[lung & side], 1 - ill)
    share = np.clip((depth - border) / random.uniform(0.05, 0.6) + 0.5, 0, 1) * chest.lungs * side
    if random.random() < 0.6:
        share = share * np.clip(0.75 + 0.5 * _field(chest.grid, 10.0, random), 0, 1)
    tissue = random.uniform(-150, 60) + random.uniform(5, 40) * random.standard_normal(hu.shape)
    return (hu * (1 - share) + np.maximum(hu, tissue) * share).astype(np.float32)


def _deformed(channels: Tensor, grid: Geometry, random: np.random.Generator) -> tuple[Tensor, ...]:
    """The channels (C, z, y, x) rotated, scaled and bent, in a patch at a random place."""
    size, patch = np.array(channels.shape[1:]), np.array(PATCH)
    angles = np.radians(random.uniform(-1, 1, 3) * (12, 6, 6))
    scale = random.uniform(0.85, 1.18, 3) * random.uniform(0.9, 1.1)
    half = np.minimum(size / 2, patch * scale * 0.4)
    centre = random.uniform(half, size - half + 1e-6)
    places = np.moveaxis(np.indices(PATCH, np.float32), 0, -1) - (patch - 1) / 2
    places = places @ (_rotation(angles) * scale).T + centre
    if random.random() < DEFORMED_SHARE:
        patch_grid = Geometry(PATCH[::-1], grid.spacing, tuple(-np.multiply(PATCH[::-1], grid.spacing) / 2))
        bends = [
            random.uniform(0, mm / step) * _field(patch_grid, 110.0, random)
            for mm, step in zip(DEFORMATION_MM, grid.spacing[::-1], strict=True)
        ]
        places += np.stack(bends, axis=-1)
    at = ((2 * places + 1) / size - 1)[..., ::-1].astype(np.float32)
    return tuple(grid_sample(channels[None], torch.from_numpy(at.copy())[None], align_corners=False)[0])


def _rotation(angles: np.ndarray) -> np.ndarray:
    """About z, y and x by small angles, for vectors (z, y, x)."""
    z, y, x = angles
    skew = np.array([[0, -y, x], [y, 0, -z], [-x, z, 0]])
    return torch.linalg.matrix_exp(torch.from_numpy(skew)).numpy()


def _field(grid: Geometry, scale_mm: float, random: np.random.Generator) -> np.ndarray:
    """A smooth random field on the grid, wherever in the world that lies."""
    origin = tuple((-np.multiply(grid.size, grid.spacing) / 2).tolist())
    return smooth_field(random, Geometry(grid.size, grid.spacing, origin), scale_mm)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("fold", choices=FOLDS)
    parser.add_argument("out", type=Path)
    train(**vars(parser.parse_args()))
