"""One update of the networks: gradients in micro-batches, averaged over the processes, then a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..errors import GASNetError, ResourceError
from ..run.errors import RunError
from .batches import Batch, Sample, make_batches
from .distributed import World
from .freed_memory import return_freed_memory
from .objective import discriminator_losses, segmenter_generator_losses, total
from .precision import autocast
from .settings import Settings
from .state import TrainingState, adapt_loss_scale, fixed

MEMORY_MESSAGES = (
    *("out of memory", "can't allocate memory", "not enough memory", "bad_alloc"),
    # What cuBLAS and cuDNN say when there is no room for their workspace.
    *("alloc_failed", "unable to find an engine", "unable to find a valid cudnn algorithm"),
    # What oneDNN says when there is none for the code of a kernel.
    "could not create a primitive",
)


class Updater:
    """Updates the networks of a state, with as much memory as there is.

    Args:
        warn: hears code, cause and advice when the memory was too small.

    Raises:
        RunError: the batch cannot be shared by the processes.
    """

    def __init__(
        self, settings: Settings, state: TrainingState, world: World, warn: Callable[[str, str, str], None]
    ) -> None:
        if settings.batch % world.size:
            raise RunError(
                f"A batch of {settings.batch} cannot be shared by {world.size} processes.",
                "Change batch or the number of processes.",
            )
        self._settings, self._state, self._world, self._warn = settings, state, world, warn
        self._share = settings.batch // world.size
        state.progress.micro_batch = _divisor(self._share, state.progress.micro_batch)

    def update(
        self, samples: Mapping[str, Sequence[Sample]], active: frozenset[str], *trained: str
    ) -> dict[str, Tensor]:
        """One step of the networks named in ``trained``, on samples by role.

        Returns:
            The losses, the shares of the lungs that S marks (``share_…``) and the norms of the gradients
            (``gradient_…``), scalars on the device.

        Raises:
            ResourceError: the memory is too small for a single volume.
        """
        state, overflowed = self._state, False
        trained = tuple(name for name in trained if name in state.optimizers)
        losses = self._gradients(samples, active, trained)
        for name in trained:
            parameters = [p for p in state.networks.named()[name].parameters() if p.grad is not None]
            if not parameters:
                continue
            norm = self._norm(parameters)
            if state.progress.loss_scale > 1 and not norm.isfinite():
                overflowed = True  # float16 did not hold the scaled gradients: this step is left out
                continue
            losses[f"gradient_{name}"] = norm
            state.optimizers[name].step()
        if self._settings.precision == "fp16":
            adapt_loss_scale(state.progress, overflowed)
        if "discriminator" in trained:
            state.networks.discriminator.step_spectral_norm()
        return losses

    def _norm(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Norm of the gradients, averaged over the processes, before they are clipped."""
        scale, limit = self._state.progress.loss_scale, self._settings.optimisation.clip_norm
        gradients = [p.grad for p in parameters]
        self._world.average(gradients)
        for gradient in gradients if scale > 1 else ():
            gradient /= scale
        return torch.nn.utils.clip_grad_norm_(parameters, math.inf if limit is None else limit)

    def _gradients(
        self, samples: Mapping[str, Sequence[Sample]], active: frozenset[str], trained: Sequence[str]
    ) -> dict[str, Tensor]:
        """Accumulate the gradients of one update; with less memory than that takes, in smaller steps."""
        while True:
            failure = ""
            try:
                for name in trained:
                    self._state.optimizers[name].zero_grad()
                losses = self._accumulated(samples, active, trained)
            except (RuntimeError, MemoryError) as error:
                if not lacks_memory(error):
                    raise
                failure = str(error).splitlines()[0] if str(error) else "out of memory"
            # Outside the except clause: there the error still holds the tensors of the failed attempt.
            if self._world.any(bool(failure)):
                self._halve_micro_batch(failure)
                continue
            values = list(losses.values())
            self._world.average(values)
            return losses

    def _accumulated(
        self, samples: Mapping[str, Sequence[Sample]], active: frozenset[str], trained: Sequence[str]
    ) -> dict[str, Tensor]:
        batch = make_batches(samples, self._settings, self._state.device)
        size = self._state.progress.micro_batch
        split = {role: volumes.parts(size) for role, volumes in batch.items()}
        count = len(next(iter(split.values())))
        losses: dict[str, Tensor] = {}
        for index in range(count):
            part = {role: parts[index] for role, parts in split.items()}
            for weighted, terms in self._losses(part, active, trained):
                (weighted * self._state.progress.loss_scale / count).backward()
                for name, value in terms.items():
                    losses[name] = losses.get(name, 0.0) + value.detach() / count
        return losses

    def _losses(
        self, batch: Mapping[str, Batch], active: frozenset[str], trained: Sequence[str]
    ) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Sums to descend, each with the terms in it; each is descended before the next is made."""
        s, networks = self._settings, self._state.networks
        if "discriminator" in trained:
            with autocast(s, self._state.device):
                terms = discriminator_losses(networks, batch["diseased"], batch["healthy"], active, s)
            yield sum(terms.values()), terms
            return
        threshold = self._state.progress.threshold
        with fixed(networks.discriminator):
            parts = segmenter_generator_losses(networks, batch, active, s, threshold)
            while True:
                with autocast(s, self._state.device):
                    part = next(parts, None)
                if part is None:
                    return
                terms, shares = part
                yield total(terms, s), terms | shares

    def _halve_micro_batch(self, failure: str) -> None:
        progress = self._state.progress
        if self._state.device.type == "cuda":
            torch.cuda.empty_cache()
        else:
            return_freed_memory()
        if progress.micro_batch == 1:
            raise ResourceError(
                f"The memory of the {self._state.device.type} is too small even for one volume at a time"
                f" ({failure}).",
                "Close other programs, choose a smaller patch or fewer channels, or train on the CPU.",
            )
        progress.micro_batch = _divisor(self._share, progress.micro_batch - 1)
        self._warn(
            "memory",
            f"The memory was too small; from now on {progress.micro_batch} volumes at a time.",
            "Nothing is lost: the same losses, a little slower.",
        )


def _divisor(number: int, most: int) -> int:
    """Largest divisor of ``number`` up to ``most``: micro-batches of one size weigh the same."""
    return max(divisor for divisor in range(1, min(most, number) + 1) if number % divisor == 0)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch says that there was too little memory, whoever's."""
    if isinstance(error, GASNetError):
        return False
    known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    return known or any(message in str(error).lower() for message in MEMORY_MESSAGES)
