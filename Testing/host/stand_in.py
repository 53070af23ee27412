"""Stand-ins for the widgets of CTK and Slicer: real names and signatures, simple behaviour.

`widget_facts.json` says what the real class offers to Python (see `read_headers`), and nothing else is
offered. A stand-in class writes the behaviour that tests need, as methods with their C++ names; a property
without behaviour just keeps its value and emits its notification. A method that exists in Slicer but not
here fails the test by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from . import faults
from .pythonqt import EnumValue, Method, Signal, Wrapped, deliver, normalised, property_value, unwrap, wrap

_ALL = json.loads(Path(__file__).with_name("widget_facts.json").read_text(encoding="utf-8"))

DECORATORS = {
    "qSlicerAbstractModule": {
        "widgetRepresentation": ["widgetRepresentation()"],
        "createNewWidgetRepresentation": ["createNewWidgetRepresentation()"],
    },
    "qSlicerAbstractModuleWidget": {"module": ["module()"]},
    "qSlicerCoreApplication": {"testingEnabled": ["testingEnabled()"], "processEvents": ["processEvents()"]},
}
"""Methods that Slicer's PythonQt decorators add to a class; its header doesn't have them."""

DEFAULTS = {"bool": False, "int": 0, "double": 0.0, "QString": "", "QStringList": [], "float": 0.0}


class Facts:
    """What the class `name` and its bases outside Qt offer to Python."""

    def __init__(self, name: str):
        self.name = name
        self.properties: dict[str, dict] = {}
        self.methods: dict[str, list[str]] = {}
        self.signals: list[str] = []
        self.enums: dict[str, dict[str, int]] = {}
        self.bases: list[str] = []
        while name in _ALL:
            facts = _ALL[name]
            self.bases.append(name)
            self.properties = {**facts["properties"], **self.properties}
            for method, forms in {**facts["methods"], **DECORATORS.get(name, {})}.items():
                self.methods.setdefault(method, []).extend(forms)
            self.signals += [signal for signal in facts["signals"] if signal not in self.signals]
            self.enums = {**facts["enums"], **self.enums}
            name = facts["base"]

    def enum_member(self, name: str) -> Any:
        """Return the value of an unscoped enum member, the enum itself, or None."""
        if name in self.enums:
            return type(name, (), {key: value for key, value in self.enums[name].items()})
        return next((values[name] for values in self.enums.values() if name in values), None)

    def setter_of(self, method: str) -> str | None:
        return next((name for name, entry in self.properties.items() if entry.get("write") == method), None)

    def getter_of(self, method: str) -> str | None:
        return next((name for name, entry in self.properties.items() if entry.get("read") == method), None)


@cache
def facts(name: str) -> Facts:
    return Facts(name)


_classes: dict[str, type] = {}


def stand_in(cls: type | None = None, /, **initial: Any) -> Any:
    """Class decorator: give a PySide6 subclass the face of the CTK or Slicer class of the same name.

    `initial` are the values that properties without behaviour start with.
    """
    return _declare(cls, initial) if cls is not None else lambda decorated: _declare(decorated, initial)


def _declare(cls: type, initial: dict[str, Any]) -> type:
    if cls.__name__ not in _ALL:
        raise ValueError(f"widget_facts.json knows no {cls.__name__}")
    cls.FACTS = facts(cls.__name__)
    unknown = set(initial) - set(cls.FACTS.properties)
    if unknown:
        raise ValueError(f"{cls.__name__} has no properties {unknown}")
    cls.INITIAL = {**getattr(cls, "INITIAL", {}), **initial}
    original = cls.__init__

    def initialise(self, *args, **kwargs):
        if "stand_in" not in self.__dict__:
            self.__dict__["stand_in"] = StandIn(self)
        original(self, *args, **kwargs)

    cls.__init__ = initialise
    _classes[cls.__name__] = cls
    return cls


def stand_in_class(name: str) -> type | None:
    """Return the stand-in for a class of CTK or Slicer."""
    return _classes.get(name)


def names(prefix: str) -> list[str]:
    return [name for name in _classes if name.startswith(prefix)]


class StandIn:
    """The state of one stand-in: values of its properties and who listens to its signals."""

    def __init__(self, owner: Any):
        self.owner = owner
        self.facts: Facts = type(owner).FACTS
        self.values: dict[str, Any] = dict(type(owner).INITIAL)
        self.listeners: dict[str, list[Callable]] = {}

    # names
    def has_signal(self, signature: str) -> bool:
        return signature in self.facts.signals

    def has_method(self, signature: str) -> bool:
        return signature in self.facts.methods.get(signature.partition("(")[0], ())

    def has(self, name: str) -> bool:
        return (
            name in self.facts.properties
            or name in self.facts.methods
            or any(signal.startswith(name + "(") for signal in self.facts.signals)
        )

    def _behaviour(self, name: str | None) -> Callable | None:
        """Return the method that the stand-in class itself writes, under its C++ name."""
        for cls in type(self.owner).__mro__:
            if name and name in cls.__dict__ and not cls.__module__.startswith("PySide6"):
                return getattr(self.owner, name)
        return None

    # from Python in Slicer
    def read(self, owner: Wrapped, name: str) -> Any:
        if name in self.facts.properties:
            return wrap(self.get(name))
        if name in self.facts.methods:
            return Method(owner, name, lambda *args: self.call(name, *args))
        return Signal(owner, next(signal for signal in self.facts.signals if signal.startswith(name + "(")))

    def write(self, owner: Wrapped | None, name: str, value: Any) -> None:
        where = self.facts.name
        if name not in self.facts.properties:
            raise AttributeError(f"Slot or signal '{name}' can not be overwritten on {where} object")
        entry = self.facts.properties[name]
        if "write" not in entry:
            raise AttributeError(f"Property '{name}' of {where} object is not writable")
        self.set(name, property_value(value, entry["type"], where, name))

    def call(self, name: str, *args) -> Any:
        forms = self.facts.methods[name]
        counts = {0 if form.endswith("()") else form.count(",") + 1 for form in forms}
        if len(args) not in counts:
            raise ValueError(
                f"Called {self.facts.name}.{name} with wrong number of arguments: {args}; "
                f"there is {', '.join(forms)}"
            )
        for form in forms:
            self._check_types(form, args) if len(forms) == 1 else None
        behaviour = self._behaviour(name)
        if behaviour:
            return behaviour(*args)
        if self.facts.setter_of(name):
            return self.write(None, self.facts.setter_of(name), args[0])
        if self.facts.getter_of(name):
            return self.get(self.facts.getter_of(name))
        message = f"The test host's {self.facts.name} has no behaviour for {name}()"
        faults.report(message)
        raise NotImplementedError(message)

    def _check_types(self, form: str, args: tuple) -> None:
        """Refuse what PythonQt could not convert: MRML pointers take MRML nodes, numbers take numbers."""
        types = form.partition("(")[2][:-1].split(",")
        for type_name, value in zip(types, args, strict=False):
            fits = True
            if type_name.startswith("vtk") and type_name.endswith("*"):
                fits = value is None or _is_a(value, type_name[:-1])
            elif type_name in ("int", "double"):
                fits = isinstance(value, (int, float)) or hasattr(value, "__int__")
            elif type_name == "QStringList":
                fits = isinstance(value, (list, tuple))
            if not fits:
                raise ValueError(f"Called {form} of {self.facts.name} with wrong arguments: {args}")

    # from the stand-in itself
    def get(self, name: str) -> Any:
        entry = self.facts.properties[name]
        behaviour = self._behaviour(entry.get("read"))
        if behaviour:
            return behaviour()
        return self.values.get(name, DEFAULTS.get(entry["type"]))

    def set(self, name: str, value: Any) -> None:
        entry = self.facts.properties[name]
        behaviour = self._behaviour(entry.get("write"))
        if behaviour:
            behaviour(value)
        else:
            self.keep(name, value)

    def keep(self, name: str, value: Any) -> bool:
        """Store a property's value and emit its notification; True where it is new."""
        entry = self.facts.properties[name]
        if name in self.values and self.values[name] == value:
            return False
        self.values[name] = value
        if "notify" in entry:
            for signal in self.facts.signals:
                if signal.startswith(entry["notify"] + "("):
                    self.emit(signal, *([] if signal.endswith("()") else [value]))
        return True

    # signals
    def connect(self, signature: str, function: Callable) -> None:
        self.listeners.setdefault(signature, []).append(function)

    def disconnect(self, signature: str, function: Callable | None) -> bool:
        listeners = self.listeners.get(signature, [])
        if function is None:
            listeners.clear()
            return True
        if function in listeners:
            listeners.remove(function)
            return True
        return False

    def emit(self, signature: str, *args) -> None:
        signature = normalised(signature)
        if not self.has_signal(signature):
            raise ValueError(f"{self.facts.name} has no signal {signature}")
        if self.owner.signalsBlocked():
            return
        for function in list(self.listeners.get(signature, ())):
            deliver(function, args, f"{self.facts.name}.{signature}")


def _is_a(value: Any, vtk_class: str) -> bool:
    return hasattr(value, "IsA") and bool(value.IsA(vtk_class))


def enum_number(value: Any) -> int:
    return int(value) if isinstance(value, (int, EnumValue)) else int(unwrap(value).value)
