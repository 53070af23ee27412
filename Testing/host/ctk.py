"""`import ctk`: the stand-ins for CTK's widgets."""

from __future__ import annotations

from typing import Any

from . import ctk_widgets  # noqa: F401  (declares the stand-ins)
from .pythonqt import wrapper_class
from .stand_in import stand_in_class


def __getattr__(name: str) -> Any:
    found = stand_in_class(name) if name.startswith("ctk") else None
    if found is None:
        raise AttributeError(f"module 'ctk' has no attribute '{name}'")
    return wrapper_class(found)
