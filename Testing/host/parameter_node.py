"""`slicer.parameterNodeWrapper`: typed parameters in a vtkMRMLScriptedModuleNode, bound to widgets.

Written after the documented behaviour of Slicer's package of this name, with the same names in the node, so
that a scene saved here opens there. Parameter packs, tuples, dicts and Any are not there.
"""

from __future__ import annotations

import enum
import functools
import logging
import pathlib
import types
import typing
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import slicer
import vtk

from . import ctk, qt

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "findChildWidgetForParameter",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
]

SlicerParameterNamePropertyName = "SlicerParameterName"


# --- annotations ---------------------------------------------------------------------------------------


class Default:
    """The value a parameter starts with."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None):
        self._value, self._generator = value, generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator else self._value


@dataclass
class Decimals:
    value: int


@dataclass
class SingleStep:
    value: float


class Validator:
    """A condition that every written value must meet."""

    def validate(self, value: Any) -> None:
        raise NotImplementedError


class NotNone(Validator):
    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("Value must not be None")


class IsInstance(Validator):
    def __init__(self, classtype: Any):
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value must be of type '{self.classtype}', is '{value}' of type '{type(value)}'")


class WithinRange(Validator):
    def __init__(self, minimum: float, maximum: float):
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Minimum(Validator):
    def __init__(self, minimum: float):
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, is {value}")


class Maximum(Validator):
    def __init__(self, maximum: float):
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, is {value}")


class Choice(Validator):
    def __init__(self, choices: Any):
        self.choices = choices

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"Value is {value}, but must be in {self.choices}")


class Exclude(Validator):
    def __init__(self, excludedValues: Any):
        self.excludedValues = excludedValues

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Value {value} is excluded")


def _split(datatype: Any) -> tuple[Any, tuple]:
    """Return the bare type and its annotations."""
    actual, *annotations = typing.get_args(Annotated[datatype, ...])
    return actual, tuple(annotations[:-1])


def _first(annotations: tuple, kind: type) -> Any:
    return next((annotation for annotation in annotations if isinstance(annotation, kind)), None)


# --- how values are written in the node ----------------------------------------------------------------


class _Text:
    """A value that is one string of the node."""

    cached = True

    def __init__(
        self,
        kind: type,
        default: Any,
        encode: Callable[[Any], str],
        decode: Callable[[str], Any],
        accepted: Any = None,
    ):
        self.kind, self._default, self._encode, self._decode = kind, default, encode, decode
        self.validators: list[Validator] = [NotNone(), IsInstance(accepted or kind)]

    def default(self) -> Any:
        return self._default

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, self._encode(value))

    def read(self, node: Any, name: str) -> Any:
        return self._decode(node.GetParameter(name))

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class _Node:
    """A reference to another MRML node, with an empty string beside it that says it was written."""

    cached = True

    def __init__(self, kind: type):
        self.kind = kind
        self.validators: list[Validator] = [IsInstance(kind)]

    def default(self) -> None:
        return None

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class _Nothing(_Text):
    """None, as a member of a union."""

    def __init__(self):
        super().__init__(type(None), None, lambda value: "True", lambda text: None)
        self.validators = []


class _Union:
    """One of several types: the value stands under the number of its type."""

    def __init__(self, kinds: tuple):
        self.members = [_codec(kind) for kind in kinds]
        self.validators: list[Validator] = []
        self.cached = all(member.cached for member in self.members)

    def default(self) -> Any:
        optional = len(self.members) == 2 and isinstance(self.members[1], _Nothing)
        return None if optional else self.members[0].default()

    def _stored(self, node: Any, name: str) -> tuple[Any, str] | None:
        return next(
            (
                (member, f"{name}.{number}")
                for number, member in enumerate(self.members)
                if member.is_in(node, f"{name}.{number}")
            ),
            None,
        )

    def is_in(self, node: Any, name: str) -> bool:
        return self._stored(node, name) is not None

    def write(self, node: Any, name: str, value: Any) -> None:
        for number, member in enumerate(self.members):
            if isinstance(value, member.kind) and not (
                isinstance(value, bool) and member.kind in (int, float)
            ):
                for validator in member.validators:
                    validator.validate(value)
                self.remove(node, name)
                member.write(node, f"{name}.{number}", value)
                return
        raise TypeError(f"Unable to write value '{value}' of type '{type(value)}'")

    def read(self, node: Any, name: str) -> Any:
        stored = self._stored(node, name)
        if stored is None:
            raise KeyError(f"Unable to find value for name: {name}")
        return stored[0].read(node, stored[1])

    def remove(self, node: Any, name: str) -> None:
        for number, member in enumerate(self.members):
            member.remove(node, f"{name}.{number}")


class _List:
    """A list: its length and its elements."""

    def __init__(self, element: Any):
        self.element = _codec(element)
        self.validators: list[Validator] = [NotNone()]
        self.kind = list
        self.cached = self.element.cached

    def default(self) -> list:
        return []

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(f"{name}.len"))

    def write(self, node: Any, name: str, values: Any) -> None:
        for value in values:
            for validator in self.element.validators:
                validator.validate(value)
        self.remove(node, name)
        for number, value in enumerate(values):
            self.element.write(node, f"{name}.{number}", value)
        node.SetParameter(f"{name}.len", str(len(values)))

    def read(self, node: Any, name: str) -> list:
        length = int(node.GetParameter(f"{name}.len") or 0)
        return ObservedList(
            [self.element.read(node, f"{name}.{number}") for number in range(length)],
            lambda values: self.write(node, name, values),
        )

    def remove(self, node: Any, name: str) -> None:
        for number in range(int(node.GetParameter(f"{name}.len") or 0)):
            self.element.remove(node, f"{name}.{number}")
        node.UnsetParameter(f"{name}.len")


class ObservedList(list):
    """A list that writes itself into the node when it is changed in place."""

    def __init__(self, values: list, save: Callable[[list], None]):
        super().__init__(values)
        self._save = save


def _saving(name: str) -> Callable:
    @functools.wraps(getattr(list, name))
    def change(self: ObservedList, *args: Any, **options: Any) -> Any:
        result = getattr(list, name)(self, *args, **options)
        self._save(list(self))
        return result

    return change


for _name in (
    "append",
    "extend",
    "insert",
    "remove",
    "pop",
    "clear",
    "sort",
    "reverse",
    "__setitem__",
    "__delitem__",
    "__iadd__",
):
    setattr(ObservedList, _name, _saving(_name))


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def _codec(datatype: Any) -> Any:
    """Return what reads and writes a (possibly annotated) type."""
    kind, annotations = _split(datatype)
    codec = _bare_codec(kind)
    codec.validators = [*codec.validators, *(item for item in annotations if isinstance(item, Validator))]
    return codec


def _bare_codec(kind: Any) -> Any:
    if kind is bool:
        return _Text(bool, False, lambda value: "True" if value else "False", lambda text: text == "True")
    if kind in (int, float):
        return _Text(kind, 0, str, kind, (int, float) if kind is float else int)
    if kind is str:
        return _Text(str, "", str, str)
    if kind is type(None):
        return _Nothing()
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return _Text(kind, kind(), str, kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _Text(kind, next(iter(kind)), lambda value: value.name, lambda text: kind[text])
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return _Node(kind)
    if _is_union(kind):
        return _Union(typing.get_args(kind))
    if kind is list or typing.get_origin(kind) is list:
        if not typing.get_args(kind):
            raise TypeError("The test host has typed lists only, list[int] for example")
        return _List(typing.get_args(kind)[0])
    raise TypeError(f"Unable to create serializer for type: {kind}")


# --- the wrapper ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parameter:
    name: str
    datatype: Any
    codec: Any
    default: Default


class _Stored:
    """One parameter in one node; where the type allows it, its value is kept until the node is modified."""

    def __init__(self, parameter: _Parameter, node: Any):
        self.parameter, self.node = parameter, node
        if not parameter.codec.is_in(node, parameter.name):
            self._write(parameter.default.value)
        self._writing = False
        if parameter.codec.cached:
            self._value = self._read()
            me = weakref.ref(self)
            self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: me() and me()._modified())

    def __del__(self):
        if hasattr(self, "_tag"):
            self.node.RemoveObserver(self._tag)

    def _modified(self) -> None:
        if not self._writing:
            self._value = self._read()

    def _read(self) -> Any:
        if not self.parameter.codec.is_in(
            self.node, self.parameter.name
        ):  # closing the scene resets the node
            self._write(self.parameter.default.value)
        return self.parameter.codec.read(self.node, self.parameter.name)

    def _write(self, value: Any) -> None:
        for validator in self.parameter.codec.validators:
            validator.validate(value)
        self.parameter.codec.write(self.node, self.parameter.name, value)

    def read(self) -> Any:
        return self._value if self.parameter.codec.cached else self._read()

    def write(self, value: Any) -> None:
        self._writing = True
        try:
            with slicer.util.NodeModify(self.node):
                self._write(value)
                if self.parameter.codec.cached:
                    self._value = self._read()
        finally:
            self._writing = False


def parameterNodeWrapper(classtype: type | None = None) -> Any:
    """Class decorator: the annotated names of the class become parameters of a node."""
    return _make if classtype is None else _make(classtype)


def isParameterNodeWrapper(classOrObject: Any) -> bool:
    return getattr(classOrObject, "_is_parameter_node_wrapper", False)


def _make(classtype: type) -> type:
    parameters = {}
    for name, datatype in typing.get_type_hints(classtype, include_extras=True).items():
        try:
            codec = _codec(datatype)
        except Exception as error:
            raise Exception(f"Unable to create serializer for {classtype} member {name}") from error
        annotations = _split(datatype)[1]
        unused = [
            item for item in annotations if not isinstance(item, (Validator, Default, Decimals, SingleStep))
        ]
        if unused:
            logging.warning("Unused annotations: %s", unused)
        default = (
            Default(getattr(classtype, name)) if hasattr(classtype, name) else _first(annotations, Default)
        )
        parameters[name] = _Parameter(name, datatype, codec, default or Default(codec.default()))
        setattr(classtype, name, _property(name))
    for name, value in _METHODS.items():
        if hasattr(classtype, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(classtype, name, value)
    classtype.allParameters = parameters
    classtype._is_parameter_node_wrapper = True
    classtype.dataType = staticmethod(lambda name: _known(parameters, name).datatype)
    classtype.__init__ = _initialise
    return classtype


def _property(name: str) -> property:
    return property(
        lambda self: self._stored[name].read(), lambda self, value: self._stored[name].write(value)
    )


def _known(parameters: dict, name: str) -> _Parameter:
    if name not in parameters:
        raise ValueError(
            f"Cannot find a param with the given name: {name}; there are {', '.join(parameters)}"
        )
    return parameters[name]


def _initialise(self: Any, parameterNode: Any, prefix: str | None = None) -> None:
    self.parameterNode = parameterNode
    self._stored = {}
    for name, parameter in self.allParameters.items():
        renamed = _Parameter(f"{prefix or ''}{name}", parameter.datatype, parameter.codec, parameter.default)
        self._stored[name] = _Stored(renamed, parameterNode)
    self._guis: dict[int, tuple[dict[str, _Binding], int]] = {}
    self._next_gui = 0
    self._updating_gui = False


def _get_value(self: Any, name: str) -> Any:
    return self._stored[_known(self.allParameters, name).name].read()


def _set_value(self: Any, name: str, value: Any) -> None:
    self._stored[_known(self.allParameters, name).name].write(value)


def _connect_gui(self: Any, gui: Any) -> int:
    """Bind the widgets that carry the dynamic property SlicerParameterName; return a tag to undo it."""
    if getattr(gui, "isWidgetType", lambda: False)():
        widgets = gui.findChildren(qt.QWidget)
    else:
        widgets = gui.__dict__.values()
    named = {}
    for widget in widgets:
        name = widget.property(SlicerParameterNamePropertyName)
        if name:
            named[name] = widget
    return self.connectParametersToGui(named)


def _connect_parameters(self: Any, mapping: dict[str, Any]) -> int:
    for name in mapping:
        _known(self.allParameters, name)
    bindings = {name: _bind(widget, self.dataType(name)) for name, widget in mapping.items()}
    tag = self._next_gui
    self._next_gui += 1
    for name, binding in bindings.items():
        binding.write(self.getValue(name))
        binding.connect(functools.partial(_gui_changed, self, name, binding))
    observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: _update_gui(self))
    self._guis[tag] = (bindings, observer)
    return tag


def _gui_changed(self: Any, name: str, binding: _Binding) -> None:
    with slicer.util.NodeModify(self):
        if not self._updating_gui:
            self.setValue(name, binding.read())


def _update_gui(self: Any) -> None:
    if self._updating_gui:
        return
    self._updating_gui = True
    try:
        with slicer.util.NodeModify(self):
            for bindings, _ in list(self._guis.values()):
                for name, binding in bindings.items():
                    binding.write(self.getValue(name))
    finally:
        self._updating_gui = False


def _disconnect_gui(self: Any, tag: int) -> None:
    bindings, observer = self._guis.pop(tag, ({}, None))
    for binding in bindings.values():
        binding.disconnect()
    if observer is not None:
        self.RemoveObserver(observer)


_METHODS: dict[str, Any] = {
    "default": lambda self, name: _known(self.allParameters, name).default,
    "isCached": lambda self, name: _known(self.allParameters, name).codec.cached,
    "getValue": _get_value,
    "setValue": _set_value,
    "connectGui": _connect_gui,
    "connectParametersToGui": _connect_parameters,
    "disconnectGui": _disconnect_gui,
    "StartModify": lambda self: self.parameterNode.StartModify(),
    "EndModify": lambda self, was: self.parameterNode.EndModify(was),
    "AddObserver": lambda self, event, callback, priority=0.0: self.parameterNode.AddObserver(
        event, callback, priority
    ),
    "RemoveObserver": lambda self, tag: self.parameterNode.RemoveObserver(tag),
    "Modified": lambda self: self.parameterNode.Modified(),
}


def findChildWidgetForParameter(widget: Any, parameter: str) -> Any:
    """Return the child that shows a parameter, or None."""
    return next(
        (
            child
            for child in widget.findChildren(qt.QWidget)
            if child.property(SlicerParameterNamePropertyName) == parameter
        ),
        None,
    )


# --- widgets -------------------------------------------------------------------------------------------


class _Binding:
    """A widget that shows one parameter."""

    def __init__(
        self, widget: Any, signal: str | None, read: Callable[[], Any], write: Callable[[Any], None]
    ):
        self._signal = getattr(widget, signal) if signal else None
        self.read, self.write = read, write
        self._callback: Callable | None = None

    def connect(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        if self._signal:
            self._signal.connect(self.changed)

    def disconnect(self) -> None:
        if self._signal:
            self._signal.disconnect(self.changed)

    def changed(self) -> None:
        if self._callback:
            self._callback()


def _property_binding(
    widget: Any, signal: str, name: str, convert: Callable = lambda value: value
) -> _Binding:
    return _Binding(
        widget, signal, lambda: convert(getattr(widget, name)), lambda value: setattr(widget, name, value)
    )


def _bind(widget: Any, datatype: Any) -> _Binding:
    """Return the binding for a widget and a type; only the pairs that Slicer knows are there."""
    kind, annotations = _split(datatype)
    shown = type(widget)
    if kind is bool and shown in (qt.QCheckBox, ctk.ctkCheckBox):
        return _property_binding(widget, "stateChanged", "checked")
    if kind is bool and shown is qt.QPushButton:
        widget.checkable = True
        return _property_binding(widget, "toggled", "checked")
    if kind is int and shown in (qt.QSlider, qt.QSpinBox):
        return _number(widget, kind, annotations, needs_range=shown is qt.QSlider)
    if kind in (int, float) and shown in (
        qt.QDoubleSpinBox,
        ctk.ctkSliderWidget,
        slicer.qMRMLSliderWidget,
        ctk.ctkDoubleSlider,
        ctk.ctkDoubleSpinBox,
        slicer.qMRMLSpinBox,
    ):
        if shown is not ctk.ctkDoubleSlider:
            decimals = 0 if kind is int else getattr(_first(annotations, Decimals), "value", None)
            if decimals is not None:
                widget.decimals = decimals
        return _number(widget, kind, annotations, shown in (ctk.ctkSliderWidget, slicer.qMRMLSliderWidget))
    if shown in (qt.QComboBox, ctk.ctkComboBox):
        return _choices(widget, kind, annotations)
    if kind is str and shown is qt.QLineEdit:
        return _Binding(
            widget,
            "textChanged",
            lambda: widget.text,
            lambda text: None if text == widget.text else setattr(widget, "text", text),
        )
    if kind is str and shown is qt.QLabel:
        return _Binding(widget, None, lambda: widget.text, lambda text: setattr(widget, "text", text))
    if kind is str and shown is qt.QTextEdit:
        return _Binding(widget, "textChanged", widget.toPlainText, widget.setPlainText)
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        if shown is ctk.ctkPathLineEdit:
            return _Binding(
                widget,
                "currentPathChanged",
                lambda: kind(widget.currentPath),
                lambda path: setattr(widget, "currentPath", str(path)),
            )
        if shown is ctk.ctkDirectoryButton:
            return _Binding(
                widget,
                "directoryChanged",
                lambda: kind(widget.directory),
                lambda path: setattr(widget, "directory", str(path)),
            )
    if shown is slicer.qMRMLNodeComboBox and _node_types(kind):
        widget.nodeTypes = _node_types(kind)
        return _Binding(widget, "currentNodeChanged", widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{datatype}' to widget type '{shown}'.")


def _node_types(kind: Any) -> list[str]:
    members = typing.get_args(kind) if _is_union(kind) else (kind,)
    members = [_split(member)[0] for member in members]
    nodes = [
        member for member in members if isinstance(member, type) and issubclass(member, slicer.vtkMRMLNode)
    ]
    others = [member for member in members if member not in nodes and member is not type(None)]
    return [] if others else [node().GetClassName() for node in nodes]


def _number(widget: Any, kind: type, annotations: tuple, needs_range: bool) -> _Binding:
    step, within = _first(annotations, SingleStep), _first(annotations, WithinRange)
    minimum, maximum = _first(annotations, Minimum), _first(annotations, Maximum)
    if needs_range and within is None and not (minimum and maximum):
        raise RuntimeError(
            f"Cannot have a connection to {type(widget).__name__} where the number is unbounded."
        )
    if step is not None:
        widget.singleStep = step.value
    lowest, highest = float("-inf"), float("inf")
    if type(widget) in (qt.QSlider, qt.QSpinBox):
        lowest, highest = -(2**31), 2**31 - 1
    widget.minimum = within.minimum if within else minimum.minimum if minimum else lowest
    widget.maximum = within.maximum if within else maximum.maximum if maximum else highest
    return _Binding(
        widget,
        "valueChanged",
        lambda: kind(widget.value),
        lambda value: setattr(widget, "value", kind(value)),
    )


def _choices(widget: Any, kind: type, annotations: tuple) -> _Binding:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        values = list(kind)
        texts = [kind.label(value) if hasattr(kind, "label") else value.name for value in values]
    elif kind in (int, float, str, bool) and _first(annotations, Choice) is not None:
        values = list(_first(annotations, Choice).choices)
        texts = [str(value) for value in values]
    else:
        raise RuntimeError("A combo box shows an Enum, or a value with the Choice annotation.")
    widget.clear()
    for text in texts:
        widget.addItem(text)
    return _Binding(
        widget,
        "currentIndexChanged",
        lambda: values[widget.currentIndex],
        lambda value: setattr(widget, "currentIndex", values.index(value)),
    )
