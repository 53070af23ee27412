"""A cohort of tiny lungs as arrays, and a worker that trains on it in a real process:
``python tiny_cohort.py RUN [DEVICE]``.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ENGINE = Path(__file__).resolve().parents[2] / "GASNetSegment"
sys.path.insert(0, str(ENGINE))

SHAPE = (16, 32, 32)


def tiny_crop(seed: int, diseased: bool, with_mask: bool) -> SimpleNamespace:
    """Two ellipsoid lungs of −850 HU in soft tissue, with balls of −400 HU as lesions."""
    random = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    lungs = np.zeros(SHAPE, np.uint8)
    for label, middle in ((1, -0.45), (2, 0.45)):
        lungs[(z / 0.95) ** 2 + (y / 0.8) ** 2 + ((x - middle) / 0.4) ** 2 < 1] = label
    hu = np.where(lungs > 0, -850.0, 40.0)
    lesion = np.zeros(SHAPE, bool)
    for _ in range(3 if diseased else 0):
        middle = np.argwhere(lungs > 0)[random.integers((lungs > 0).sum())] / np.array(SHAPE) * 2 - 1
        ball = (z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 < 0.3**2
        lesion |= ball & (lungs > 0)
    hu[lesion] = -400
    hu += random.normal(0, 25, SHAPE)
    return SimpleNamespace(
        hu=hu.astype(np.int16),
        lungs=lungs,
        lesions=(lesion * 255).astype(np.uint8) if with_mask else None,
        grid=SimpleNamespace(spacing=(2.0, 2.0, 6.0)),
        voxels=f"{seed}",
        intensities="hu",
    )


def tiny_crops(labelled: int = 1, diseased: int = 3, healthy: int = 3, validation: int = 2) -> Mapping:
    """Crops by name; the name says the role."""
    counts = {"labelled": labelled, "diseased": diseased, "healthy": healthy, "validation": validation}
    crops = {}
    for number, (role, count) in enumerate(counts.items()):
        for index in range(count):
            masked = role in ("labelled", "validation")
            crops[f"{role}{index}"] = tiny_crop(100 * number + index, role != "healthy", masked)
    return crops


def names_by_role(crops: Mapping) -> dict[str, tuple[str, ...]]:
    """Names of :func:`tiny_crops` by role."""
    roles = ("labelled", "diseased", "healthy", "validation")
    return {role: tuple(name for name in crops if name.startswith(role)) for role in roles}


def tiny_cohort():
    """The same as a cohort; its files are never opened."""
    from GASNetLib.cohort import Case, Cohort

    crops = tiny_crops()
    cases = []
    for role, names in names_by_role(crops).items():
        for name in names:
            mask = None if crops[name].lesions is None else Path(f"/none/{name}_mask.nii")
            cases.append(Case(name, Path(f"/none/{name}.nii"), mask, role))
    return Cohort(tuple(cases))


def open_tiny_crops(cohort, cache, progress, cancelled) -> Mapping:
    """What a worker takes in place of the crops made from CTs."""
    progress("tiny lungs", 1.0)
    return tiny_crops()


def leave_memory(megabytes: int) -> None:
    """From now on the process gets only so much more memory from the operating system."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + megabytes * 2**20,) * 2)


def fail_after(steps: int, kind: str, text: str) -> None:
    """After so many steps of optimizers every operation of PyTorch fails, as on a GPU that is lost.

    Args:
        kind: name of the exception in torch, or of one of Python's.
    """
    import builtins

    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook
    from torch.utils._python_dispatch import TorchDispatchMode

    class Lost(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, arguments=(), options=None):
            raise (getattr(torch, kind, None) or getattr(builtins, kind))(text)

    def count(optimizer, arguments, options) -> None:
        nonlocal steps
        steps -= 1
        if steps == 0:
            Lost().__enter__()

    register_optimizer_step_post_hook(count)


def open_crops_of_a_worker(cohort, cache, progress, cancelled) -> Mapping:
    """As :func:`open_tiny_crops`, on one core, in PREPARE_SECONDS; afterwards with MEMORY_LEFT (MB), or with
    FAILURE (class and text of an exception) after STEPS of the optimizers."""
    import torch

    from GASNetLib.errors import Cancelled

    torch.set_num_threads(1)
    progress("tiny lungs", 0.0)
    end = time.monotonic() + float(os.environ.get("PREPARE_SECONDS", "0"))
    while time.monotonic() < end:
        if cancelled():
            raise Cancelled
        time.sleep(0.1)
    if "MEMORY_LEFT" in os.environ:
        leave_memory(int(os.environ["MEMORY_LEFT"]))
    if "FAILURE" in os.environ:
        fail_after(int(os.environ["STEPS"]), *os.environ["FAILURE"].split(": ", 1))
    return open_tiny_crops(cohort, cache, progress, cancelled)


if __name__ == "__main__":
    from GASNetLib.training.worker import work_in_turn

    sys.exit(work_in_turn(*sys.argv[1:3], open_crops=open_crops_of_a_worker))
