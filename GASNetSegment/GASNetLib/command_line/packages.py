"""Whether the packages that GASNet needs can be loaded: found is not enough, only trying tells."""

from __future__ import annotations

import importlib


def problem(package: str) -> str:
    """Why a package cannot be loaded, in a few words; empty if it can."""
    try:
        module = importlib.import_module(package)
    except ModuleNotFoundError as error:
        return "not installed" if error.name == package else f"cannot be loaded: {error}"
    except Exception as error:  # half an installation fails in whatever way it does
        return f"cannot be loaded: {next(iter(str(error).splitlines()), type(error).__name__)}"
    return "" if getattr(module, "__file__", None) else "half installed: its folder is empty"


def load_torch() -> None:
    """Import torch, which takes seconds.

    Raises:
        ImportError: it is missing or half installed.
    """
    if why := problem("torch"):
        raise ImportError(why, name="torch")
