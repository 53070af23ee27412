"""Find what Qt 6 has and Qt 5.15, the Qt of Slicer 5, has not.

The host runs over Qt 6; a module that uses one of these names works there and fails in Slicer. Both Qts are
asked through their Python bindings, so PyQt5 must be importable once, for this:

    PYTHONPATH=FOLDER_WITH_PYQT5 python Testing/host/read_qt5.py > Testing/host/not_in_qt5.json
"""

from __future__ import annotations

import enum
import importlib
import json
import sys
from typing import Any

from PySide6 import QtCore, QtGui, QtNetwork, QtWidgets

LIBRARIES = ("QtCore", "QtGui", "QtWidgets", "QtNetwork")
PYSIDE_ONLY = {"staticMetaObject", "exec_", "tr", "receivers", "emit", "connect", "disconnect"}


def classes_of_qt5() -> dict[str, type]:
    found = {}
    for library in LIBRARIES:
        for name, value in vars(importlib.import_module(f"PyQt5.{library}")).items():
            if isinstance(value, type):
                found[name] = value
    return found


def names(qt_class: Any) -> set[str]:
    """Return the public names of a class, those of its enums' members too."""
    found = {name for name in dir(qt_class) if not name.startswith("_")}
    for value in list(vars(qt_class).values()):
        if isinstance(value, type) and issubclass(value, enum.Enum):
            found |= set(value.__members__)
    return found


def meta_names(qt_class: Any) -> tuple[set[str], set[str]]:
    """Return the properties and the signatures of signals that the meta-object knows."""
    meta = getattr(qt_class, "staticMetaObject", None)
    if meta is None:
        return set(), set()
    properties = {meta.property(index).name() for index in range(meta.propertyCount())}
    methods = [meta.method(index) for index in range(meta.methodCount())]
    return properties, {
        bytes(method.methodSignature().data()).decode()
        for method in methods
        if int(getattr(method.methodType(), "value", method.methodType())) == 1
    }


def only_new(qt_class: type, old: type) -> set[str]:
    """Return the names, properties and signatures of signals of `qt_class` that `old` has not."""
    new_properties, new_signals = meta_names(qt_class)
    old_properties, old_signals = meta_names(old)
    plain = names(qt_class) - names(old) - PYSIDE_ONLY - new_properties
    return plain | (new_properties - old_properties) | (new_signals - old_signals)


def main() -> None:
    old_classes = classes_of_qt5()
    missing: set[str] = set()
    found: dict[str, set[str]] = {}
    bases: dict[str, list[str]] = {}
    for library in (QtCore, QtGui, QtWidgets, QtNetwork):
        for name in [name for name in dir(library) if name.startswith("Q")]:
            qt_class = getattr(library, name)
            if isinstance(qt_class, type) and name not in old_classes:
                missing.add(name)
            elif isinstance(qt_class, type):
                found[name] = only_new(qt_class, old_classes[name])
                bases[name] = [base.__name__ for base in qt_class.__mro__[1:]]
    own = {
        name: sorted(new.difference(*(found.get(base, set()) for base in bases[name])))
        for name, new in sorted(found.items())
    }
    json.dump(
        {"classes": sorted(missing), "members": {name: new for name, new in own.items() if new}},
        sys.stdout,
        indent=1,
    )
    print()


if __name__ == "__main__":
    main()
