"""Train the starter model by plain supervision, and the cross-validation folds that give its figures.

    python Resources/Models/train_starter.py prepare DATA CACHE
    python Resources/Models/train_starter.py fold CACHE 0|1 OUT.safetensors [--iterations N]
    python Resources/Models/train_starter.py all CACHE OUT.safetensors [--iterations N]
    python Resources/Models/train_starter.py tables DATA FOLDER
    gasnet evaluate FOLDER/fold0.csv --model FOLD0.safetensors --threshold 0.3 -o figures0.csv
    python Resources/Models/train_starter.py publish IN.safetensors figures0.csv figures1.csv OUT.safetensors

DATA is the folder described in the model card. Each of two folds leaves out half of the patients; nothing
is chosen by what is left out: the schedule is fixed and the last weights count.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch import nn
from torch.nn import functional

from GASNetLib.cohort import Case, Cohort, write_cohort
from GASNetLib.crop import mask_to_network, network_grid, normalise, to_network
from GASNetLib.lungs import Lungs, find_lungs, lung_box
from GASNetLib.metrics import summary
from GASNetLib.model import ModelInfo, load_model, save_model
from GASNetLib.networks import create_segmenter
from GASNetLib.volume import WINDOW_HU, Volume, read_mask, read_volume

LESION_CASES = {
    "medseg_01": "medseg/medseg_01", "medseg_02": "medseg/medseg_02",
    "medseg_07": "medseg/medseg_07", "medseg_09": "medseg/medseg_09",
    "run01": "covid19_ct_seg_8bit/run01", "run02": "covid19_ct_seg_8bit/run02",
    "run03": "covid19_ct_seg_8bit/run03", "run04": "covid19_ct_seg_8bit/run04",
}  # fmt: skip
LESION_FREE_CASES = {
    "lidc0001": "noncovid/lidc0001", "dsb00cba": "noncovid/dsb00cba", "lctscS1104": "noncovid/lctscS1104",
    "imlab_id001": "noncovid/imlab_id001", "imlab_id002": "noncovid/imlab_id002",
    "imlab_id003": "noncovid/imlab_id003", "imlab_id004": "noncovid/imlab_id004", "cip": "noncovid/cip",
}  # fmt: skip
FOLDS = (
    ("medseg_01", "medseg_07", "run01", "run03", "lidc0001", "lctscS1104", "imlab_id001", "imlab_id003"),
    ("medseg_02", "medseg_09", "run02", "run04", "dsb00cba", "cip", "imlab_id002", "imlab_id004"),
)
ARCHITECTURE = {"name": "unet", "channels": 8, "full_resolution_norm": "none"}
PATCH = (24, 96, 96)
LEARNING_RATE = 2e-3
EMA_DECAY = 0.99
THRESHOLD = 0.3  # see "Threshold" in the model card
HU_PER_UNIT = (WINDOW_HU[1] - WINDOW_HU[0]) / 2  # of the network's [−1, 1]


@dataclass(frozen=True)
class Crop:
    """A case on the network's grid: image in [−1, 1], share of lesion and of lung in [0, 1]; (1, D, H, W)."""

    image: torch.Tensor
    lesion: torch.Tensor
    lung: torch.Tensor


def prepare(data: Path, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    for name, stem in (LESION_CASES | LESION_FREE_CASES).items():
        path = next(p for p in sorted(data.glob(stem + "_ct*")))
        volume = read_volume(path)
        lungs = given_lungs(data, stem, volume) or find_lungs(volume)
        grid = network_grid(lung_box(lungs))
        lesion = np.zeros(grid.shape, np.float32)
        if name in LESION_CASES:
            mask, geometry = read_mask(data / f"{stem}_lesion.nii.gz", volume.geometry)
            lesion = mask_to_network(mask, geometry, grid)
        lung = mask_to_network(lungs.labels, volume.geometry, grid)
        image = normalise(to_network(volume, grid))
        np.savez_compressed(
            cache / f"{name}.npz",
            image=image.astype(np.float16),
            lesion=lesion.astype(np.float16),
            lung=lung.astype(np.float16),
        )
        print(f"{name}: lesion {lesion.mean():.2%} of the box", flush=True)


def write_tables(data: Path, folder: Path) -> None:
    """The cases each fold leaves out, as cohort tables for ``gasnet evaluate``."""
    for number, held_out in enumerate(FOLDS):
        cases = []
        for name in held_out:
            ill = name in LESION_CASES
            stem = (LESION_CASES | LESION_FREE_CASES)[name]
            ct = next(p for p in sorted(data.glob(stem + "_ct*")))
            mask = data / f"{stem}_lesion.nii.gz" if ill else None
            cases.append(Case(name, ct, mask, "validation" if ill else "healthy"))
        folder.mkdir(parents=True, exist_ok=True)
        write_cohort(Cohort(tuple(cases)), folder / f"fold{number}.csv")


def given_lungs(data: Path, stem: str, volume: Volume) -> Lungs | None:
    """The data's own lung mask, where it has one; sides do not matter here."""
    found = sorted(data.glob(f"{stem}_lung*"))
    if not found:
        return None
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(found[0])))
    # The low byte of Chest Imaging Platform labels is the lung region, the high byte the structure.
    return Lungs(((labels & 0xFF) > 0).astype(np.uint8), volume.geometry)


def load(cache: Path, name: str) -> Crop:
    with np.load(cache / f"{name}.npz") as stored:
        parts = (
            torch.from_numpy(stored[key].astype(np.float32))[None] for key in ("image", "lesion", "lung")
        )
        return Crop(*parts)


class Sampler:
    """Patches (1, D, H, W) of image and target: cut out, moved, and changed in intensity at random."""

    def __init__(self, ill: list[Crop], free: list[Crop], seed: int) -> None:
        self.ill, self.free = ill, free
        self.random = np.random.default_rng(seed)

    def batch(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = [self.patch() for _ in range(size)]
        return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])

    def patch(self) -> tuple[torch.Tensor, torch.Tensor]:
        r = self.random
        kind = r.random()
        ill = self.ill[r.integers(len(self.ill))]
        if kind < 0.55:
            image, lesion = ill.image, ill.lesion
        else:
            free = self.free[r.integers(len(self.free))]
            image, lesion = free.image, torch.zeros_like(free.image)
            if kind < 0.80:  # real lesions set into lesion-free lungs, as L_ps does with predicted ones
                lesion = ill.lesion * (free.lung > 0.5)
                image = lesion * self.contrast(ill.image) + (1 - lesion) * image
        image, lesion = self.cut(image, lesion)
        return self.intensities(image), lesion

    def cut(self, image: torch.Tensor, lesion: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A rotated, scaled, sometimes mirrored patch; in half of the cases around a lesion voxel."""
        r = self.random
        shape = np.array(image.shape[1:])
        half = np.array(PATCH) / 2
        centre = np.array(
            [r.uniform(min(h, n / 2), max(n - h, n / 2)) for h, n in zip(half, shape, strict=True)]
        )
        inside = torch.nonzero(lesion[0] > 0.5)
        if len(inside) and r.random() < 0.5:
            picked = inside[r.integers(len(inside))].numpy() + r.uniform(-8, 8, 3)
            centre = np.clip(picked, np.minimum(half, shape / 2), np.maximum(shape - half, shape / 2))
        angle = np.radians(r.uniform(-15, 15))
        zoom = r.uniform(0.85, 1.2, 3)
        mirror = -1.0 if r.random() < 0.5 else 1.0
        # theta maps patch coordinates (x, y, z in [−1, 1]) to volume coordinates, each in its own scale.
        extent = np.array(PATCH)[::-1] * zoom[::-1] / 2
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        to_unit = 2.0 / shape[::-1]
        theta = to_unit[:, None] * (turn @ np.diag(extent * [mirror, 1, 1]))
        offset = to_unit * centre[::-1] - 1
        affine = torch.tensor(np.c_[theta, offset][None], dtype=torch.float32)
        grid = functional.affine_grid(affine, [1, 1, *PATCH], align_corners=False)
        both = torch.stack([image, lesion], 1)
        moved = functional.grid_sample(both, grid, padding_mode="border", align_corners=False)[0]
        return moved[:1], moved[1:]

    def contrast(self, image: torch.Tensor) -> torch.Tensor:
        r = self.random
        return image * r.uniform(0.9, 1.1) + r.uniform(-40, 40) / HU_PER_UNIT

    def intensities(self, x: torch.Tensor) -> torch.Tensor:
        r = self.random
        if r.random() < 0.5:  # a display window that ends early
            x = x.clamp(max=(r.uniform(100, 250) - WINDOW_HU[0]) / HU_PER_UNIT - 1)
        if r.random() < 0.3:
            unit = ((x + 1) / 2).clamp(0, 1)
            x = unit ** np.exp(r.uniform(-0.35, 0.35)) * 2 - 1
        if r.random() < 0.7:
            x = x * r.uniform(0.85, 1.15) + r.uniform(-60, 60) / HU_PER_UNIT
        if r.random() < 0.25:  # a coarser scan
            factor = (r.uniform(0.5, 1), *[r.uniform(0.4, 1)] * 2)
            small = functional.interpolate(x[None], scale_factor=factor, mode="trilinear")
            x = functional.interpolate(small, size=x.shape[1:], mode="trilinear")[0]
        if r.random() < 0.3:  # a softer or a sharper kernel
            blurred = functional.avg_pool3d(x[None], (1, 3, 3), 1, (0, 1, 1), count_include_pad=False)[0]
            x = x + r.uniform(-1, 1) * (x - blurred)
        if r.random() < 0.5:
            noise = torch.from_numpy(r.standard_normal(x.shape, np.float32))
            x = x + noise * (r.uniform(5, 60) / HU_PER_UNIT)
        return x.clamp(-1, 1)


def loss_of(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus soft Dice over the batch; the target is a share of lesion, so both are soft."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target)
    probability = torch.sigmoid(logits)
    overlap = 2 * (probability * target).sum() + 1.0
    dice = overlap / (probability.square().sum() + target.square().sum() + 1.0)
    return entropy + (1 - dice)


def train(crops: dict[str, Crop], iterations: int, batch: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network = create_segmenter(ARCHITECTURE).to(memory_format=torch.channels_last_3d)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY)
    )
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, iterations, pct_start=0.1)
    ill = [crop for name, crop in crops.items() if name in LESION_CASES]
    free = [crop for name, crop in crops.items() if name in LESION_FREE_CASES]
    sampler = Sampler(ill, free, seed)
    start, total = time.time(), 0.0
    for iteration in range(1, iterations + 1):
        images, targets = sampler.batch(batch)
        # On the CPU three times as fast as the default memory format (Testing/benchmarks/segmenters.py).
        logits = network(images.contiguous(memory_format=torch.channels_last_3d))
        loss = loss_of(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(network)
        total += loss.item()
        if iteration % 50 == 0:
            print(f"{iteration}/{iterations} loss {total / 50:.3f} {time.time() - start:.0f} s", flush=True)
            total = 0.0
    return average.module


def publish(trained: Path, figures: list[Path], out: Path) -> None:
    """Write the model that was trained on all cases with the figures of those that were not."""
    model = load_model(trained)
    cases = {}
    for path in figures:
        with path.open() as file:
            cases |= {
                row.pop("case"): {k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)
            }
    dice = summary(case.get("dice") for case in cases.values())
    metrics = {
        "what": "two-fold cross-validation over patients, 700 iterations a fold; see MODEL_CARD.md",
        "threshold": THRESHOLD,
        "dice": {"mean": dice.mean, "sd": dice.sd, "n": dice.n},
        "cases": cases,
    }
    info = replace(model.info, name="GASNet starter (supervised)", threshold=THRESHOLD, metrics=metrics)
    print(save_model(out, info, model.segmenter).sha256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("prepare")
    command.add_argument("data", type=Path)
    command.add_argument("cache", type=Path)
    command = commands.add_parser("tables")
    command.add_argument("data", type=Path)
    command.add_argument("folder", type=Path)
    command = commands.add_parser("publish")
    command.add_argument("trained", type=Path)
    command.add_argument("figures", type=Path, nargs="+")
    command.add_argument("out", type=Path)
    for name in ("fold", "all"):
        command = commands.add_parser(name)
        command.add_argument("cache", type=Path)
        if name == "fold":
            command.add_argument("fold", type=int, choices=range(len(FOLDS)))
        command.add_argument("out", type=Path)
        command.add_argument("--iterations", type=int, default=1200)
        command.add_argument("--batch", type=int, default=2)
        command.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.command == "prepare":
        prepare(arguments.data, arguments.cache)
        return
    if arguments.command == "publish":
        publish(arguments.trained, arguments.figures, arguments.out)
        return
    if arguments.command == "tables":
        write_tables(arguments.data, arguments.folder)
        return
    held_out = FOLDS[arguments.fold] if arguments.command == "fold" else ()
    names = [name for name in LESION_CASES | LESION_FREE_CASES if name not in held_out]
    start = time.time()
    network = train(
        {n: load(arguments.cache, n) for n in names}, arguments.iterations, arguments.batch, arguments.seed
    )
    training = {
        "recipe": f"Resources/Models/train_starter.py, supervised, {arguments.iterations} iterations, "
        f"batch {arguments.batch}, seed {arguments.seed}",
        "cases": names,
        "held_out": list(held_out),
        "minutes": round((time.time() - start) / 60, 1),
    }
    info = ModelInfo(
        name=arguments.out.stem,
        segmenter=ARCHITECTURE,
        training=training,
        licence="CC BY-NC 4.0; see the model card",
        created=date.today().isoformat(),
    )
    print(save_model(arguments.out, info, network).sha256)


if __name__ == "__main__":
    main()
