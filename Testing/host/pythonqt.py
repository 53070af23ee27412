"""PythonQt's manners for PySide6 objects.

A `Wrapped` object stands before each PySide6 object. It decides by Qt's meta-object what a name is: a
property is a value, a signal can be connected, a slot or method can be called, and nothing else exists. The
rules are those of PythonQt's `PythonQtInstanceWrapper_getattro`/`_setattro` and
`PythonQtSignalTarget::call`.
"""

from __future__ import annotations

import enum
import inspect
import json
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import shiboken6
from PySide6 import QtCore
from shibokensupport.signature import get_signature

from . import faults

HIDDEN = {"exec_", "tr", "connect", "disconnect", "emit", "receivers", "sender"}
"""Names that PySide6 adds or writes in another way than PythonQt."""


# --- enums ---------------------------------------------------------------------------------------------


class EnumValue(int):
    """A member of a Qt enum: a plain int that remembers its Qt type for calls."""

    qt: enum.Enum

    def __new__(cls, member):
        value = int.__new__(cls, member.value)
        value.qt = member
        return value

    def __or__(self, other):
        return self._combine(other, int.__or__)

    def __and__(self, other):
        return self._combine(other, int.__and__)

    def _combine(self, other, operation):
        number = operation(int(self), int(other))
        if isinstance(self.qt, enum.Flag) and getattr(other, "qt", self.qt).__class__ is type(self.qt):
            return enum_value(type(self.qt)(number))
        return number


_enum_types: dict[type, type] = {}


def enum_type(qt_enum: type) -> type:
    """Return the class of int that stands for a Qt enum, its members as attributes."""
    if qt_enum not in _enum_types:
        made = type(qt_enum.__name__, (EnumValue,), {})
        _enum_types[qt_enum] = made
        for name, member in qt_enum.__members__.items():
            setattr(made, name, made(member))
    return _enum_types[qt_enum]


def enum_value(member: enum.Enum) -> EnumValue:
    return enum_type(type(member))(member)


# --- values across the border --------------------------------------------------------------------------

_wrappers: weakref.WeakValueDictionary[int, Wrapped] = weakref.WeakValueDictionary()
_classes: dict[type, type] = {}


def wrapper_class(qt_class: type) -> type:
    """Return the class that wraps `qt_class`: derived from no other wrapper class, as in PythonQt."""
    if qt_class not in _classes:
        _classes[qt_class] = WrapperType(
            qt_class.__name__, (Wrapped,), {"_qt_class": qt_class, "__slots__": ()}
        )
    return _classes[qt_class]


def wrap(value: Any) -> Any:
    """Return a value as Python code in Slicer sees it."""
    if isinstance(value, enum.Enum):
        return enum_value(value)
    if isinstance(value, shiboken6.Object):
        return _wrap_object(value)
    if isinstance(value, (list, tuple)):
        return tuple(wrap(item) for item in value)
    if isinstance(value, dict):
        return {key: wrap(item) for key, item in value.items()}
    return value


def _wrap_object(qt_object: shiboken6.Object) -> Wrapped:
    key = shiboken6.getCppPointer(qt_object)[0]
    known = _wrappers.get(key)
    if known is not None and known._qt is qt_object:
        return known
    cls = wrapper_class(type(qt_object))
    wrapped = cls.__new__(cls)
    wrapped._adopt(qt_object)
    return wrapped


def unwrap(value: Any) -> Any:
    """Return a value as PySide6 takes it."""
    if isinstance(value, Wrapped):
        if not alive(value._qt):
            raise ValueError(f"Trying to pass a destroyed {type(value).__name__} object")
        return value._qt
    if isinstance(value, EnumValue):
        return value.qt
    if isinstance(value, WrapperType):
        return value._qt_class
    if isinstance(value, (list, tuple)):
        return [unwrap(item) for item in value]
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    return value


NOT_IN_QT5 = json.loads(Path(__file__).with_name("not_in_qt5.json").read_text(encoding="utf-8"))
"""Classes and members that came with Qt 6; Slicer 5 runs on Qt 5.15 (see `read_qt5`)."""


@cache
def new_in_qt6(qt_class: type) -> frozenset[str]:
    """Return the names, properties and signatures of signals of a class that Qt 5 has not."""
    members = NOT_IN_QT5["members"]
    return frozenset(name for cls in qt_class.__mro__ for name in members.get(cls.__name__, ()))


@dataclass(frozen=True)
class ClassInfo:
    """What Qt's meta-object knows of a class, copied: a QMetaObject asked of an object dies with it."""

    properties: dict[str, tuple[str, bool]]
    """name -> (C++ type, writable)"""
    signals: tuple[str, ...]
    methods: frozenset[str]

    def signal(self, name: str) -> str | None:
        """Return the first signature of the signal `name`, or None where `name` is no signal."""
        return next((signature for signature in self.signals if signature.startswith(name + "(")), None)


@cache
def class_info(qt_class: type) -> ClassInfo:
    """Return what Qt's own class under `qt_class` has; what a stand-in adds is in its facts."""
    meta = real_class(qt_class).staticMetaObject
    properties = [meta.property(index) for index in range(meta.propertyCount())]
    methods = [meta.method(index) for index in range(meta.methodCount())]
    signatures = [(method.methodType(), method.methodSignature().data().decode()) for method in methods]
    absent = new_in_qt6(qt_class)
    signatures = [(kind, name) for kind, name in signatures if name not in absent]
    return ClassInfo(
        {
            prop.name(): (prop.typeName(), prop.isWritable())
            for prop in properties
            if prop.name() not in absent
        },
        tuple(name for kind, name in signatures if kind is QtCore.QMetaMethod.MethodType.Signal),
        frozenset(name for _, name in signatures),
    )


def info_of(qt_object: QtCore.QObject) -> ClassInfo:
    return class_info(type(qt_object))


def alive(qt_object: Any) -> bool:
    return qt_object is not None and shiboken6.isValid(qt_object)


# --- calls ---------------------------------------------------------------------------------------------


def call(function: Callable, args: tuple, kwargs: dict, name: str) -> Any:
    """Call a C++ function: no keyword arguments, and ValueError where the arguments don't fit."""
    if kwargs:
        raise ValueError(f"Called {name} with keyword arguments, but called slot does not support kwargs.")
    qt_args = [unwrap(arg) for arg in args]
    try:
        return wrap(function(*qt_args))
    except TypeError as error:
        converted = _with_enums(function, qt_args)
        if converted is None:
            raise ValueError(f"Called {name} with wrong arguments: {args}\n{error}") from None
    try:
        return wrap(function(*converted))
    except TypeError as error:
        raise ValueError(f"Called {name} with wrong arguments: {args}\n{error}") from None


def _with_enums(function: Callable, args: list) -> list | None:
    """Turn plain ints into the enums that the C++ function takes: PythonQt does so, PySide6 does not."""
    try:
        signatures = get_signature(function)
    except (AttributeError, TypeError, ValueError):
        return None
    for signature in signatures if isinstance(signatures, list) else [signatures] if signatures else []:
        parameters = [
            p for p in signature.parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY
        ]
        parameters = [p for p in parameters if p.name != "self"]
        enums = [_enum_class(parameter.annotation) for parameter in parameters]
        if len(args) <= len(enums) and any(
            cls and type(arg) is int for cls, arg in zip(enums, args, strict=False)
        ):
            return [
                cls(arg) if cls and type(arg) is int else arg for cls, arg in zip(enums, args, strict=False)
            ]
    return None


def _enum_class(annotation: Any) -> type | None:
    if isinstance(annotation, str):
        found: Any = None
        parts = annotation.split(".")
        if parts[0] == "PySide6":
            found = __import__(".".join(parts[:2]), fromlist=["x"])
            for part in parts[2:]:
                found = getattr(found, part, None)
        annotation = found
    return annotation if isinstance(annotation, type) and issubclass(annotation, enum.Enum) else None


class Method:
    """A slot or method of an object, ready to be called."""

    def __init__(self, owner: Wrapped, name: str, function: Callable):
        self._owner, self._name, self._function = owner, name, function
        self.__name__ = name

    def __call__(self, *args, **kwargs):
        if not alive(self._owner._qt):
            raise ValueError(
                f"Trying to call '{self._name}' on a destroyed {type(self._owner).__name__} object"
            )
        return call(self._function, args, kwargs, f"{type(self._owner).__name__}.{self._name}")

    def __eq__(self, other):
        return isinstance(other, Method) and self._owner is other._owner and self._name == other._name

    def __hash__(self):
        return hash((id(self._owner), self._name))

    def __repr__(self):
        return f"<built_in_qt_slot {self._name} of {type(self._owner).__name__}>"


# --- signals -------------------------------------------------------------------------------------------


def accepted_arguments(function: Callable) -> int | None:
    """Return how many signal arguments PythonQt passes on; None means all of them.

    Only plain functions and bound methods have their arguments cut: a `functools.partial` or an object with
    `__call__` gets everything.
    """
    code_owner, bound = function, 0
    if inspect.ismethod(function):
        code_owner, bound = function.__func__, 1
    if not inspect.isfunction(code_owner) or code_owner.__code__.co_flags & inspect.CO_VARARGS:
        return None
    return code_owner.__code__.co_argcount - bound


def deliver(function: Callable, args: tuple, signal: str) -> None:
    """Call a slot written in Python with what it takes of `args`; an exception becomes a fault."""
    try:
        function(*[wrap(arg) for arg in args[: accepted_arguments(function)]])
    except Exception as error:
        if not getattr(error, "shown_in_dialog", False):
            faults.report_exception(f"a slot connected to {signal}")


def normalised(signature: str) -> str:
    return QtCore.QMetaObject.normalizedSignature(signature.lstrip("0123456789")).data().decode()


_connections: dict[int, list[tuple[str, Callable, Any]]] = {}


def connect_callable(qt_object: QtCore.QObject, signature: str, function: Callable) -> bool:
    """Connect a Python callable to a signal by its signature; False (and a fault) where there is none."""
    wanted = normalised(signature)
    where = f"{type(qt_object).__name__}.{wanted}"
    if not callable(function):
        raise ValueError(f"Called connect of {where} with {function!r}, which can't be called")
    if hasattr(qt_object, "stand_in") and qt_object.stand_in.has_signal(wanted):
        qt_object.stand_in.connect(wanted, function)
        return True
    if wanted not in info_of(qt_object).signals:
        faults.report(f"QObject::connect() signal '{signature}' does not exist on {type(qt_object).__name__}")
        return False
    connection = QtCore.QObject.connect(
        qt_object, QtCore.SIGNAL(wanted), lambda *args: deliver(function, args, where)
    )
    key = shiboken6.getCppPointer(qt_object)[0]
    if key not in _connections:
        _connections[key] = []
        qt_object.destroyed.connect(lambda *_: _connections.pop(key, None))
    _connections[key].append((wanted, function, connection))
    return True


def disconnect_callable(qt_object: QtCore.QObject, signature: str, function: Callable | None) -> bool:
    """Undo `connect_callable`, for one callable or for all."""
    wanted = normalised(signature)
    if hasattr(qt_object, "stand_in") and qt_object.stand_in.has_signal(wanted):
        return qt_object.stand_in.disconnect(wanted, function)
    if wanted not in info_of(qt_object).signals:
        faults.report(
            f"QObject::disconnect() signal '{signature}' does not exist on {type(qt_object).__name__}"
        )
        return False
    kept = _connections.get(shiboken6.getCppPointer(qt_object)[0], [])
    for entry in [e for e in kept if e[0] == wanted and (function is None or e[1] == function)]:
        QtCore.QObject.disconnect(entry[2])
        kept.remove(entry)
        if function is not None:
            return True
    return function is None


def disconnect_all(qt_object: QtCore.QObject) -> None:
    """Forget every Python callable that was connected to an object."""
    for _, _, connection in _connections.get(shiboken6.getCppPointer(qt_object)[0], []):
        QtCore.QObject.disconnect(connection)
    _connections.get(shiboken6.getCppPointer(qt_object)[0], []).clear()


class Signal:
    """A signal of an object: `connect(f)`, `disconnect(f)`, `emit(...)`, or called like a function."""

    def __init__(self, owner: Wrapped, signature: str):
        self._owner, self._signature = owner, signature

    def connect(self, *args):
        if len(args) == 1:
            return connect_callable(self._owner._qt, self._signature, args[0])
        raise ValueError("Called connect with wrong number of arguments")

    def disconnect(self, *args):
        return disconnect_callable(self._owner._qt, self._signature, args[0] if args else None)

    def emit(self, *args):
        qt_object, name = self._owner._qt, self._signature.partition("(")[0]
        if hasattr(qt_object, "stand_in") and qt_object.stand_in.has_signal(self._signature):
            qt_object.stand_in.emit(self._signature, *args)
        else:
            call(getattr(qt_object, name).emit, args, {}, name)

    __call__ = emit


# --- objects -------------------------------------------------------------------------------------------


class WrapperType(type):
    """The type of wrapper classes: the Qt class's enums, their members and statics are attributes."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        qt_class = cls._qt_class
        special = SPECIAL_STATIC.get((qt_class.__name__, name))
        if special:
            return special
        if hasattr(qt_class, "FACTS"):
            found = qt_class.FACTS.enum_member(name)
            if found is not None:
                return found
        value = _member(qt_class, name)
        if value is None:
            raise AttributeError(f"type object '{cls.__name__}' has no attribute '{name}'")
        if isinstance(value, type) and issubclass(value, enum.Enum):
            return enum_type(value)
        if isinstance(value, enum.Enum):
            return enum_value(value)
        if isinstance(value, type):
            return wrapper_class(value)
        if callable(value):
            return lambda *args, **kwargs: call(value, args, kwargs, f"{cls.__name__}.{name}")
        return wrap(value)


def _member(qt_class: type, name: str) -> Any:
    """Return what Qt's own class has under a name, or None where Slicer's Qt has it not."""
    qt_class = real_class(qt_class)
    if name.startswith("_") or name in HIDDEN or name in new_in_qt6(qt_class):
        return None
    return getattr(qt_class, _python_name(qt_class, name), None)


def _python_name(owner: Any, name: str) -> str:
    """PythonQt finds a name also with an underscore behind it, so `exec_` is `exec`."""
    return name[:-1] if name.endswith("_") and hasattr(owner, name[:-1]) else name


class Wrapped(metaclass=WrapperType):
    """An object of a Qt class as PythonQt shows it."""

    __slots__ = ("__weakref__", "_qt")
    _qt_class: type = QtCore.QObject

    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        object.__setattr__(self, "_qt", None)
        return self

    def __init__(self, *args, **kwargs):
        name = self._qt_class.__name__
        if kwargs:
            raise ValueError(
                f"Called {name} with keyword arguments, but called slot does not support kwargs."
            )
        qt_args = [unwrap(arg) for arg in args]
        try:
            made = self._qt_class(*qt_args)
        except TypeError as error:
            converted = _with_enums(self._qt_class, qt_args)
            if converted is None:
                raise ValueError(
                    f"Could not find matching constructor of {name} for {args}\n{error}"
                ) from None
            made = self._qt_class(*converted)
        self._adopt(made)

    def _adopt(self, qt_object: shiboken6.Object) -> None:
        object.__setattr__(self, "_qt", qt_object)
        if type(self).__dict__.get("_qt_class") is None:  # a Python subclass lives as long as its C++ object
            qt_object.__dict__["python_subclass"] = self
        _wrappers[shiboken6.getCppPointer(qt_object)[0]] = self

    # What PythonQt adds to every object.
    def className(self) -> str:
        return type(self._qt).__name__

    def inherits(self, name: str) -> bool:
        bases = self._qt.FACTS.bases if hasattr(self._qt, "FACTS") else ()
        return name in bases or any(cls.__name__ == name for cls in type(self._qt).__mro__)

    def delete(self) -> None:
        shiboken6.delete(self._qt)

    def connect(self, *args) -> bool:
        """connect(signal, callable) or connect(signal, receiver, slot)."""
        if len(args) == 2:
            return connect_callable(self._qt, args[0], args[1])
        if len(args) == 3:
            return connect_slot(self._qt, args[0], unwrap(args[1]), args[2])
        raise ValueError(f"Could not find matching overload of connect for {args}")

    def disconnect(self, *args) -> bool:
        if len(args) in (1, 2):
            return disconnect_callable(self._qt, args[0], args[1] if len(args) == 2 else None)
        raise ValueError(f"Could not find matching overload of disconnect for {args}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        qt_object = object.__getattribute__(self, "_qt")
        if not alive(qt_object):
            raise ValueError(f"Trying to read '{name}' from a destroyed {type(self).__name__} object")
        return _read_attribute(self, qt_object, name)

    def __setattr__(self, name: str, value: Any) -> None:
        qt_object = self._qt
        if alive(qt_object) and _write_attribute(self, qt_object, name, value):
            return
        if type(self).__dict__.get("_qt_class") is not None or not hasattr(self, "__dict__"):
            raise AttributeError(
                f"'{name}' does not exist on {type(self).__name__} and creating new attributes on "
                "C++ objects is not allowed"
            )
        object.__setattr__(self, name, value)

    def __eq__(self, other):
        if not isinstance(other, Wrapped):
            return False
        return self._qt is other._qt or (not isinstance(self._qt, QtCore.QObject) and self._qt == other._qt)

    def __hash__(self):
        return hash(shiboken6.getCppPointer(self._qt)[0]) if alive(self._qt) else id(self)

    def __bool__(self):
        return alive(self._qt)

    def __repr__(self):
        state = f"C++ object at {id(self._qt):#x}" if alive(self._qt) else "destroyed"
        return f"{type(self).__name__} ({state})"

    def __str__(self):
        return str(self._qt) if not isinstance(self._qt, QtCore.QObject) else repr(self)


def connect_slot(sender: QtCore.QObject, signal: str, receiver: QtCore.QObject, slot: str) -> bool:
    """Connect a signal to a slot of another object, both named by their signatures."""
    if hasattr(receiver, "stand_in") and receiver.stand_in.has_method(normalised(slot)):
        function = getattr(_wrap_object(receiver), normalised(slot).partition("(")[0])
        return connect_callable(sender, signal, function)
    if normalised(slot) not in info_of(receiver).methods:
        faults.report(f"QObject::connect() slot '{slot}' does not exist on {type(receiver).__name__}")
        return False
    name, count = normalised(slot).partition("(")[0], normalised(slot).count(",") + 1
    count = 0 if normalised(slot).endswith("()") else count
    function = getattr(receiver, name)
    return connect_callable(sender, signal, lambda *args: function(*[unwrap(arg) for arg in args[:count]]))


def _read_attribute(owner: Wrapped, qt_object: Any, name: str) -> Any:
    special = _special_method(type(qt_object), name)
    if special:
        return Method(owner, name, lambda *args: special(qt_object, *args))
    if hasattr(qt_object, "stand_in") and qt_object.stand_in.has(name):
        return qt_object.stand_in.read(owner, name)
    if isinstance(qt_object, QtCore.QObject):
        if name == "name" and "name" not in info_of(qt_object).properties:
            name = "objectName"
        if _has_property(qt_object, name):
            return wrap(qt_object.property(name))
        signature = info_of(qt_object).signal(name)
        if signature:
            return Signal(owner, signature)
    value = _member(type(qt_object), name)
    if value is not None:
        if isinstance(value, (type, enum.Enum)):
            return getattr(type(owner), name)
        if callable(value):
            return Method(owner, name, getattr(qt_object, _python_name(type(qt_object), name)))
        return wrap(value)
    if isinstance(qt_object, QtCore.QObject):
        if name in [bytes(key.data()).decode() for key in qt_object.dynamicPropertyNames()]:
            return wrap(qt_object.property(name))
        for child in qt_object.children():
            if child.objectName() == name:
                return wrap(child)
    raise AttributeError(f"{type(owner).__name__} has no attribute named '{name}'")


def _special_method(qt_class: type, name: str) -> Callable | None:
    plain = _python_name(qt_class, name)
    return next(
        (
            SPECIAL_METHODS[cls.__name__, plain]
            for cls in qt_class.__mro__
            if (cls.__name__, plain) in SPECIAL_METHODS
        ),
        None,
    )


def real_class(qt_class: type) -> type:
    """Return the class of Qt under a stand-in: Python helpers of the stand-in are not seen."""
    return next(cls for cls in qt_class.__mro__ if cls.__module__.startswith("PySide6"))


def _has_property(qt_object: QtCore.QObject, name: str) -> bool:
    if name == "singleShot" and isinstance(qt_object, QtCore.QTimer):
        return False
    return name in info_of(qt_object).properties


def _write_attribute(owner: Wrapped, qt_object: Any, name: str, value: Any) -> bool:
    """Set a property; False where `name` is none. AttributeError where it is something that can't be set."""
    where = type(owner).__name__
    if hasattr(qt_object, "stand_in") and qt_object.stand_in.has(name):
        qt_object.stand_in.write(owner, name, value)
        return True
    if not isinstance(qt_object, QtCore.QObject):
        return False
    if name == "name" and "name" not in info_of(qt_object).properties:
        name = "objectName"
    if _has_property(qt_object, name):
        type_name, writable = info_of(qt_object).properties[name]
        if not writable:
            raise AttributeError(f"Property '{name}' of {where} object is not writable")
        qt_value = property_value(value, type_name, where, name)
        if not qt_object.setProperty(name, qt_value):
            raise _refused(name, type_name, value)
        return True
    if name in [bytes(key.data()).decode() for key in qt_object.dynamicPropertyNames()]:
        qt_object.setProperty(name, unwrap(value))
        return True
    found = getattr(real_class(type(qt_object)), name, None)
    if found is not None and type(owner).__dict__.get("_qt_class") is not None and callable(found):
        raise AttributeError(f"Slot '{name}' can not be overwritten on {where} object")
    return False


def _refused(name: str, type_name: str, value: Any) -> AttributeError:
    return AttributeError(
        f"Property '{name}' of type '{type_name}' does not accept an object of type "
        f"{type(value).__name__} ({value!r})"
    )


def property_value(value: Any, type_name: str, where: str, name: str) -> Any:
    """Convert a Python value to what a property of the C++ type `type_name` takes."""
    if type_name == "bool":
        return bool(value)
    if value is None and type_name in ("int", "double", "QString", "float"):
        raise _refused(name, type_name, value)
    if type_name == "QString":
        return str(value)
    if type_name in ("double", "float"):
        return _number(float, value, type_name, name)
    if type_name in ("int", "uint"):
        return _number(lambda number: math.floor(number), value, type_name, name)
    if type_name == "QStringList":
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            raise _refused(name, type_name, value)
        return [str(item) for item in value]
    if isinstance(value, EnumValue):
        return int(value)
    return unwrap(value)


def _number(convert: Callable, value: Any, type_name: str, name: str) -> Any:
    try:
        return convert(value)
    except (TypeError, ValueError):
        raise _refused(name, type_name, value) from None


def _single_shot(*args) -> None:
    if len(args) != 2 or not callable(args[1]):
        raise ValueError(f"Called QTimer.singleShot with wrong arguments: {args}")
    QtCore.QTimer.singleShot(int(args[0]), lambda: deliver(args[1], (), "QTimer.singleShot"))


def _start_detached(*args) -> bool:
    """PySide6 adds the process id to the answer, and a tuple would always be true."""
    return QtCore.QProcess.startDetached(*[unwrap(arg) for arg in args])[0]


def _static_connect(*args) -> bool:
    return args[0].connect(*args[1:])


def _static_disconnect(*args) -> bool:
    return args[0].disconnect(*args[1:])


SPECIAL_STATIC: dict[tuple[str, str], Callable] = {
    ("QTimer", "singleShot"): _single_shot,
    ("QProcess", "startDetached"): _start_detached,
    ("QObject", "connect"): _static_connect,
    ("QObject", "disconnect"): _static_disconnect,
}
"""Static functions that PythonQt writes itself, or that would wait for a person."""


def _property(qt_object: QtCore.QObject, name: str) -> Any:
    if hasattr(qt_object, "stand_in") and name in qt_object.stand_in.facts.properties:
        return qt_object.stand_in.get(name)
    return qt_object.property(name)


def _set_property(qt_object: QtCore.QObject, name: str, value: Any) -> bool:
    if hasattr(qt_object, "stand_in") and name in qt_object.stand_in.facts.properties:
        qt_object.stand_in.write(None, name, value)
        return True
    return qt_object.setProperty(name, value)


SPECIAL_METHODS: dict[tuple[str, str], Callable] = {
    ("QObject", "property"): _property,
    ("QObject", "setProperty"): _set_property,
}
"""Methods of objects that would wait for a person: (class, name) -> function(qt_object, ...)."""
