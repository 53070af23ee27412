"""Stand-ins for CTK's widgets: as much behaviour as a person's clicks need."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from . import dialogs
from .stand_in import stand_in

HEADER = 24
"""Height of a collapsible button's header in pixels."""


def _row(owner: QtWidgets.QWidget, *widgets: QtWidgets.QWidget) -> None:
    layout = QtWidgets.QHBoxLayout(owner)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)


class _Collapsible:
    """Children go when it is collapsed, and those that were visible come back."""

    def collapse_children(self, collapsed: bool) -> None:
        children = self.findChildren(
            QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly
        )
        if collapsed:
            self._hidden_here = [child for child in children if not child.isHidden()]
            for child in self._hidden_here:
                child.hide()
        else:
            for child in getattr(self, "_hidden_here", []):
                child.show()
            self._hidden_here = []


@stand_in(
    collapsed=False,
    collapsedHeight=14,
    contentsFrameShape=0,
    contentsFrameShadow=16,
    contentsLineWidth=1,
    contentsMidLineWidth=0,
    flat=False,
)
class ctkCollapsibleButton(QtWidgets.QAbstractButton, _Collapsible):
    def __init__(self, *args):
        text = args[0] if args and isinstance(args[0], str) else ""
        parent = args[-1] if args and not isinstance(args[-1], str) else None
        QtWidgets.QAbstractButton.__init__(self, parent)
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, HEADER, 0, 0)
        self.toggled.connect(lambda checked: self._collapse(not checked))

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)  # the change of the check collapses it, as in CTK

    def _collapse(self, collapsed: bool) -> None:
        self.stand_in.keep("collapsed", collapsed)
        self.setMaximumHeight(HEADER if collapsed else 16777215)
        self.collapse_children(collapsed)
        self.stand_in.emit("contentsCollapsed(bool)", collapsed)

    def sizeHint(self) -> QtCore.QSize:
        if self.stand_in.values["collapsed"] or self.layout() is None:
            return QtCore.QSize(160, HEADER)
        return self.layout().totalSizeHint()

    def minimumSizeHint(self) -> QtCore.QSize:
        return (
            QtCore.QSize(80, HEADER)
            if self.stand_in.values["collapsed"]
            else self.sizeHint().boundedTo(QtCore.QSize(80, 10000))
        )

    def hitButton(self, position: QtCore.QPoint) -> bool:
        return position.y() < HEADER

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), HEADER - 2)
        option.text = ("\u25b6 " if self.stand_in.values["collapsed"] else "\u25bc ") + self.text()
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButton, option)


@stand_in(collapsed=False, collapsedHeight=14)
class ctkCollapsibleGroupBox(QtWidgets.QGroupBox, _Collapsible):
    def __init__(self, *args):
        QtWidgets.QGroupBox.__init__(self, *args)
        self.setCheckable(True)
        self.toggled.connect(lambda checked: self.setCollapsed(not checked))

    def setCollapsed(self, collapsed: bool) -> None:
        if self.stand_in.values["collapsed"] != collapsed:
            self.stand_in.keep("collapsed", collapsed)
            self.collapse_children(collapsed)
            self.setChecked(not collapsed)


@stand_in(setMode=0, decimalsOption=0, invertedControls=False, sizeHintPolicy=0, minimum=0.0, maximum=99.99)
class ctkDoubleSpinBox(QtWidgets.QWidget):
    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QWidget.__init__(self, parent)
        self._spin = QtWidgets.QDoubleSpinBox()
        _row(self, self._spin)
        self._spin.valueChanged.connect(lambda value: self.stand_in.emit("valueChanged(double)", value))
        self._spin.editingFinished.connect(lambda: self.stand_in.emit("editingFinished()"))

    def value(self) -> float:
        return self._spin.value()

    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    def setValueIfDifferent(self, value: float) -> None:
        self._spin.setValue(value)

    def setMinimum(self, value: float) -> None:
        self._spin.setMinimum(max(value, -1e300))  # Qt's own box takes no infinity
        self.stand_in.keep("minimum", value)

    def setMaximum(self, value: float) -> None:
        self._spin.setMaximum(min(value, 1e300))
        self.stand_in.keep("maximum", value)

    def setRange(self, minimum: float, maximum: float) -> None:
        self.setMinimum(minimum)
        self.setMaximum(maximum)

    def singleStep(self) -> float:
        return self._spin.singleStep()

    def setSingleStep(self, step: float) -> None:
        self._spin.setSingleStep(step)

    def decimals(self) -> int:
        return self._spin.decimals()

    def setDecimals(self, decimals: int) -> None:
        self._spin.setDecimals(decimals)

    def prefix(self) -> str:
        return self._spin.prefix()

    def setPrefix(self, prefix: str) -> None:
        self._spin.setPrefix(prefix)

    def suffix(self) -> str:
        return self._spin.suffix()

    def setSuffix(self, suffix: str) -> None:
        self._spin.setSuffix(suffix)

    def text(self) -> str:
        return self._spin.text()

    def cleanText(self) -> str:
        return self._spin.cleanText()

    def stepUp(self) -> None:
        self._spin.stepUp()

    def stepDown(self) -> None:
        self._spin.stepDown()

    def selectAll(self) -> None:
        self._spin.selectAll()


class _DoubleSlider(QtWidgets.QSlider):
    """A QSlider over floats: it moves in steps of `step` but can stand on any number."""

    moved = QtCore.Signal(float)

    def __init__(self):
        super().__init__(QtCore.Qt.Orientation.Horizontal)
        self.lower, self.upper, self.step = 0.0, 99.0, 1.0
        self._number = 0.0
        self.fit()
        self.valueChanged.connect(lambda position: self.set_number(self.lower + position * self.step))

    def fit(self) -> None:
        """Follow a changed range or step."""
        blocked = self.blockSignals(True)
        self.setRange(0, max(1, round((min(self.upper, 1e8) - max(self.lower, -1e8)) / self.step)))
        self.blockSignals(blocked)
        self.set_number(self._number)

    def number(self) -> float:
        return self._number

    def set_number(self, number: float) -> None:
        number = min(max(number, self.lower), self.upper)
        blocked = self.blockSignals(True)
        shown = min(max(number, -1e8), 1e8)
        self.setValue(round((shown - max(self.lower, -1e8)) / self.step))
        self.blockSignals(blocked)
        if number != self._number:
            self._number = number
            self.moved.emit(number)


@stand_in(pageStep=10.0, tracking=True, tickInterval=0.0, spinBoxVisible=True, popupSlider=False)
class ctkSliderWidget(QtWidgets.QWidget):
    """A slider and a spin box that show one number."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QWidget.__init__(self, parent)
        self._slider, self._spin = _DoubleSlider(), QtWidgets.QDoubleSpinBox()
        self._spin.setRange(0.0, 100.0)
        _row(self, self._slider, self._spin)
        self._slider.moved.connect(self._spin.setValue)
        self._spin.valueChanged.connect(self._changed)

    def _changed(self, value: float) -> None:
        blocked = self._slider.blockSignals(True)
        self._slider.set_number(value)
        self._slider.blockSignals(blocked)
        self.stand_in.emit("valueIsChanging(double)", value)
        self.stand_in.emit("valueChanged(double)", value)

    def value(self) -> float:
        return self._spin.value()

    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    def minimum(self) -> float:
        return self._slider.lower

    def setMinimum(self, value: float) -> None:
        self._slider.lower = value
        self._spin.setMinimum(value)
        self._slider.fit()

    def maximum(self) -> float:
        return self._slider.upper

    def setMaximum(self, value: float) -> None:
        self._slider.upper = value
        self._spin.setMaximum(value)
        self._slider.fit()

    def singleStep(self) -> float:
        return self._slider.step

    def setSingleStep(self, step: float) -> None:
        self._slider.step = step
        self._spin.setSingleStep(step)
        self._slider.fit()

    def decimals(self) -> int:
        return self._spin.decimals()

    def setDecimals(self, decimals: int) -> None:
        self._spin.setDecimals(decimals)
        self.stand_in.emit("decimalsChanged(int)", decimals)

    def prefix(self) -> str:
        return self._spin.prefix()

    def setPrefix(self, prefix: str) -> None:
        self._spin.setPrefix(prefix)

    def suffix(self) -> str:
        return self._spin.suffix()

    def setSuffix(self, suffix: str) -> None:
        self._spin.setSuffix(suffix)

    def setSpinBoxVisible(self, visible: bool) -> None:
        self._spin.setVisible(visible)
        self.stand_in.keep("spinBoxVisible", visible)

    def reset(self) -> None:
        self.setValue(0.0)


@stand_in(pageStep=10.0, tracking=True, tickInterval=0.0)
class ctkDoubleSlider(QtWidgets.QWidget):
    def __init__(self, *args):
        parent = args[-1] if args and isinstance(args[-1], QtWidgets.QWidget) else None
        QtWidgets.QWidget.__init__(self, parent)
        self._slider = _DoubleSlider()
        if args and isinstance(args[0], QtCore.Qt.Orientation):
            self._slider.setOrientation(args[0])
        _row(self, self._slider)
        self._slider.moved.connect(lambda value: self.stand_in.emit("valueChanged(double)", value))

    def value(self) -> float:
        return self._slider.number()

    def setValue(self, value: float) -> None:
        self._slider.set_number(value)

    def minimum(self) -> float:
        return self._slider.lower

    def setMinimum(self, value: float) -> None:
        self._slider.lower = value
        self._slider.fit()

    def maximum(self) -> float:
        return self._slider.upper

    def setMaximum(self, value: float) -> None:
        self._slider.upper = value
        self._slider.fit()

    def singleStep(self) -> float:
        return self._slider.step

    def setSingleStep(self, step: float) -> None:
        self._slider.step = step
        self._slider.fit()


@stand_in(tracking=True, spinBoxAlignment=0)
class ctkRangeWidget(QtWidgets.QWidget):
    """Two numbers, the lower and the upper end of a range."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QWidget.__init__(self, parent)
        self._lower, self._upper = QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox()
        _row(self, self._lower, self._upper)
        self._upper.setValue(99.0)
        for spin, name in ((self._lower, "minimum"), (self._upper, "maximum")):
            spin.valueChanged.connect(lambda value, name=name: self._changed(name, value))

    def _changed(self, name: str, value: float) -> None:
        self.stand_in.emit(f"{name}ValueChanged(double)", value)
        self.stand_in.emit("valuesChanged(double,double)", self._lower.value(), self._upper.value())

    def minimum(self) -> float:
        return self._lower.minimum()

    def setMinimum(self, value: float) -> None:
        for spin in (self._lower, self._upper):
            spin.setMinimum(value)

    def maximum(self) -> float:
        return self._upper.maximum()

    def setMaximum(self, value: float) -> None:
        for spin in (self._lower, self._upper):
            spin.setMaximum(value)

    def minimumValue(self) -> float:
        return self._lower.value()

    def setMinimumValue(self, value: float) -> None:
        self._lower.setValue(value)

    def maximumValue(self) -> float:
        return self._upper.value()

    def setMaximumValue(self, value: float) -> None:
        self._upper.setValue(value)

    def setRange(self, minimum: float, maximum: float) -> None:
        self.setMinimum(minimum)
        self.setMaximum(maximum)

    def setValues(self, minimum: float, maximum: float) -> None:
        self._lower.setValue(minimum)
        self._upper.setValue(maximum)

    def decimals(self) -> int:
        return self._lower.decimals()

    def setDecimals(self, decimals: int) -> None:
        for spin in (self._lower, self._upper):
            spin.setDecimals(decimals)

    def singleStep(self) -> float:
        return self._lower.singleStep()

    def setSingleStep(self, step: float) -> None:
        for spin in (self._lower, self._upper):
            spin.setSingleStep(step)


@stand_in(
    filters=2 | 1 | 7,
    options=0,
    showBrowseButton=True,
    showHistoryButton=True,
    sizeAdjustPolicy=0,
    minimumContentsLength=0,
    settingKey="",
    label="",
    nameFilters=[],
)
class ctkPathLineEdit(QtWidgets.QWidget):
    """A combo box with the history of paths, and a button that browses."""

    def __init__(self, *args):
        parent = args[-1] if args and isinstance(args[-1], QtWidgets.QWidget) else None
        QtWidgets.QWidget.__init__(self, parent)
        self._box = QtWidgets.QComboBox()
        self._box.setEditable(True)
        self._button = QtWidgets.QToolButton(text="…")
        self._button.clicked.connect(self.browse)
        self._box.editTextChanged.connect(
            lambda path: self.stand_in.emit("currentPathChanged(QString)", path)
        )
        _row(self, self._box, self._button)
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)

    def comboBox(self) -> QtWidgets.QComboBox:
        return self._box

    def currentPath(self) -> str:
        return self._box.currentText()

    def setCurrentPath(self, path: str) -> None:
        self._box.setEditText(path)

    def setShowBrowseButton(self, visible: bool) -> None:
        self._button.setVisible(visible)
        self.stand_in.keep("showBrowseButton", visible)

    def browse(self) -> None:
        path = dialogs.current().ask(
            dialogs.Dialog("file", self.objectName(), self.stand_in.get("label")), ""
        )
        if path:
            self.setCurrentPath(path)

    def _history_key(self) -> str:
        return self.stand_in.get("settingKey") or "PathLineEdit"

    def addCurrentPathToHistory(self) -> None:
        settings, path = QtCore.QSettings(), self.currentPath()
        history = settings.value(self._history_key()) or []
        history = [history] if isinstance(history, str) else list(history)
        if path:
            settings.setValue(
                self._history_key(), [path, *[entry for entry in history if entry != path]][:10]
            )
        if self._box.findText(path) < 0:
            self._box.addItem(path)

    def retrieveHistory(self) -> None:
        history = QtCore.QSettings().value(self._history_key()) or []
        path = self.currentPath()
        self._box.clear()
        self._box.addItems([history] if isinstance(history, str) else list(history))
        if path or not self._box.count():
            self._box.setEditText(path)


@stand_in(directory=".", caption="", acceptMode=0)
class ctkDirectoryButton(QtWidgets.QWidget):
    def __init__(self, *args):
        parent = args[-1] if args and isinstance(args[-1], QtWidgets.QWidget) else None
        QtWidgets.QWidget.__init__(self, parent)
        self._button = QtWidgets.QPushButton(QtCore.QDir.currentPath())
        self._button.clicked.connect(self.browse)
        _row(self, self._button)

    def setDirectory(self, directory: str) -> None:
        new = QtCore.QDir(directory)
        changed = new != QtCore.QDir(self.stand_in.values["directory"])
        if changed:
            self.stand_in.values["directory"] = new.absolutePath()
            self._button.setText(new.absolutePath())
        self.stand_in.emit("directorySelected(QString)", new.absolutePath())
        if changed:
            self.stand_in.emit("directoryChanged(QString)", new.absolutePath())

    def text(self) -> str:
        return self._button.text()

    def setText(self, text: str) -> None:
        self._button.setText(text)

    def browse(self) -> None:
        path = dialogs.current().ask(
            dialogs.Dialog("file", self.stand_in.get("caption"), self.objectName()), ""
        )
        if path:
            self.setDirectory(path)


@stand_in(defaultText="", defaultIcon=None, forceDefault=False, elideMode=3, scrollWheelEffect=1)
class ctkComboBox(QtWidgets.QComboBox):
    pass


@stand_in
class ctkCheckableComboBox(QtWidgets.QComboBox):
    """A combo box whose items can be checked."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QComboBox.__init__(self, parent)
        self.model().itemChanged.connect(lambda _: self.stand_in.emit("checkedIndexesChanged()"))

    def checkableModel(self) -> Any:
        return self.model()

    def checkedIndexes(self) -> list:
        return self.model().match(
            self.model().index(0, 0),
            QtCore.Qt.ItemDataRole.CheckStateRole,
            QtCore.Qt.CheckState.Checked,
            -1,
            QtCore.Qt.MatchFlag.MatchExactly,
        )

    def allChecked(self) -> bool:
        return len(self.checkedIndexes()) == self.count()

    def noneChecked(self) -> bool:
        return not self.checkedIndexes()

    def checkState(self, index: QtCore.QModelIndex) -> Any:
        return index.data(QtCore.Qt.ItemDataRole.CheckStateRole)

    def setCheckState(self, index: QtCore.QModelIndex, state: Any) -> None:
        self.model().setData(index, state, QtCore.Qt.ItemDataRole.CheckStateRole)


@stand_in(indicatorIcon=None)
class ctkCheckBox(QtWidgets.QCheckBox):
    pass


@stand_in
class ctkDoubleRangeSlider(ctkRangeWidget):
    pass


@stand_in(buttonTextAlignment=132, iconAlignment=129)
class ctkPushButton(QtWidgets.QPushButton):
    pass


@stand_in(buttonTextAlignment=132, checkBoxControlsButton=True, checkBoxControlsButtonToggleState=True)
class ctkCheckablePushButton(QtWidgets.QPushButton):
    pass


@stand_in
class ctkMenuButton(QtWidgets.QPushButton):
    pass


@stand_in(color=QtGui.QColor(0, 0, 0), displayColorName=True, dialogOptions=0)
class ctkColorPickerButton(QtWidgets.QPushButton):
    def setColor(self, color: QtGui.QColor) -> None:
        if self.stand_in.values["color"] != color:
            self.stand_in.values["color"] = color
            self.setText(color.name())
            self.stand_in.emit("colorChanged(QColor)", color)


@stand_in(dontShowAgain=False, dontShowAgainVisible=False, dontShowAgainSettingsKey="")
class ctkMessageBox(QtWidgets.QMessageBox):
    pass


@stand_in(showSearchIcon=False)
class ctkSearchBox(QtWidgets.QLineEdit):
    pass


@stand_in(orientations=3, sizeGripMargins=QtCore.QSize(0, 0), sizeGripInside=True)
class ctkExpandableWidget(QtWidgets.QFrame):
    pass


@stand_in(collapsed=True, showDetailsText="Show details...", hideDetailsText="Hide details...")
class ctkFittedTextBrowser(QtWidgets.QTextBrowser):
    def collapsibleText(self) -> str:
        return self.toHtml()

    def setCollapsibleText(self, text: str) -> None:
        self.setHtml(text)
