"""Several processes as one training: every process takes its part of the global batch (``torchrun``).

Gradients are averaged once per update, after accumulation, in one message per network; each process then
takes the same step. With the same global batch the losses are those of a single process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from ..device import choose_device
from ..errors import ResourceError


@dataclass(frozen=True)
class World:
    """Our number among the processes, and how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """True for the one that writes to the run folder."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one device by their mean over the processes."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.reshape(tensor.shape))

    def any(self, flag: bool) -> bool:
        """True if it is true in any process."""
        if self.size == 1:
            return flag
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        votes = torch.tensor(float(flag), device=device)
        dist.all_reduce(votes)
        return votes.item() > 0


@contextmanager
def joined_world(wanted: str) -> Iterator[tuple[World, torch.device]]:
    """Join the processes that ``torchrun`` started, if it did; gives our place and our device.

    Args:
        wanted: as :func:`GASNetLib.device.choose_device` takes it.

    Raises:
        ResourceError: the wanted device does not work, or there are fewer GPUs than processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World(), torch.device(choose_device(wanted))
        return
    own = _own_device(wanted, int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size()), own
    finally:
        dist.destroy_process_group()


def _own_device(wanted: str, number: int) -> torch.device:
    """The GPU of the ``number``-th process of this computer, or the CPU."""
    gpus = 0 if wanted == "cpu" else torch.cuda.device_count()
    if 0 < gpus <= number:
        raise ResourceError(f"There are more processes than GPUs ({gpus}).", "Start one for each GPU.")
    if gpus:
        torch.cuda.set_device(number)  # first: what runs before would take memory of GPU 0 for each process
    device = choose_device(wanted)
    return torch.device(device, number) if device == "cuda" else torch.device(device)
