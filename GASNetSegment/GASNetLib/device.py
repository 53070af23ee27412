"""Where the networks run, and whether the memory is enough."""

from __future__ import annotations

import psutil

from .errors import ResourceError
from .geometry import Geometry
from .model import ModelInfo

DEVICES = ("auto", "cpu", "cuda")

# Bytes at the peak of a run, measured with Testing/benchmarks/segment.py and rounded up.
NATIVE_BYTES_PER_VOXEL = 14
ACTIVATION_COPIES = 6  # full-resolution feature maps of the first level alive at once, all levels together
PROCESS_BYTES = 600 * 2**20  # Python with torch


def choose_device(wanted: str = "auto") -> str:
    """``cuda`` or ``cpu``: what ``auto`` means here, or the wanted device if it works.

    A GPU counts only if a real kernel runs on it: a driver can be there and fail.

    Raises:
        ResourceError: ``cuda`` was asked for and does not work. ValueError: unknown name.
    """
    if wanted not in DEVICES:
        raise ValueError(f"unknown device {wanted!r}; known: {', '.join(DEVICES)}")
    if wanted == "cpu":
        return "cpu"
    problem = gpu_problem()
    if problem is None:
        return "cuda"
    if wanted == "cuda":
        raise ResourceError(f"The GPU cannot be used: {problem}.", "Choose the CPU, or repair the driver.")
    return "cpu"


def gpu_problem() -> str | None:
    """Why no NVIDIA GPU can be used; None if a convolution just ran on one."""
    import torch  # here, so that the command line knows its devices where torch is not installed

    if not torch.cuda.is_available():
        return "PyTorch finds none" if torch.version.cuda else "this PyTorch was built for the CPU only"
    try:
        probe = torch.ones(1, 1, 8, 8, 8, device="cuda")
        torch.nn.functional.conv3d(probe, probe[:, :, :3, :3, :3]).sum().item()
    except RuntimeError as error:
        return str(error).splitlines()[0].rstrip(".")
    return None


def estimate_memory(geometry: Geometry, info: ModelInfo) -> int:
    """Bytes that :func:`~GASNetLib.segment.segment` needs at its peak for a CT on this grid, on the CPU."""
    depth, height, width = info.preprocessing["shape"]
    channels = info.segmenter.get("channels", 16)
    activations = depth * height * width * channels * 4 * ACTIVATION_COPIES
    native = geometry.size[0] * geometry.size[1] * geometry.size[2] * NATIVE_BYTES_PER_VOXEL
    return PROCESS_BYTES + native + activations


def check_memory(geometry: Geometry, info: ModelInfo) -> None:
    """Refuse a run that would not fit, before it starts.

    Raises:
        ResourceError: less memory is free than the run needs.
    """
    needed, free = estimate_memory(geometry, info), psutil.virtual_memory().available
    if needed - PROCESS_BYTES > free:
        raise ResourceError(
            f"This CT needs about {needed / 2**30:.1f} GB of memory, and {free / 2**30:.1f} GB are free.",
            "Close other programs, or crop the CT to the chest.",
        )
