"""What the engine needs and this Python lacks, and how it is installed. No Qt but for Slicer's own
dialogs."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from GASNetLib.errors import ResourceError

TORCH = "torch"
REQUIREMENTS = {TORCH: "torch", "safetensors": "safetensors>=0.4", "psutil": "psutil>=5.9"}
PROBE_S = 120
ADVICE = (
    "Check the network, its proxy and the free disk space, or install from a folder of wheel files."
    " Slicer's Python console shows what pip said."
)


@dataclass(frozen=True)
class Package:
    """A package that is needed: present and sound, or what is wrong with it."""

    name: str
    problem: str = ""


def packages() -> list[Package]:
    """The needed packages as they are found; nothing is imported."""
    return [Package(name, _problem(name)) for name in REQUIREMENTS]


def missing(unloadable: Collection[str] = ()) -> list[Package]:
    """The needed packages that are missing or half installed.

    Args:
        unloadable: names of packages that are found and yet cannot be loaded; only trying tells.
    """
    found = (
        Package(package.name, package.problem or "cannot be loaded")
        if package.name in unloadable
        else package
        for package in packages()
    )
    return [package for package in found if package.problem]


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


def remove_broken(pip_uninstall: Callable[[list[str]], None], names: Collection[str]) -> None:
    """Take away what pip believes to be installed, or else it would leave it as it is.

    Args:
        pip_uninstall: ``slicer.util.pip_uninstall``.

    Raises:
        ResourceError: pip failed, in words.
    """
    known = [name for name in names if _is_known_to_pip(name)]
    try:
        if known:
            pip_uninstall(known)
    except Exception as error:  # pip's failures come in many classes; each means the same to the person
        raise ResourceError(
            f"{', '.join(known)} could not be removed to be installed anew.",
            "Restart 3D Slicer, so that nothing uses it, and try again before anything else.",
        ) from error


def install(
    pip_install: Callable[[list[str]], object], names: Collection[str], wheel_folder: Path | None = None
) -> None:
    """Install packages by pip.

    Args:
        pip_install: ``slicer.util.pip_install``.
        names: of needed packages.
        wheel_folder: take them from wheel files in a folder, without a network.

    Raises:
        ResourceError: pip failed, in words.
    """
    if not names:
        return
    offline = ["--no-index", "--find-links", str(wheel_folder)] if wheel_folder else []
    try:
        pip_install([*offline, *(REQUIREMENTS[name] for name in names)])
    except Exception as error:  # as above
        where = f"from {wheel_folder}" if wheel_folder else "from the internet"
        raise ResourceError(f"{', '.join(names)} could not be installed {where}.", ADVICE) from error


def _problem(name: str) -> str:
    if importlib.util.find_spec(name) is None:
        return "missing"
    return "" if _is_known_to_pip(name) else "half installed"  # what an interrupted pip leaves behind


def _is_known_to_pip(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
