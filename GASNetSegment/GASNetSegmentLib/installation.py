"""What the engine needs and this Python lacks, and how it is installed. No Qt but for Slicer's own
dialogs."""

from __future__ import annotations

import importlib.util
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from GASNetLib.errors import ResourceError

PIP_PACKAGES = {"safetensors": "safetensors>=0.4", "psutil": "psutil>=5.9"}
TORCH = "torch"
PROBE_S = 120


@dataclass(frozen=True)
class Package:
    """A package that is needed: present and sound, or what is wrong with it."""

    name: str
    problem: str = ""


def packages() -> list[Package]:
    """The needed packages as they are found; nothing is imported."""
    return [Package(name, _problem(name)) for name in (TORCH, *PIP_PACKAGES)]


def missing() -> list[Package]:
    """The needed packages that are missing or half installed."""
    return [package for package in packages() if package.problem]


def probe_torch(executable: str, environment: dict[str, str]) -> str:
    """Import torch in a process of its own; an empty text, or why it fails. It takes seconds.

    Half an installation can be found and yet not be loaded; only trying tells.
    """
    try:
        done = subprocess.run(
            [executable, "-c", "import torch; torch.zeros(1) + 1"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PROBE_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["unknown reason"])[-1]


def install_pip_packages(pip_install, wheel_folder: Path | None = None) -> None:
    """Install what pip brings.

    Args:
        pip_install: ``slicer.util.pip_install``.
        wheel_folder: take the packages from files in a folder, without a network.

    Raises:
        ResourceError: pip failed, in words.
    """
    wanted = [PIP_PACKAGES[package.name] for package in missing() if package.name in PIP_PACKAGES]
    _install(pip_install, wanted, wheel_folder)


def install_torch_from_folder(pip_install, wheel_folder: Path) -> None:
    """Install torch from wheel files in a folder, without a network; a half installation is replaced.

    Raises:
        ResourceError: pip failed, in words.
    """
    _install(pip_install, [TORCH], wheel_folder)


def _install(pip_install, wanted: list[str], wheel_folder: Path | None) -> None:
    if not wanted:
        return
    offline = ["--no-index", "--find-links", str(wheel_folder)] if wheel_folder else []
    try:
        pip_install([*offline, *wanted])
    except Exception as error:  # pip's failures come in many classes; each means the same to the person
        names = ", ".join(wanted)
        where = f"from {wheel_folder}" if wheel_folder else "from the internet"
        raise ResourceError(
            f"{names} could not be installed {where} ({error}).",
            "Check the network, its proxy and the free disk space, or install from a folder of wheel files.",
        ) from error


def _problem(name: str) -> str:
    if importlib.util.find_spec(name) is None:
        return "missing"
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return "half installed"  # what pip leaves behind when it is interrupted
    return ""
