"""``gasnet check``: what runs on this computer."""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from ..errors import GASNetError
from ..model import load_model, starter_model_path
from ..version import VERSION
from .packages import problem

NEEDED = ("torch", "SimpleITK", "numpy", "safetensors")
PACKAGES = (*NEEDED, "highdicom", "matplotlib", "lungmask")


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add ``check`` to the command line."""
    parser = subparsers.add_parser(
        "check",
        help="say what works on this computer",
        description="Say what works on this computer: packages, GPU (a kernel is really run), memory, disk "
        "and models. The exit status is 1 if CTs cannot be segmented here.",
    )
    parser.add_argument(
        "models", nargs="*", type=Path, metavar="M", help="model packages (default: the starter)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each thing that is needed; 1 if something essential is missing."""
    import psutil

    from ..device import gpu_problem

    _line("GASNet", VERSION)
    _line("Python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    problems = {package: problem(package) for package in PACKAGES}
    for package, why in problems.items():
        _line(package, why or _version(package))
    memory = psutil.virtual_memory()
    _line("Processor", f"{psutil.cpu_count()} threads")
    _line("Memory", f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GB free")
    _line("Disk", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GB free in this folder")
    if broken := [package for package in NEEDED if problems[package]]:
        _line("What to do", f"{sys.executable} -m pip install --force-reinstall {' '.join(broken)}")
        return 1  # the rest cannot be tried without them
    trouble = gpu_problem()
    _line("GPU", "works" if trouble is None else f"not used: {trouble}")
    sound = [_check_lungs(), *map(_check_model, arguments.models or [starter_model_path()])]
    return 0 if all(sound) else 1


def _check_lungs() -> bool:
    """Load the network that the lungs are found with."""
    from ..lungs.network import lungs_network

    try:
        network = lungs_network()
    except GASNetError as error:
        _line("Lungs", str(error))
        return False
    _line("Lungs", f"their network is whole (sha256 {network.info.sha256[:12]}…)")
    return True


def _check_model(path: Path | None) -> bool:
    """Load a model and run it on an empty crop."""
    import numpy as np
    import torch

    if path is None:
        _line("Model", "the starter model is not installed")
        return False
    try:
        model = load_model(path)
        shape = tuple(model.info.preprocessing["shape"])
        with torch.inference_mode():
            output = model.segmenter(torch.zeros(1, 1, *shape))
    except GASNetError as error:
        _line("Model", str(error))
        return False
    if not np.isfinite(output.numpy()).all():
        _line("Model", f"{path.name} gives values that are no numbers")
        return False
    _line("Model", f"{path.name} works ({model.info.name}, sha256 {model.info.sha256[:12]}…)")
    return True


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "works; its version is not known"


def _line(name: str, text: str) -> None:
    print(f"{name + ':':13} {text}")
