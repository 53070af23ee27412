"""Everything that decides a training, as plain data that goes into ``config.json`` and comes back from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from math import inf
from typing import Any

from ..crop import NETWORK_SHAPE
from ..run.errors import RunError

PRECISIONS = ("float32", "bf16", "fp16", "auto")


@dataclass(frozen=True)
class Terms:
    """From which iteration on each term of the objective acts (0-based); None switches it off (ablation).

    The names follow the paper: ``gan`` L_GAN, ``ig_to_d`` L_IgToD, ``id_to_d`` L_IdToD, ``segmentation`` L_S,
    ``healthy`` the healthy part of L_S, ``recons`` L_recons, ``mil`` L_MIL, ``ps`` L_ps. Ours, off in the
    paper: ``transplant`` is L_ps with labelled lesions and their masks, ``repair`` asks G to take the
    transplanted lesion out again.
    """

    gan: int | None = 0
    ig_to_d: int | None = 0
    id_to_d: int | None = 0
    segmentation: int | None = 0
    healthy: int | None = 0
    recons: int | None = 0
    mil: int | None = 0
    ps: int | None = 7000
    transplant: int | None = None
    repair: int | None = None

    def active(self, iteration: int) -> frozenset[str]:
        """Names of the terms that act in an iteration. Without ``gan`` there is no D for the other two."""
        starts = {name: start for name, start in asdict(self).items() if start is not None}
        active = {name for name, start in starts.items() if iteration >= start}
        return frozenset(active if "gan" in active else active - {"ig_to_d", "id_to_d"})

    def ever_active(self) -> frozenset[str]:
        """Names of the terms that act at any time."""
        return frozenset(name for name, start in asdict(self).items() if start is not None)


@dataclass(frozen=True)
class Optimisation:
    """AdamW with a rate per network; with ``weight_decay`` 0 this is Adam.

    Attributes:
        rate_s, rate_g, rate_d: learning rates of S, G and D.
        betas: of Adam (CycleGAN's: 0.5, 0.999).
        warm_up: iterations over which the rates rise linearly from 0.
        cosine: rates fall to 0 along a cosine until the last iteration; otherwise they stay.
        clip_norm: largest norm of the gradients of one network; None does not clip.
        ema: decay of the moving average of S that is validated and saved; None uses S itself.
    """

    rate_s: float = 1e-4
    rate_g: float = 1e-5
    rate_d: float = 1e-5
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.0
    warm_up: int = 0
    cosine: bool = False
    clip_norm: float | None = None
    ema: float | None = None


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes of a volume; 0 switches one off.

    Attributes:
        rotation_degrees: about each axis, ±.
        zoom: lowest and highest scale. Below 1 a part of the volume fills the grid: the paper's random crop.
        flips: probability of mirroring left and right, and front and back.
        noise_hu: largest standard deviation of Gaussian noise.
        shift_hu, gain: of the intensities, ±; the gain is about the density of water.
        gamma: exponent between 1/(1 + gamma) and 1 + gamma on the window.
        blur: probability of smoothing. sharpen: of its opposite. thick: of simulating thick slices.
        window: probability of a random narrower display window, as of data exported from a viewer.
        eight_bit: probability of what published 8-bit images went through: a range up to bone, then a local
            equalisation of contrast in each slice (CLAHE).
    """

    rotation_degrees: float = 10.0
    zoom: tuple[float, float] = (0.85, 1.0)
    flips: float = 0.0
    noise_hu: float = 20.0
    shift_hu: float = 0.0
    gain: float = 0.0
    gamma: float = 0.0
    blur: float = 0.0
    sharpen: float = 0.0
    thick: float = 0.0
    window: float = 0.0
    eight_bit: float = 0.0


@dataclass(frozen=True)
class DiscriminatorView:
    """What is taken from all volumes before D sees them, so that it cannot tell the scanner (ours).

    Attributes:
        ceiling_hu, floor_hu: common window; sources saturate differently.
        blur: width in voxels of a common smoothing, which levels resolution; 0 for none.
        noise_hu: common noise on top, which hides the noise of the source.
    """

    ceiling_hu: float = 250.0
    floor_hu: float = -1250.0
    blur: float = 0.0
    noise_hu: float = 0.0


@dataclass(frozen=True)
class Settings:
    """A training. The defaults are the paper's (preset ``paper``).

    Attributes:
        segmenter, generator, discriminator: architectures (see :mod:`GASNetLib.networks`).
        theta: updates of D for each update of S and G (θ).
        batch: volumes of each role per update; ``micro_batch`` of them at a time (gradient accumulation).
        patch: (depth, height, width) cut from the network's grid; the whole grid in the paper.
        lambda_s: weight of L_S, healthy, L_MIL, L_ps and transplant (λ_s).
        xi: threshold of the pseudo-labels (ξ).
        transplant_hu: lowest and highest change of the density of half of the lesions that are transplanted
            with their mask: all degrees from ground glass to consolidation come from a few lesions (ours).
        reach_mm: S is heard only so near the lungs (see :mod:`GASNetLib.reach`); None, the paper: everywhere.
        result_reach_mm: the same for validation and the model that is made: S learns what borders the lungs,
            and its results end nearer to them.
        dice: adds the soft Dice loss to the cross-entropy of L_S and of transplant (ours).
        mil_voxels: L_MIL takes the mean of so many highest voxels; the paper's max is 1.
        lesion_centred: share of labelled patches that are centred on a lesion voxel.
        val_every, preview_every: iterations. log_every: iterations per event.
        checkpoint_seconds: longest time between two checkpoints, the most that a crash can cost.
        patience: validations without improvement after which the training ends; None never ends it early.
        precision: ``float32``, ``bf16``, ``fp16`` (autocast) or ``auto`` (bf16 where hardware has it, else
            float32). ``fp16`` is for GPUs that are too old for bf16; a CPU computes it, many times slower.
        channels_last (on a GPU), compile: how the networks are executed; the same losses within rounding.
            Compiling takes minutes, and a C++ compiler, on a GPU Triton; without one they run as they are.
        calibrate: chooses the threshold of the saved model: the best one on the validation cases or, without
            any, the lowest that leaves healthy lungs alone (ours); the paper's is 0.5.
    """

    name: str = "paper"
    segmenter: Mapping[str, Any] = field(default_factory=lambda: {"name": "unet", "channels": 16})
    generator: Mapping[str, Any] = field(default_factory=lambda: {"channels": 16, "residual_blocks": 6})
    discriminator: Mapping[str, Any] = field(default_factory=lambda: {"channels": 16, "levels": 3})
    terms: Terms = Terms()
    optimisation: Optimisation = Optimisation()
    augmentation: Augmentation = Augmentation()
    discriminator_view: DiscriminatorView = DiscriminatorView()
    iterations: int = 14000
    theta: int = 5
    batch: int = 4
    micro_batch: int = 4
    patch: tuple[int, int, int] = NETWORK_SHAPE
    lambda_s: float = 100.0
    xi: float = 0.3
    transplant_hu: tuple[float, float] = (0.0, 0.0)
    reach_mm: float | None = None
    result_reach_mm: float | None = None
    dice: bool = False
    mil_voxels: int = 1
    lesion_centred: float = 0.0
    val_every: int = 200
    preview_every: int = 500
    log_every: int = 1
    checkpoint_seconds: float = 300.0
    patience: int | None = None
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    calibrate: bool = False
    seed: int = 0


def as_data(settings: Settings) -> dict:
    """JSON-ready dictionary of the settings."""
    return asdict(settings)


FORMERLY: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "result_reach_mm": lambda older: older.get("reach_mm"),
}
"""What a younger setting stood for before there was one, told from the settings that there were.

Runs outlive an update. :func:`as_data` names every setting, so one that is missing is younger than the run:
its default must be what was done before, as the paper's value nearly always is, or it must stand here.
"""


def from_data(data: Mapping[str, Any]) -> Settings:
    """Inverse of :func:`as_data`, also for the settings of runs made by older versions.

    Raises:
        RunError: unknown field, or a value that makes no sense.
    """
    data = {name: formerly(data) for name, formerly in FORMERLY.items()} | dict(data)
    parts = {
        "terms": Terms,
        "optimisation": Optimisation,
        "augmentation": Augmentation,
        "discriminator_view": DiscriminatorView,
    }
    values = {name: _made(parts[name], value) if name in parts else value for name, value in data.items()}
    return checked(_made(Settings, values))


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Settings with some fields replaced; ``{"terms.ps": None, "batch": 2}`` reaches into the parts.

    Raises:
        RunError: unknown field, or a value that makes no sense.
    """
    data = as_data(settings)
    for path, value in changes.items():
        *parts, last = path.split(".")
        target = data
        for part in parts:
            target = target.get(part)
            if not isinstance(target, dict):
                raise _unknown(path, as_data(settings))
        if last not in target and parts[:1] not in (["segmenter"], ["generator"], ["discriminator"]):
            raise _unknown(path, as_data(settings))
        target[last] = value
    return from_data(data)


def checked(settings: Settings) -> Settings:
    """The settings, if they can be trained with.

    Raises:
        RunError: a value makes no sense; the sentence names it.
    """
    s = settings
    rates = (s.optimisation.rate_s, s.optimisation.rate_g, s.optimisation.rate_d)
    counts = (s.iterations, s.theta, s.batch, s.micro_batch, s.val_every, s.preview_every, s.log_every)
    fits = len(s.patch) == 3 and all(16 <= a <= b for a, b in zip(s.patch, NETWORK_SHAPE, strict=True))
    acting_on_s = s.terms.ever_active() & {"segmentation", "healthy", "mil", "ps", "transplant"}
    reach, result_reach = (inf if mm is None else mm for mm in (s.reach_mm, s.result_reach_mm))
    rules = {
        "iterations, theta, batch, micro_batch and the *_every must be at least 1": min(counts) >= 1,
        "batch must be a multiple of micro_batch": s.batch % max(s.micro_batch, 1) == 0,
        f"patch must be three sizes from 16 up to {NETWORK_SHAPE}": fits,
        "xi must lie between 0 and 0.5": 0 < s.xi <= 0.5,
        f"precision must be one of {', '.join(PRECISIONS)}": s.precision in PRECISIONS,
        "result_reach_mm must not be larger than reach_mm": 0 <= result_reach <= reach,
        "no term is left that teaches the segmenter": bool(acting_on_s),
        "learning rates must be positive": min(rates) > 0,
    }
    for sentence, holds in rules.items():
        if not holds:
            raise RunError(f"These settings cannot be trained with: {sentence}.", "Change them.")
    return settings


def _unknown(path: str, data: Mapping[str, Any]) -> RunError:
    """Names what is nearest to a setting that there is not; all of them where nothing is near."""
    names = list(_names(data))
    by_last = {name.rpartition(".")[2]: name for name in names}
    near = get_close_matches(path, names) + [by_last[last] for last in get_close_matches(path, by_last)]
    which = f"Perhaps {' or '.join(dict.fromkeys(near))}" if near else f"There are {', '.join(names)}"
    return RunError(f"There is no setting “{path}”.", f"{which}.")


def _names(data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _made(kind: type, values: Mapping[str, Any]) -> Any:
    unknown = set(values) - {f.name for f in fields(kind)}
    if unknown:
        raise RunError(
            f"There is no setting “{sorted(unknown)[0]}”.", "The file may be of a newer GASNet: update it."
        )
    lists_as_tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**lists_as_tuples)
    except TypeError as error:
        raise RunError(f"These settings cannot be read ({error}).", "Start from a preset.") from error
