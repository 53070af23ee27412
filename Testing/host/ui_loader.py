"""`qt.QUiLoader`: Qt's own loader, with the stand-ins for CTK's and Slicer's classes, strict about names.

Qt makes a dynamic property out of a misspelt one and a plain QWidget out of an unknown class. Here both fail.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from .pythonqt import class_info, connect_slot, wrap
from .stand_in import Facts, stand_in_class

DYNAMIC = {"SlicerParameterName", "SlicerPackParameterName"}
"""Dynamic properties that Slicer's parameter node wrapper looks for."""

LAYOUT_ONLY = {
    "leftMargin",
    "topMargin",
    "rightMargin",
    "bottomMargin",
    "margin",
    "spacing",
    "horizontalSpacing",
    "verticalSpacing",
}


class UiError(RuntimeError):
    """The .ui file names something that the real class does not have."""


class UiLoader(QtUiTools.QUiLoader):
    """Loads a .ui file as Slicer's Qt would, from an open QIODevice."""

    def __init__(self, parent: QtCore.QObject | None = None):
        super().__init__(parent)
        self._made: list[QtWidgets.QWidget] = []

    def createWidget(self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = ""):
        stand_in = stand_in_class(class_name)
        if stand_in is None:
            return super().createWidget(class_name, parent, name)
        widget = stand_in(parent)
        widget.setObjectName(name)
        self._made.append(widget)
        return widget

    def load(self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        root = ET.fromstring(device.readAll().data())
        later = _Later()
        for element in root.iter("widget"):
            _check_widget(element, later)
        for element in root.iter("layout"):
            _check_names(element, getattr(QtWidgets, element.get("class", "")), LAYOUT_ONLY)
        connections = root.find("connections")
        if connections is not None:
            root.remove(connections)
        buffer = QtCore.QBuffer()
        buffer.setData(ET.tostring(root))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(buffer, parent)
        if widget is None:
            raise UiError(self.errorString())
        later.apply(widget)
        for connection in connections if connections is not None else ():
            _connect(widget, connection)
        return widget


class _Later:
    """Properties of stand-ins: set on the made widgets, since Qt's loader doesn't know them."""

    def __init__(self):
        self.properties: list[tuple[str, str, Any]] = []

    def apply(self, root: QtWidgets.QWidget) -> None:
        for widget_name, name, value in self.properties:
            _find(root, widget_name).stand_in.write(None, name, value)


def _find(root: QtWidgets.QWidget, name: str) -> QtCore.QObject:
    found = root if root.objectName() == name else root.findChild(QtCore.QObject, name)
    if found is None:
        raise UiError(f"The .ui file connects '{name}', which is no widget of it")
    return found


def _check_widget(element: ET.Element, later: _Later) -> None:
    class_name, name = element.get("class", ""), element.get("name", "")
    stand_in = stand_in_class(class_name)
    qt_class = stand_in or getattr(QtWidgets, class_name, None)
    if qt_class is None and class_name != "Line":
        raise UiError(
            f"Widget '{name}' is of the class {class_name}, which neither Qt nor the test host knows"
        )
    if stand_in is not None:
        for prop in element.findall("property"):
            if prop.get("name") in stand_in.FACTS.properties:
                later.properties.append((name, prop.get("name"), _value(prop[0], stand_in.FACTS)))
                element.remove(prop)
    _check_names(element, qt_class or QtWidgets.QFrame, set())


def _check_names(element: ET.Element, qt_class: type, also: set[str]) -> None:
    properties = class_info(qt_class).properties
    for prop in element.findall("property"):
        name = prop.get("name", "")
        known = name in properties or name in also or (qt_class is QtWidgets.QFrame and name == "orientation")
        if not known and name not in DYNAMIC:
            raise UiError(f"{element.get('class')} '{element.get('name')}' has no property '{name}'")


def _value(element: ET.Element, facts: Facts) -> Any:
    text = element.text or ""
    if element.tag == "bool":
        return text == "true"
    if element.tag == "number":
        return int(text)
    if element.tag in ("double", "float"):
        return float(text)
    if element.tag in ("string", "cstring"):
        return text
    if element.tag == "stringlist":
        return [item.text or "" for item in element]
    if element.tag in ("enum", "set"):
        number = 0
        for part in filter(None, text.split("|")):
            number |= _enum_number(part, facts)
        return number
    raise UiError(f"The test host can't read a <{element.tag}> of a {facts.name}")


def _enum_number(name: str, facts: Facts) -> int:
    scope, _, member = name.rpartition("::")
    own = facts.enum_member(member)
    if own is not None:
        return own
    for library in (QtCore, QtGui, QtWidgets):
        owner = getattr(library, scope.split("::")[0], None) if scope else None
        if owner is not None and hasattr(owner, member):
            return getattr(owner, member).value
    raise UiError(f"{facts.name} knows no enum member {name}")


def _connect(root: QtWidgets.QWidget, element: ET.Element) -> None:
    sender, signal, receiver, slot = (
        element.findtext(tag, "") for tag in ("sender", "signal", "receiver", "slot")
    )
    if not connect_slot(_find(root, sender), signal, _find(root, receiver), slot):
        raise UiError(
            f"The .ui file connects {sender}.{signal} with {receiver}.{slot}, which can't be connected"
        )


def load(path: str) -> Any:
    """Load the .ui file at `path` (for tests of the loader itself)."""
    file = QtCore.QFile(path)
    file.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    return wrap(UiLoader().load(file))
