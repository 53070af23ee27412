"""From crops to batches: reading ahead in threads, then cutting and augmenting on the device."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..cohort.network_crop import COVERED
from ..reach import within_reach
from ..volume import WINDOW_HU
from .augmentation import Place, random_placement, resampled, vary_intensities
from .data_order import ROLES, DataOrder, Draw, Request, requests_of
from .settings import Settings

READ_AHEAD = 3
"""Requests that are read while the device computes."""


class Grid(Protocol):
    """The part of :class:`GASNetLib.geometry.Geometry` that training needs."""

    spacing: tuple[float, float, float]


class Crop(Protocol):
    """A case on the network's grid, as :class:`GASNetLib.cohort.network_crop.NetworkCrop`.

    ``hu`` int16 (D, H, W); ``lungs`` uint8, non-zero within; ``lesions`` None or uint8, 0..``COVERED`` the
    share of the voxel that is lesion; ``grid.spacing`` mm (x, y, z); ``voxels`` the same for copies of a CT;
    ``intensities`` of the CT, ``window`` for 0–255.
    """

    hu: np.ndarray
    lungs: np.ndarray
    lesions: np.ndarray | None
    grid: Grid
    voxels: str
    intensities: str


Crops = Mapping[str, Crop]


@dataclass(frozen=True)
class Sample:
    """One volume in memory, before augmentation."""

    hu: Tensor
    lungs: Tensor
    lesions: Tensor | None
    spacing: tuple[float, float, float]
    seed: int


@dataclass(frozen=True)
class Batch:
    """Volumes ready for the networks.

    Attributes:
        image: (N, 1, D, H, W) float32 in [−1, 1].
        lungs: same shape, 1 within the lungs, else 0.
        near: same shape, 1 where S is heard (``settings.reach_mm``, of whole volumes ``result_reach_mm``),
            else 0.
        lesions: same shape, in [0, 1]; zeros where the cases have no mask.
        seeds: N seeds for what is random about these volumes.
    """

    image: Tensor
    lungs: Tensor
    near: Tensor
    lesions: Tensor
    seeds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.seeds)

    def parts(self, size: int) -> list[Batch]:
        """The batch in micro-batches of ``size``."""
        starts = range(0, len(self), size)
        fields = (self.image, self.lungs, self.near, self.lesions, self.seeds)
        return [Batch(*(field[i : i + size] for field in fields)) for i in starts]


@dataclass(frozen=True)
class Common:
    """What the volumes of all roles share in an update: where they are cut, and how intensities change."""

    place: Place
    seed: int


class Loader:
    """Reads the samples of a training in the order in which it takes them, some requests ahead.

    Use as context manager: leaving it ends the threads.
    """

    def __init__(
        self,
        crops: Crops,
        order: DataOrder,
        settings: Settings,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        pin_memory: bool = False,
    ) -> None:
        self._crops, self._order, self._settings = crops, order, settings
        self._part, self._pin = (rank, world), pin_memory
        every_iteration = (requests_of(settings, i) for i in range(start, settings.iterations))
        self._upcoming: Iterator[Request] = chain.from_iterable(every_iteration)
        self._ahead: deque[tuple[Request, list[Future[Sample]]]] = deque()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="crops")
        self._top_up()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def take(self, iteration: int, update: int, roles: Sequence[str]) -> dict[str, list[Sample]]:
        """The samples of one update.

        Raises:
            InputError: a crop cannot be read.
        """
        samples = {}
        for role in roles:
            request, reading = self._ahead.popleft()
            if request != Request(iteration, update, role):
                raise ValueError(f"{request} comes next, and not {role} of {iteration}.{update}")
            samples[role] = [future.result() for future in reading]
            self._top_up()
        return samples

    def _top_up(self) -> None:
        while len(self._ahead) < READ_AHEAD and (request := next(self._upcoming, None)) is not None:
            draws = self._order.draws(request, self._settings, *self._part)
            self._ahead.append((request, [self._threads.submit(self._read, draw) for draw in draws]))

    def _read(self, draw: Draw) -> Sample:
        return read_sample(self._crops, draw, self._pin)


def read_sample(crops: Crops, draw: Draw, pin_memory: bool = False) -> Sample:
    """Copy a crop into memory.

    Raises:
        InputError: it cannot be read.
    """
    crop = crops[draw.case]

    def tensor(array: np.ndarray) -> Tensor:
        copied = torch.from_numpy(np.array(array))
        return copied.pin_memory() if pin_memory else copied

    lesions = None if crop.lesions is None else tensor(crop.lesions)
    spacing = tuple(crop.grid.spacing[::-1])
    return Sample(tensor(crop.hu), tensor(crop.lungs), lesions, spacing, draw.seed)


def make_batches(
    samples: Mapping[str, Sequence[Sample]], settings: Settings, device: torch.device
) -> dict[str, Batch]:
    """Cut, augment and stack the samples of one update, by role, on the device.

    The patches of all roles lie at the same place of the lungs' box, so that what is exchanged between
    volumes (I_ps) comes from where it goes to, and their intensities are changed alike, so that it is not
    told from its surroundings by that. Rotation, zoom and the noise itself vary by volume.
    """
    leading = next((samples[role] for role in ROLES if role in samples), ())
    common = [Common(_place(sample, settings), sample.seed) for sample in leading]
    return {role: _batch(own, common, settings, device) for role, own in samples.items()}


def _batch(
    samples: Sequence[Sample], common: Sequence[Common], settings: Settings, device: torch.device
) -> Batch:
    volumes = [_augmented(*pair, settings, device) for pair in zip(samples, common, strict=True)]
    image, lungs, near, lesions = (torch.stack(channel) for channel in zip(*volumes, strict=True))
    return Batch(image, lungs, near, lesions, tuple(sample.seed for sample in samples))


def whole_volume(crop: Crop, settings: Settings, device: torch.device) -> Batch:
    """A crop as it is, as a batch of one, in which S is heard as in a result."""
    hu = torch.from_numpy(np.array(crop.hu))
    lesions = None if crop.lesions is None else torch.from_numpy(np.array(crop.lesions))
    channels = _channels(hu, torch.from_numpy(np.array(crop.lungs)), lesions, device)
    image, lungs, lesion_share = channels[:, None, None]
    near = within_reach(lungs, crop.grid.spacing[::-1], settings.result_reach_mm)
    return Batch(image, lungs, near, lesion_share, (0,))


def _channels(hu: Tensor, lungs: Tensor, lesions: Tensor | None, device: torch.device) -> Tensor:
    """Image in [−1, 1], lungs 0 or 1 and lesions in [0, 1], stacked as float32 (3, D, H, W)."""
    low, high = WINDOW_HU
    image = hu.to(device, non_blocking=True).float().clamp(low, high)
    image = (image - low) * (2 / (high - low)) - 1
    inside = (lungs.to(device, non_blocking=True) > 0).float()
    share = torch.zeros_like(image)
    if lesions is not None:
        share = lesions.to(device, non_blocking=True).float() / COVERED
    return torch.stack([image, inside, share])


def _augmented(
    sample: Sample, common: Common, settings: Settings, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    a, shape, own = settings.augmentation, tuple(sample.hu.shape), np.random.default_rng(sample.seed)
    placement = random_placement(own, a, shape, settings.patch, sample.spacing, common.place)
    channels = _channels(sample.hu, sample.lungs, sample.lesions, device)
    image, lungs, lesions = resampled(channels, placement, settings.patch)[:, None]
    image = vary_intensities(image, a, np.random.default_rng([common.seed, 2]), sample.seed)
    inside = (lungs > 0.5).float()
    near = within_reach(inside[None], sample.spacing, settings.reach_mm)[0]
    return image, inside, near, lesions * near


def _place(sample: Sample, settings: Settings) -> Place:
    """Around a voxel that is mostly lesion in ``settings.lesion_centred`` of the cases, else anywhere."""
    random = np.random.default_rng([sample.seed, 1])
    wanted, position, fraction = random.random() < settings.lesion_centred, random.random(), random.random(3)
    if sample.lesions is None or not wanted:
        return Place(fraction)
    voxels = np.flatnonzero(sample.lesions.numpy() >= COVERED / 2)
    if not len(voxels):
        return Place(fraction)
    voxel = np.unravel_index(voxels[int(position * len(voxels))], sample.lesions.shape)
    return Place(fraction, np.array(voxel))
