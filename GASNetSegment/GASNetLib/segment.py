"""The main job: a chest CT and a model in, the probability of lesion on the CT's own grid out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from .crop import (
    denormalise,
    from_network,
    margin_around,
    mask_to_network,
    network_grid,
    normalise,
    to_network,
)
from .device import check_memory, choose_device
from .errors import Cancelled, InputError, ModelError, ResourceError
from .geometry import Geometry
from .lungs import METHODS, Lungs, find_lungs, lung_box
from .model import Model, ModelInfo
from .patches import in_patches
from .provenance import now
from .reach import within_reach
from .threshold import checked_threshold
from .volume import WINDOW_HU, Volume, check_chest_ct

Progress = Callable[[str, float], None]
"""Called with the stage in words and the share of the whole that is done, 0 to 1."""


@dataclass(frozen=True)
class Segmentation:
    """What was found in one CT.

    Attributes:
        volume: the CT.
        probability: of lesion, float32 (z, y, x) on the CT's grid.
        lungs: left and right lung on the CT's grid.
        model: which model found it.
        threshold: probability above which a voxel is lesion (a view: changing it needs no rerun).
        device: where the network ran. seconds: by stage. notes: what the person should know.
        created: when, ISO 8601 in UTC.
    """

    volume: Volume
    probability: np.ndarray
    lungs: Lungs
    model: ModelInfo
    threshold: float
    device: str
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    created: str = field(default_factory=now)

    @property
    def lesions(self) -> np.ndarray:
        """Lesion mask at the threshold, uint8 (z, y, x) (Xu et al. 2020: M̂ > 0.5)."""
        # Not in float32, in which 0.1 is another number than the threshold that a person reads.
        return (self.probability > np.float64(self.threshold)).view(np.uint8)

    def with_threshold(self, threshold: float) -> Segmentation:
        """The same result seen at another threshold.

        Raises:
            ValueError: not between 0 and 1.
        """
        return replace(self, threshold=checked_threshold(threshold))


def segment(
    volume: Volume,
    model: Model,
    *,
    device: str = "auto",
    threshold: float | None = None,
    lungs: Lungs | None = None,
    lungs_method: str = METHODS[0],
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Segmentation:
    """Segment the lesions of a chest CT.

    Args:
        device: ``auto`` takes a GPU that works. Where a GPU fails in mid-run, as when its memory is too
            small, the CPU takes over, and a note says so. The model itself is not moved.
        threshold: default: the model's.
        lungs: those of this CT, on its grid, if they are known already.
        lungs_method: how they are found otherwise, as in :func:`~GASNetLib.lungs.find_lungs`.
        progress: told the stage and the share done. cancelled: asked between stages.

    Raises:
        NotAChestCT: no chest or no lungs in it, or none in ``lungs``.
        InputError: ``lungs`` lie on another grid. ResourceError: memory or device.
        ModelError: the network gives values that are no numbers. Cancelled: ``cancelled()``.
        ValueError: threshold not between 0 and 1, or unknown device.
    """
    threshold = checked_threshold(model.info.threshold if threshold is None else threshold)
    run = _Run(progress, cancelled)
    seen = _look(run, volume, model, device, lungs, lungs_method)
    with run.stage("restore", "Bringing the result back to the CT", 0.75):
        probability = from_network(seen.probability, seen.grid, volume.geometry)
    run.report("Done", 1.0)
    return Segmentation(
        volume, probability, seen.lungs, model.info, threshold, seen.device, run.seconds, seen.notes
    )


def restore_healthy(
    volume: Volume,
    model: Model,
    *,
    device: str = "auto",
    lungs: Lungs | None = None,
    lungs_method: str = METHODS[0],
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[Volume, np.ndarray]:
    """What the generator believes the lungs looked like before the disease: M̂·G(I) + (1 − M̂)·I.

    The change the generator makes is brought back to the CT's grid and added there, so that the CT keeps its
    sharpness where nothing was changed.

    Args:
        As :func:`segment`.

    Returns:
        The restored CT, with all that the person should know in its notes, and the difference restored − CT
        in HU, float32 (z, y, x).

    Raises:
        ModelError: the model has no generator. Others as :func:`segment`.
    """
    if model.generator is None:
        raise ModelError(
            f"The model {model.info.name} has no generator, so it cannot restore the healthy look.",
            "Choose a model that was trained with one.",
        )
    run = _Run(progress, cancelled)
    seen = _look(run, volume, model, device, lungs, lungs_method)
    with run.stage("generator", "Restoring the healthy look", 0.6):
        generated, _, notes = _values(model.generator, seen.crop, seen.device)
        change = seen.probability * (denormalise(generated) - denormalise(seen.crop))
    with run.stage("restore", "Bringing the result back to the CT", 0.85):
        difference = from_network(change, seen.grid, volume.geometry)
    run.report("Done", 1.0)
    low, high = WINDOW_HU
    # Beyond the network's window nothing is known: bone and metal stay as they are.
    difference[(volume.hu > high) | (volume.hu < low)] = 0.0
    restored = volume.hu + difference
    return replace(volume, hu=restored, name=f"{volume.name} restored", notes=seen.notes + notes), difference


class _Run:
    """Progress, cancellation and time of the stages of one run."""

    def __init__(self, progress: Progress | None, cancelled: Callable[[], bool] | None) -> None:
        self.report = progress or (lambda stage, share: None)
        self.cancelled = cancelled or (lambda: False)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, key: str, words: str, share: float) -> Iterator[None]:
        if self.cancelled():
            raise Cancelled
        self.report(words, share)
        start = time.perf_counter()
        yield
        self.seconds[key] = round(time.perf_counter() - start, 3)
        if self.cancelled():
            raise Cancelled


@dataclass(frozen=True)
class _Seen:
    """Crop in [−1, 1] and M̂, both (depth, height, width) on the network's grid, and how they came about.

    ``notes`` are all so far: of the CT, of its lungs and of the device.
    """

    lungs: Lungs
    grid: Geometry
    crop: np.ndarray
    probability: np.ndarray
    device: str
    notes: tuple[str, ...]


def _look(
    run: _Run,
    volume: Volume,
    model: Model,
    device: str,
    lungs: Lungs | None,
    lungs_method: str,
) -> _Seen:
    """The stages from the CT to the probability on the network's grid, and what is checked before.

    Raises:
        NotAChestCT: no chest or no lungs. Others as :func:`segment`.
    """
    device = choose_device(device)
    check_memory(volume.geometry, model.info)
    with run.stage("lungs", "Finding the lungs", 0.05):
        lungs = find_lungs(volume, lungs_method) if lungs is None else _of_this_ct(lungs, volume)
    with run.stage("crop", "Cropping to the lungs", 0.35):
        grid = _model_grid(lungs, model.info, volume.intensities)
        crop = normalise(to_network(volume, grid))
    with run.stage("network", "Looking for lesions", 0.45):
        probability, device, notes = _probability(model, crop, volume, lungs, grid, device)
    return _Seen(lungs, grid, crop, probability, device, volume.notes + lungs.notes + notes)


def _of_this_ct(lungs: Lungs, volume: Volume) -> Lungs:
    """Lungs that were handed in, if they lie on the CT."""
    check_chest_ct(volume)
    if lungs.labels.shape != volume.hu.shape or not lungs.geometry.same_as(volume.geometry):
        raise InputError("The lungs do not lie on the grid of the CT.", "Give those found in this CT.")
    return lungs


def _model_grid(lungs: Lungs, info: ModelInfo, intensities: str) -> Geometry:
    box = lung_box(lungs, margin_around(intensities, info.preprocessing["margin_mm"]))
    return network_grid(box, tuple(info.preprocessing["shape"]))


def _probability(
    model: Model, crop: np.ndarray, volume: Volume, lungs: Lungs, grid: Geometry, device: str
) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """M̂ on the network's grid, the device it was computed on, and a note if that is not the wanted one."""
    patch = model.info.preprocessing.get("patch") if volume.intensities == "window" else None
    logits, device, notes = _values(model.segmenter, crop, device, patch)
    reach = model.info.preprocessing.get("reach_mm")
    if reach is None:
        return _sigmoid(logits), device, notes
    inside = torch.from_numpy(mask_to_network(lungs.labels, lungs.geometry, grid) >= 0.5)
    near = within_reach(inside[None, None], grid.spacing[::-1], reach)[0, 0].numpy()
    return _sigmoid(logits) * near, device, notes


def _values(
    network: torch.nn.Module, crop: np.ndarray, device: str, patch: Sequence[int] | None = None
) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """The network's values, the device they were computed on, and a note if that is not the wanted one.

    Raises:
        ResourceError: the CPU cannot do it either.
    """
    try:
        return _forward(network, crop, device, patch), device, ()
    except RuntimeError as error:  # too little memory and a lost device are kinds of it
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        if device == "cpu":
            raise ResourceError(
                f"The network could not be run ({reason}).",
                "Close other programs, start this one again, and choose the CPU.",
            ) from error
    values, device, _ = _values(network, crop, "cpu", patch)
    return values, device, (f"The GPU failed ({reason}): the CPU was used.",)


def _forward(
    network: torch.nn.Module, crop: np.ndarray, device: str, patch: Sequence[int] | None = None
) -> np.ndarray:
    """The network's values for a crop (depth, height, width), float32, in one pass or in patches."""
    if next(network.parameters()).device.type != device:
        # The caller's network stays where it is: nothing comes back from a device that is lost.
        network = copy.deepcopy(network).to(device)
    x = torch.from_numpy(crop)[None, None].to(device, memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        given = network(x) if patch is None else in_patches(network, x, patch)
        values = given[0, 0].float().cpu().numpy()
    if not np.isfinite(values).all():  # it would read as "no lesion"
        raise ModelError("The model gave values that are not numbers.", "Choose another model.")
    return values


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30)))
