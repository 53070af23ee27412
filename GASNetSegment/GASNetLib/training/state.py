"""All that a training must remember to go on exactly: networks, optimizers, counters, random numbers."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..networks import create_discriminator, create_generator, create_segmenter
from ..run.errors import RunError
from .objective import Networks
from .settings import Optimisation, Settings

LARGEST_LOSS_SCALE = 2.0**16
"""Small gradients would be 0 in float16: the losses are scaled up before they are descended, and the
gradients down again, by a power of 2 that is found on the way (Micikevicius et al. 2018, "Mixed precision
training").
"""

STEADY_UPDATES = 2000
"""Updates whose gradients float16 held, after which a larger scale is tried."""


@dataclass
class Progress:
    """Counters of a training; plain data.

    Attributes:
        iteration: iterations that are done.
        seconds: time spent training, over all its processes.
        best_score, best_iteration: highest mean validation Dice, and when.
        threshold: of the best parameters; without validation cases, as healthy lungs last told.
        stale: validations since then.
        salt, rate_factor, step_backs: changed by a step back from losses that were not numbers.
        micro_batch: halved where memory ran out.
        loss_scale: of float16, 1 otherwise. steady: updates since its gradients were infinite.
    """

    iteration: int = 0
    seconds: float = 0.0
    best_score: float | None = None
    best_iteration: int | None = None
    threshold: float = 0.5
    stale: int = 0
    salt: int = 0
    rate_factor: float = 1.0
    step_backs: int = 0
    micro_batch: int = 1
    loss_scale: float = 1.0
    steady: int = 0


@dataclass
class TrainingState:
    """Networks with their optimizers, and the progress.

    ``averaged`` is the moving average of S, or S itself without one: what is validated and saved.
    """

    networks: Networks
    averaged: nn.Module
    optimizers: dict[str, torch.optim.Optimizer]
    progress: Progress = field(default_factory=Progress)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.networks.segmenter.parameters()).device


def new_state(settings: Settings, device: torch.device) -> TrainingState:
    """Networks of the settings with weights of the settings' seed; G and D only where a term needs them.

    Raises:
        ValueError: an architecture cannot be built.
    """
    torch.manual_seed(settings.seed)
    terms = settings.terms.ever_active()
    networks = Networks(
        create_segmenter(dict(settings.segmenter)),
        create_generator(dict(settings.generator)) if terms & {"gan", "recons", "repair"} else None,
        create_discriminator(dict(settings.discriminator)) if "gan" in terms else None,
    )
    for network in networks.named().values():
        network.to(device, memory_format=_memory_format(settings, device))
    averaged = networks.segmenter
    if settings.optimisation.ema is not None:
        averaged = copy.deepcopy(networks.segmenter).requires_grad_(False).eval()
    rates = {
        "segmenter": settings.optimisation.rate_s,
        "generator": settings.optimisation.rate_g,
        "discriminator": settings.optimisation.rate_d,
    }
    optimizers = {
        name: _optimizer(network, rates[name], settings.optimisation)
        for name, network in networks.named().items()
    }
    progress = Progress(micro_batch=settings.micro_batch)
    if settings.precision == "fp16":
        progress.loss_scale = LARGEST_LOSS_SCALE
    return TrainingState(networks, averaged, optimizers, progress)


def check_architectures(settings: Settings) -> None:
    """Build the networks without weights.

    Raises:
        RunError: one cannot be built.
    """
    try:
        with torch.device("meta"):
            create_segmenter(dict(settings.segmenter))
            create_generator(dict(settings.generator))
            create_discriminator(dict(settings.discriminator))
    except (ValueError, TypeError) as error:
        raise RunError(f"These networks cannot be built: {error}.", "Change the settings.") from error


def set_rates(state: TrainingState, settings: Settings) -> None:
    """Learning rates of the present iteration: warm-up, cosine, and the factor of a step back."""
    o, iteration = settings.optimisation, state.progress.iteration
    factor = state.progress.rate_factor * min(1.0, (iteration + 1) / (o.warm_up + 1))
    if o.cosine:
        factor *= 0.5 * (1 + math.cos(math.pi * iteration / settings.iterations))
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


def adapt_loss_scale(progress: Progress, overflowed: bool) -> None:
    """Halve the scale after an update whose gradients float16 did not hold; double it when many held."""
    if overflowed:
        progress.loss_scale, progress.steady = progress.loss_scale / 2, 0
        return
    progress.steady += 1
    if progress.steady % STEADY_UPDATES == 0:
        progress.loss_scale = min(2 * progress.loss_scale, LARGEST_LOSS_SCALE)


@torch.no_grad()
def update_average(state: TrainingState, decay: float | None) -> None:
    """Move the average of S towards S; early on faster, so that it does not remember the start."""
    if decay is None:
        return
    decay = min(decay, (1 + state.progress.iteration) / (10 + state.progress.iteration))
    own, averaged = state.networks.segmenter.state_dict(), state.averaged.state_dict()
    for name, value in averaged.items():
        value.lerp_(own[name], 1 - decay)


@contextmanager
def fixed(network: nn.Module | None) -> Iterator[None]:
    """Within, the network's weights gather no gradients (those of its input pass through)."""
    if network is not None:
        network.requires_grad_(False)
    try:
        yield
    finally:
        if network is not None:
            network.requires_grad_(True)


def tensors_of(state: TrainingState) -> dict[str, Tensor]:
    """Every tensor of the state by name, on the CPU: networks, average, optimizers, random numbers."""
    tensors = {}
    for name, network in state.networks.named().items():
        tensors |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
    if state.averaged is not state.networks.segmenter:
        tensors |= {f"averaged.{key}": value for key, value in state.averaged.state_dict().items()}
    for name, optimizer in state.optimizers.items():
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{name}.{index}.{key}": value for key, value in moments.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if state.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(state.device)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def restore(state: TrainingState, tensors: dict[str, Tensor], progress: Progress) -> None:
    """Put the tensors of :func:`tensors_of` and the progress back.

    Raises:
        ValueError, RuntimeError, KeyError: the tensors are those of other networks.
    """
    for name, network in state.networks.named().items():
        network.load_state_dict(_below(tensors, f"{name}."))
    if state.averaged is not state.networks.segmenter:
        state.averaged.load_state_dict(_below(tensors, "averaged."))
    for name, optimizer in state.optimizers.items():
        moments: dict[int, dict[str, Tensor]] = {}
        parameters = optimizer.param_groups[0]["params"]
        for key, value in _below(tensors, f"optimizer.{name}.").items():
            index, moment = key.split(".", 1)
            own = moments.setdefault(int(index), {})
            # The fused step walks through memory: moments must lie as their parameter does (channels last).
            like = parameters[int(index)] if value.dim() else value
            own[moment] = torch.empty_like(like, dtype=value.dtype, device=value.device).copy_(value)
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
    torch.set_rng_state(tensors["random.cpu"])
    if state.device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], state.device)
    state.progress = progress


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}


def _optimizer(network: nn.Module, rate: float, optimisation: Optimisation) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [{"params": list(network.parameters()), "initial_lr": rate}],
        lr=rate,
        betas=tuple(optimisation.betas),
        weight_decay=optimisation.weight_decay,
        fused=True,
    )


def _memory_format(settings: Settings, device: torch.device) -> torch.memory_format:
    last = settings.channels_last and device.type != "cpu"  # a CPU takes up to half as long again with it
    return torch.channels_last_3d if last else torch.contiguous_format
