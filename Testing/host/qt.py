"""`import qt`: all of Qt in one flat module, as PythonQt offers it."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtNetwork, QtWidgets

from . import dialogs  # noqa: F401  (dialogs are answered by the test)
from .pythonqt import NOT_IN_QT5, wrapper_class
from .ui_loader import UiLoader

LIBRARIES = (QtCore, QtGui, QtWidgets, QtNetwork)

NOT_IN_PYTHONQT = {
    "Signal",
    "Slot",
    "Property",
    "SIGNAL",
    "SLOT",
    "ClassInfo",
    "QEnum",
    "QFlag",
    "QT_TR_NOOP",
}


def __getattr__(name: str) -> Any:
    if name == "QUiLoader":
        return wrapper_class(UiLoader)
    if name not in NOT_IN_PYTHONQT and name not in NOT_IN_QT5["classes"]:
        for library in LIBRARIES:
            found = getattr(library, name, None)
            if isinstance(found, type):
                return wrapper_class(found)
    raise AttributeError(f"module 'qt' has no attribute '{name}'")
