"""Stand-ins for Slicer's MRML widgets, on the real MRML scene of slicer-core."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, ClassVar

import shiboken6
import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from .ctk_widgets import ctkCollapsibleButton, ctkComboBox, ctkDoubleSpinBox, ctkRangeWidget, ctkSliderWidget
from .stand_in import stand_in


class Observed:
    """VTK observations of a widget that end with it, or with the session.

    They are kept in a list until then: an observer that Python's garbage collector clears while VTK still
    knows it ends the process when its event comes.
    """

    _all: ClassVar[list[Observed]] = []

    def __init__(self, owner: QtWidgets.QWidget, update: str):
        self._owner, self._update = weakref.ref(owner), update
        self._tags: list[tuple[Any, int]] = []
        self._all.append(self)
        owner.destroyed.connect(self._end)

    @classmethod
    def end_all(cls) -> None:
        """Take away every observation: the session ends."""
        for observed in list(cls._all):
            observed._end()

    def watch(self, subject: Any, *events: Any) -> None:
        for event in events:
            self._tags.append((subject, subject.AddObserver(event, self._changed)))

    def clear(self) -> None:
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags.clear()

    def _end(self, *_: Any) -> None:
        self.clear()
        if self in self._all:
            self._all.remove(self)

    def _changed(self, *_: Any) -> None:
        owner = self._owner()
        if owner is not None and shiboken6.isValid(owner):
            getattr(owner, self._update)()


SCENE_EVENTS = tuple(
    getattr(slicer.vtkMRMLScene, name)
    for name in ("NodeAddedEvent", "NodeRemovedEvent", "EndCloseEvent", "EndImportEvent", "EndRestoreEvent")
)


@stand_in
class qMRMLWidget(QtWidgets.QWidget):
    """A widget that knows the scene and passes it on."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QWidget.__init__(self, parent)
        self._scene = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.stand_in.emit("mrmlSceneChanged(vtkMRMLScene*)", scene)


@stand_in
class qSlicerWidget(QtWidgets.QWidget):
    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QWidget.__init__(self, parent)
        self._scene = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.stand_in.emit("mrmlSceneChanged(vtkMRMLScene*)", scene)


@stand_in(
    nodeTypes=[],
    showHidden=False,
    showChildNodeTypes=True,
    hideChildNodeTypes=[],
    noneEnabled=False,
    noneDisplay="None",
    addEnabled=True,
    removeEnabled=True,
    editEnabled=False,
    renameEnabled=False,
    selectNodeUponCreation=True,
    baseName="",
    interactionNodeSingletonTag="",
    sizeAdjustPolicy=1,
)
class qMRMLNodeComboBox(QtWidgets.QWidget):
    """The nodes of a scene to choose from. Its current index follows the rules of the QComboBox inside."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QWidget.__init__(self, parent)
        self._scene: Any = None
        self._attributes: list[tuple[str, str, Any]] = []
        self._observed = Observed(self, "refresh")
        self._labels: dict[str, str] = {}
        self._box = QtWidgets.QComboBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.currentTextChanged.connect(lambda _: self._announce())
        self._box.activated.connect(
            lambda _: self.stand_in.emit("nodeActivated(vtkMRMLNode*)", self.currentNode())
        )
        self.setEnabled(False)

    # scene
    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._scene = scene
        self.setEnabled(scene is not None)
        self._refresh(starting=True)

    # what is listed
    def _listed(self) -> Iterable[Any]:
        if self._scene is None:
            return
        for number in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(number)
            if self._wanted(node):
                yield node

    def _wanted(self, node: Any) -> bool:
        values = self.stand_in.values
        matching = [kind for kind in values["nodeTypes"] if node.IsA(kind)]
        if not values["showChildNodeTypes"]:
            matching = [kind for kind in matching if node.GetClassName() == kind]
        if not matching or any(node.IsA(kind) for kind in values["hideChildNodeTypes"]):
            return False
        if node.GetHideFromEditors() and not values["showHidden"]:
            return False
        for kind, name, value in self._attributes:
            has = node.GetAttribute(name)
            if node.IsA(kind) and (has is None or (value is not None and has != str(value))):
                return False
        return True

    def refresh(self) -> None:
        self._refresh(starting=False)

    def _refresh(self, starting: bool) -> None:
        """Bring the list up to the scene, node by node, as the model of the real widget does.

        A scene that comes with nodes gives the first one (unless there is None). A node that comes later is
        chosen only where the list was quite empty: no None, and no "Create new ..." and the like.
        """
        self._observed.clear()
        nodes = list(self._listed())
        if self._scene is not None:
            self._observed.watch(self._scene, *SCENE_EVENTS)
        for node in nodes:
            self._observed.watch(node, vtk.vtkCommand.ModifiedEvent)
        wanted = [node.GetID() for node in nodes]
        for row in range(self._box.count() - 1, -1, -1):
            if self._box.itemData(row) not in (*wanted, ""):
                self._box.removeItem(row)
        self._refresh_none()
        first = 1 if self.stand_in.values["noneEnabled"] else 0
        for position, node in enumerate(nodes):
            row = self._box.findData(node.GetID())
            if row < 0:
                self._insert(first + position, node, chosen=starting or not self._has_actions())
            elif self._box.itemText(row) != (node.GetName() or ""):
                self._box.setItemText(row, node.GetName() or "")

    def _has_actions(self) -> bool:
        return any(self.stand_in.values[f"{name}Enabled"] for name in ("add", "remove", "edit", "rename"))

    def _insert(self, row: int, node: Any, chosen: bool) -> None:
        keep_empty = self._box.count() == 0 and not chosen
        blocked = self._box.blockSignals(True) if keep_empty else self._box.signalsBlocked()
        self._box.insertItem(row, node.GetName() or "", node.GetID())
        if keep_empty:
            self._box.setCurrentIndex(-1)
            self._box.blockSignals(blocked)
        self.stand_in.emit("nodeAdded(vtkMRMLNode*)", node)

    def _refresh_none(self) -> None:
        row = self._box.findData("")
        if self.stand_in.values["noneEnabled"] and self._scene is not None:
            if row < 0:
                self._box.insertItem(0, self.stand_in.values["noneDisplay"], "")
                self._box.setCurrentIndex(max(self._box.currentIndex(), 0))
            else:
                self._box.setItemText(row, self.stand_in.values["noneDisplay"])
        elif row >= 0:
            self._box.removeItem(row)

    def _announce(self) -> None:
        node = self.currentNode()
        self.stand_in.emit("currentNodeChanged(vtkMRMLNode*)", node)
        self.stand_in.emit("currentNodeChanged(bool)", node is not None)
        self.stand_in.emit("currentNodeIDChanged(QString)", node.GetID() if node else "")

    # properties that change the list
    def _set_and_refresh(self, name: str, value: Any) -> None:
        if self.stand_in.keep(name, value):
            self.refresh()

    def setNodeTypes(self, types: list[str]) -> None:
        self._set_and_refresh("nodeTypes", types)

    def setShowHidden(self, show: bool) -> None:
        self._set_and_refresh("showHidden", show)

    def setShowChildNodeTypes(self, show: bool) -> None:
        self._set_and_refresh("showChildNodeTypes", show)

    def setHideChildNodeTypes(self, types: list[str]) -> None:
        self._set_and_refresh("hideChildNodeTypes", types)

    def setNoneEnabled(self, enabled: bool) -> None:
        self._set_and_refresh("noneEnabled", enabled)

    def setNoneDisplay(self, text: str) -> None:
        self._set_and_refresh("noneDisplay", text)

    def addAttribute(self, node_type: str, name: str, value: Any = None) -> None:
        self._attributes.append((node_type, name, value))
        self.refresh()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._attributes = [entry for entry in self._attributes if entry[:2] != (node_type, name)]
        self.refresh()

    def setNodeTypeLabel(self, label: str, node_type: str) -> None:
        self._labels[node_type] = label

    def nodeTypeLabel(self, node_type: str) -> str:
        return self._labels.get(node_type, node_type)

    # the current node
    def currentNode(self) -> Any:
        identifier = self._box.currentData()
        return self._scene.GetNodeByID(identifier) if identifier and self._scene is not None else None

    def currentNodeID(self) -> str:
        node = self.currentNode()
        return node.GetID() if node else ""

    def currentNodeId(self) -> str:
        return self.currentNodeID()

    def setCurrentNodeID(self, identifier: str) -> None:
        row = self._box.findData(identifier) if identifier else -1
        if row < 0:
            row = 0 if self.stand_in.values["noneEnabled"] else -1
        self._box.setCurrentIndex(row)

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node is not None else "")

    def setCurrentNodeIndex(self, index: int) -> None:
        self.setCurrentNode(self.nodeFromIndex(index))

    def nodeCount(self) -> int:
        return len(list(self._listed()))

    def nodeFromIndex(self, index: int) -> Any:
        nodes = list(self._listed())
        return nodes[index] if 0 <= index < len(nodes) else None

    # changing the scene
    def addNode(self, node_type: str | None = None) -> Any:
        kind = node_type or self.stand_in.values["nodeTypes"][0]
        name = self._scene.GenerateUniqueName(self.stand_in.values["baseName"] or self.nodeTypeLabel(kind))
        node = self._scene.AddNewNodeByClass(kind, name)
        for attribute_kind, attribute, value in self._attributes:
            if node.IsA(attribute_kind) and value is not None:
                node.SetAttribute(attribute, str(value))
        if self.stand_in.values["selectNodeUponCreation"]:
            self.setCurrentNode(node)
        self.stand_in.emit("nodeAddedByUser(vtkMRMLNode*)", node)
        return node

    def removeCurrentNode(self) -> None:
        if self.currentNode() is not None:
            self._scene.RemoveNode(self.currentNode())

    def addMenuAction(self, action: Any) -> None:
        self._box.addAction(action)


@stand_in(
    selectionMode=3,
    headerVisible=True,
    visibilityColumnVisible=True,
    colorColumnVisible=True,
    opacityColumnVisible=True,
    statusColumnVisible=False,
    layerColumnVisible=False,
    readOnly=False,
    filterBarVisible=False,
    textFilter="",
    jumpToSelectedSegmentEnabled=False,
    useTerminologySelector=True,
    terminologySelectorAutoDisable=True,
    terminologySelectorOptionVisible=True,
    useTerminologySelectorSettingsKey="Segmentations/UseTerminologySelector",
)
class qMRMLSegmentsTableView(qMRMLWidget):
    """A table with a segment a row."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        qMRMLWidget.__init__(self, parent)
        self._node: Any = None
        self._hidden: list[str] = []
        self._ids: list[str] = []
        self._observed = Observed(self, "refresh")
        self._table = QtWidgets.QTableWidget(0, 3)
        self._table.setHorizontalHeaderLabels(["", "", "Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.setSelectionBehavior(QtWidgets.QTableWidget.SelectionBehavior.SelectRows)
        self._table.selectionModel().selectionChanged.connect(
            lambda selected, deselected: self.stand_in.emit(
                "selectionChanged(QItemSelection,QItemSelection)", selected, deselected
            )
        )
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)

    def tableWidget(self) -> QtWidgets.QTableWidget:
        return self._table

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        self._node = node
        self.refresh()

    def refresh(self) -> None:
        self._observed.clear()
        segmentation = self._node.GetSegmentation() if self._node is not None else None
        self._ids = []
        if segmentation is not None:
            self._observed.watch(
                segmentation,
                slicer.vtkSegmentation.SegmentAdded,
                slicer.vtkSegmentation.SegmentRemoved,
                slicer.vtkSegmentation.SegmentModified,
            )
            self._ids = [
                segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())
            ]
        self._ids = [identifier for identifier in self._ids if identifier not in self._hidden]
        self._table.setRowCount(len(self._ids))
        for row, identifier in enumerate(self._ids):
            segment = segmentation.GetSegment(identifier)
            self._table.setItem(row, 2, QtWidgets.QTableWidgetItem(segment.GetName()))

    def segmentCount(self) -> int:
        return len(self._ids)

    def displayedSegmentIDs(self) -> list[str]:
        return list(self._ids)

    def hideSegments(self) -> list[str]:
        return list(self._hidden)

    def setHideSegments(self, identifiers: list[str]) -> None:
        self._hidden = list(identifiers)
        self.refresh()

    def selectedSegmentIDs(self) -> list[str]:
        return [self._ids[index.row()] for index in self._table.selectionModel().selectedRows()]

    def setSelectedSegmentIDs(self, identifiers: list[str]) -> None:
        self._table.clearSelection()
        for identifier in identifiers:
            if identifier in self._ids:
                self._table.selectRow(self._ids.index(identifier))

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def rowForSegmentID(self, identifier: str) -> int:
        return self._ids.index(identifier) if identifier in self._ids else -1

    def segmentIDForRow(self, row: int) -> str:
        return self._ids[row] if 0 <= row < len(self._ids) else ""

    def setHeaderVisible(self, visible: bool) -> None:
        self._table.horizontalHeader().setVisible(visible)
        self.stand_in.keep("headerVisible", visible)


EFFECTS = (
    "Threshold",
    "Paint",
    "Draw",
    "Erase",
    "Level tracing",
    "Grow from seeds",
    "Fill between slices",
    "Margin",
    "Hollow",
    "Smoothing",
    "Scissors",
    "Islands",
    "Logical operators",
    "Mask volume",
)
"""The names of the effects that Slicer brings."""


@stand_in
class qSlicerSegmentEditorAbstractEffect(QtCore.QObject):
    """One effect: its parameters live in the segment editor node, as "Effect.Parameter"."""

    def __init__(self, name: str, editor: Any):
        QtCore.QObject.__init__(self, editor)
        self._editor = editor
        self.stand_in.values["name"] = name

    def parameterSetNode(self) -> Any:
        return self._editor.mrmlSegmentEditorNode()

    def parameter(self, name: str) -> str:
        return self.parameterSetNode().GetAttribute(f"{self.stand_in.values['name']}.{name}") or ""

    def integerParameter(self, name: str) -> int:
        return int(self.parameter(name) or 0)

    def doubleParameter(self, name: str) -> float:
        return float(self.parameter(name) or 0.0)

    def setParameter(self, name: str, value: Any) -> None:
        self.parameterSetNode().SetAttribute(f"{self.stand_in.values['name']}.{name}", str(value))

    def setCommonParameter(self, name: str, value: Any) -> None:
        self.parameterSetNode().SetAttribute(name, str(value))


@stand_in(
    segmentationNodeSelectorVisible=True,
    sourceVolumeNodeSelectorVisible=True,
    maskingSectionVisible=True,
    specifyGeometryButtonVisible=True,
    show3DButtonVisible=True,
    addRemoveSegmentButtonsVisible=True,
    switchToSegmentationsButtonVisible=True,
    autoShowSourceVolumeNode=True,
    undoEnabled=True,
    maximumNumberOfUndoStates=10,
    readOnly=False,
    effectButtonStyle=2,
    effectColumnCount=2,
    unorderedEffectsVisible=True,
    defaultTerminologyEntry="",
    defaultTerminologyEntrySettingsKey="",
    jumpToSelectedSegmentEnabled=False,
)
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The Segment Editor: nodes, effects and undo are real MRML, painting with the mouse is not there."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        qMRMLWidget.__init__(self, parent)
        self._node: Any = None
        self._order: list[str] = []
        self._observed = Observed(self, "updateWidgetFromMRML")
        self._history = slicer.vtkSegmentationHistory()
        self._effects = {name: qSlicerSegmentEditorAbstractEffect(name, self) for name in EFFECTS}
        self.shortcuts_installed = False
        self.views_observed = False
        self._table = qMRMLSegmentsTableView()
        self._table.tableWidget().setMinimumHeight(80)
        self._buttons: dict[str, QtWidgets.QToolButton] = {}
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self._table)
        self._grid = QtWidgets.QGridLayout()
        layout.addLayout(self._grid)
        for name in EFFECTS:
            button = QtWidgets.QToolButton(text=name, checkable=True)
            button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
            button.clicked.connect(
                lambda checked, name=name: self.setActiveEffectByName(name if checked else "")
            )
            self._buttons[name] = button

    # nodes
    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._node = node
        self._observed.clear()
        if node is not None:
            self._observed.watch(node, vtk.vtkCommand.ModifiedEvent)
        self.updateWidgetFromMRML()

    def segmentationNode(self) -> Any:
        return self._node.GetSegmentationNode() if self._node is not None else None

    def segmentationNodeID(self) -> str:
        node = self.segmentationNode()
        return node.GetID() if node is not None else ""

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node is not None else None

    def sourceVolumeNodeID(self) -> str:
        node = self.sourceVolumeNode()
        return node.GetID() if node is not None else ""

    def _needs_node(self, call: str) -> bool:
        if self._node is None:
            raise RuntimeError(
                f"qMRMLSegmentEditorWidget::{call} needs a segment editor node; "
                "Slicer prints an error and does nothing"
            )
        return True

    def setSegmentationNode(self, node: Any) -> None:
        if self._needs_node("setSegmentationNode") and node is not self.segmentationNode():
            self._node.SetAndObserveSegmentationNode(node)
            self._history = slicer.vtkSegmentationHistory()
            self._history.SetMaximumNumberOfStates(self.stand_in.values["maximumNumberOfUndoStates"])
            if node is not None:
                self._history.SetSegmentation(node.GetSegmentation())
                if node.GetSegmentation().GetNumberOfSegments() and not self._node.GetSelectedSegmentID():
                    self._node.SetSelectedSegmentID(node.GetSegmentation().GetNthSegmentID(0))
            self.stand_in.emit("segmentationNodeChanged(vtkMRMLSegmentationNode*)", node)

    def setSegmentationNodeID(self, identifier: str) -> None:
        self.setSegmentationNode(self._scene.GetNodeByID(identifier) if identifier else None)

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._needs_node("setSourceVolumeNode") and node is not self.sourceVolumeNode():
            self._node.SetAndObserveSourceVolumeNode(node)
            self.stand_in.emit("sourceVolumeNodeChanged(vtkMRMLVolumeNode*)", node)

    def setSourceVolumeNodeID(self, identifier: str) -> None:
        self.setSourceVolumeNode(self._scene.GetNodeByID(identifier) if identifier else None)

    def currentSegmentID(self) -> str:
        return (self._node.GetSelectedSegmentID() or "") if self._node is not None else ""

    def setCurrentSegmentID(self, identifier: str) -> None:
        if self._needs_node("setCurrentSegmentID") and identifier != self.currentSegmentID():
            self._node.SetSelectedSegmentID(identifier)
            self.stand_in.emit("currentSegmentIDChanged(QString)", identifier)

    def _drop_mask_without_segment(self) -> None:
        """As Slicer does whenever it looks at the node, even between two calls that set mode and segment."""
        segmentation = self.segmentationNode()
        kind = slicer.vtkMRMLSegmentationNode
        if segmentation is None or self._node.GetMaskMode() != kind.EditAllowedInsideSingleSegment:
            return
        if segmentation.GetSegmentation().GetSegment(self._node.GetMaskSegmentID() or "") is None:
            self._node.SetMaskMode(kind.EditAllowedEverywhere)

    def updateWidgetFromMRML(self) -> None:
        self._drop_mask_without_segment()
        self._table.setSegmentationNode(self.segmentationNode())
        active = self._node.GetActiveEffectName() if self._node is not None else ""
        for button in self._buttons.values():
            self._grid.removeWidget(button)
            button.hide()
        columns = self.stand_in.values["effectColumnCount"]
        for number, name in enumerate(self.availableEffectNames()):
            self._buttons[name].setChecked(name == active)
            self._grid.addWidget(self._buttons[name], number // columns, number % columns)
            self._buttons[name].show()

    # effects
    def _shown(self, name: str) -> bool:
        return not self._order or name in self._order or self.stand_in.values["unorderedEffectsVisible"]

    def availableEffectNames(self) -> list[str]:
        shown = [name for name in EFFECTS if self._shown(name)]
        return sorted(
            shown, key=lambda name: self._order.index(name) if name in self._order else len(EFFECTS)
        )

    def effectNameOrder(self) -> list[str]:
        return list(self._order)

    def setEffectNameOrder(self, names: list[str]) -> None:
        self._order = list(names)
        self.updateWidgetFromMRML()

    def setUnorderedEffectsVisible(self, visible: bool) -> None:
        self.stand_in.keep("unorderedEffectsVisible", visible)
        self.updateWidgetFromMRML()

    def effectCount(self) -> int:
        return len(EFFECTS)

    def effectByIndex(self, index: int) -> Any:
        return self._effects[EFFECTS[index]]

    def effectByName(self, name: str) -> Any:
        return self._effects.get(name)

    def activeEffect(self) -> Any:
        return self._effects.get(self._node.GetActiveEffectName()) if self._node is not None else None

    def setActiveEffect(self, effect: Any) -> None:
        self.setActiveEffectByName(effect.stand_in.values["name"] if effect is not None else "")

    def setActiveEffectByName(self, name: str) -> None:
        if self._node is not None and name != (self._node.GetActiveEffectName() or ""):
            self._node.SetActiveEffectName(name)
            self.updateWidgetFromMRML()

    def updateEffectList(self) -> None:
        self.updateWidgetFromMRML()

    # undo
    def saveStateForUndo(self) -> None:
        if self.segmentationNode() is not None and self.stand_in.values["undoEnabled"]:
            self._history.SaveState()

    def undo(self) -> None:
        self._history.RestorePreviousState()
        self._tell_restored()

    def redo(self) -> None:
        self._history.RestoreNextState()
        self._tell_restored()

    def _tell_restored(self) -> None:
        """A restored history is silent; Slicer's logic then tells that the display changed, and no more."""
        if self.segmentationNode() is not None:
            self.segmentationNode().InvokeEvent(slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent)

    def setMaximumNumberOfUndoStates(self, number: int) -> None:
        self.stand_in.keep("maximumNumberOfUndoStates", number)
        self._history.SetMaximumNumberOfStates(number)

    # being shown
    def installKeyboardShortcuts(self, parent: Any = None) -> None:
        self.shortcuts_installed = True

    def uninstallKeyboardShortcuts(self) -> None:
        self.shortcuts_installed = False

    def setupViewObservations(self) -> None:
        self.views_observed = True

    def removeViewObservations(self) -> None:
        self.views_observed = False

    def hideLabelLayer(self) -> None:
        pass

    def setSegmentationNodeSelectorVisible(self, visible: bool) -> None:
        self.stand_in.keep("segmentationNodeSelectorVisible", visible)

    def segmentationNodeSelectorAddAttribute(self, *attribute: Any) -> None:
        pass

    def sourceVolumeNodeSelectorAddAttribute(self, *attribute: Any) -> None:
        pass


class TableModel(QtCore.QAbstractTableModel):
    """The cells of a vtkMRMLTableNode."""

    def __init__(self, node: Any, parent: QtCore.QObject):
        super().__init__(parent)
        self.table = node.GetTable() if node is not None else None

    def rowCount(self, parent: Any = None) -> int:
        return self.table.GetNumberOfRows() if self.table is not None else 0

    def columnCount(self, parent: Any = None) -> int:
        return self.table.GetNumberOfColumns() if self.table is not None else 0

    def data(self, index: QtCore.QModelIndex, role: int = QtCore.Qt.ItemDataRole.DisplayRole) -> Any:
        if role == QtCore.Qt.ItemDataRole.DisplayRole:
            return self.table.GetValue(index.row(), index.column()).ToString()
        return None

    def headerData(
        self, section: int, orientation: Any, role: int = QtCore.Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if role == QtCore.Qt.ItemDataRole.DisplayRole and orientation == QtCore.Qt.Orientation.Horizontal:
            return self.table.GetColumnName(section)
        return None


@stand_in(transposed=False, firstRowLocked=False, firstColumnLocked=False)
class qMRMLTableView(QtWidgets.QTableView):
    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QTableView.__init__(self, parent)
        self._node: Any = None
        self._scene: Any = None
        self._observed = Observed(self, "refresh")

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.stand_in.emit("mrmlSceneChanged(vtkMRMLScene*)", scene)

    def mrmlTableNode(self) -> Any:
        return self._node

    def setMRMLTableNode(self, node: Any) -> None:
        self._node = node
        self._observed.clear()
        if node is not None:
            self._observed.watch(node, vtk.vtkCommand.ModifiedEvent)
        self.refresh()

    def refresh(self) -> None:
        self.setModel(TableModel(self._node, self))

    def copySelection(self) -> None:
        model = self.model()
        rows = range(model.rowCount())
        text = "\n".join(
            "\t".join(str(model.index(row, column).data()) for column in range(model.columnCount()))
            for row in rows
        )
        QtWidgets.QApplication.clipboard().setText(text)


@stand_in(quantity="", unitAwareProperties=0)
class qMRMLSliderWidget(ctkSliderWidget):
    def mrmlScene(self) -> Any:
        return getattr(self, "_scene", None)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


@stand_in(quantity="", unitAwareProperties=0)
class qMRMLSpinBox(ctkDoubleSpinBox):
    def mrmlScene(self) -> Any:
        return getattr(self, "_scene", None)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


@stand_in
class qMRMLCollapsibleButton(ctkCollapsibleButton):
    def mrmlScene(self) -> Any:
        return getattr(self, "_scene", None)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.stand_in.emit("mrmlSceneChanged(vtkMRMLScene*)", scene)


@stand_in
class qMRMLRangeWidget(ctkRangeWidget):
    def mrmlScene(self) -> Any:
        return getattr(self, "_scene", None)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene


@stand_in
class qMRMLSegmentSelectorWidget(qMRMLWidget):
    """A segmentation node and one of its segments to choose from."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        qMRMLWidget.__init__(self, parent)
        self._nodes = qMRMLNodeComboBox()
        self._nodes.setNodeTypes(["vtkMRMLSegmentationNode"])
        self._nodes.setNoneEnabled(True)
        self._segments = QtWidgets.QComboBox()
        self._observed = Observed(self, "refresh")
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._nodes)
        layout.addWidget(self._segments)
        self._nodes.stand_in.connect("currentNodeChanged(vtkMRMLNode*)", self._node_changed)
        self._segments.currentIndexChanged.connect(
            lambda _: self.stand_in.emit("currentSegmentChanged(QString)", self.currentSegmentID())
        )

    def setMRMLScene(self, scene: Any) -> None:
        qMRMLWidget.setMRMLScene(self, scene)
        self._nodes.setMRMLScene(scene)

    def setNoneEnabled(self, enabled: bool) -> None:
        self.stand_in.keep("noneEnabled", enabled)
        self._nodes.setNoneEnabled(enabled)

    def _node_changed(self, node: Any) -> None:
        self.refresh()
        self.stand_in.emit("currentNodeChanged(vtkMRMLNode*)", node)
        self.stand_in.emit("currentNodeChanged(bool)", node is not None)

    def refresh(self) -> None:
        chosen = self.currentSegmentID()
        self._observed.clear()
        blocked = self._segments.blockSignals(True)
        self._segments.clear()
        for identifier in self.segmentIDs():
            segment = self.currentNode().GetSegmentation().GetSegment(identifier)
            self._segments.addItem(segment.GetName(), identifier)
        self._segments.setCurrentIndex(max(self._segments.findData(chosen), 0))
        self._segments.blockSignals(blocked)
        if self.currentNode() is not None:
            events = (slicer.vtkSegmentation.SegmentAdded, slicer.vtkSegmentation.SegmentRemoved)
            self._observed.watch(self.currentNode().GetSegmentation(), *events)
        if self.currentSegmentID() != chosen:
            self.stand_in.emit("currentSegmentChanged(QString)", self.currentSegmentID())

    def currentNode(self) -> Any:
        return self._nodes.currentNode()

    def currentNodeID(self) -> str:
        return self._nodes.currentNodeID()

    def setCurrentNode(self, node: Any) -> None:
        self._nodes.setCurrentNode(node)

    def setCurrentNodeID(self, identifier: str) -> None:
        self._nodes.setCurrentNodeID(identifier)

    def segmentIDs(self) -> list[str]:
        node = self.currentNode()
        return list(node.GetSegmentation().GetSegmentIDs()) if node is not None else []

    def currentSegmentID(self) -> str:
        return self._segments.currentData() or ""

    def setCurrentSegmentID(self, identifier: str) -> None:
        self._segments.setCurrentIndex(self._segments.findData(identifier))


@stand_in
class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """Nodes of which several can be checked."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        qMRMLNodeComboBox.__init__(self, parent)
        self._checked: set[str] = set()

    def checkedNodes(self) -> list:
        return [node for node in self._listed() if node.GetID() in self._checked]

    def uncheckedNodes(self) -> list:
        return [node for node in self._listed() if node.GetID() not in self._checked]

    def allChecked(self) -> bool:
        return not self.uncheckedNodes()

    def noneChecked(self) -> bool:
        return not self.checkedNodes()

    def checkState(self, node: Any) -> Any:
        return (
            QtCore.Qt.CheckState.Checked if node.GetID() in self._checked else QtCore.Qt.CheckState.Unchecked
        )

    def setCheckState(self, node: Any, state: Any) -> None:
        before = set(self._checked)
        (self._checked.discard if int(getattr(state, "value", state)) == 0 else self._checked.add)(
            node.GetID()
        )
        if before != self._checked:
            self.stand_in.emit("checkedNodesChanged()")

    def check(self, node: Any) -> None:
        self.setCheckState(node, QtCore.Qt.CheckState.Checked)

    def uncheck(self, node: Any) -> None:
        self.setCheckState(node, QtCore.Qt.CheckState.Unchecked)


@stand_in
class qMRMLSubjectHierarchyComboBox(ctkComboBox):
    """Items of the subject hierarchy; listed when the scene is set."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        ctkComboBox.__init__(self, parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.clear()
        node = self.subjectHierarchyNode()
        if node is None:
            return
        items = vtk.vtkIdList()
        node.GetItemChildren(node.GetSceneItemID(), items, True)
        for number in range(items.GetNumberOfIds()):
            self.addItem(node.GetItemName(items.GetId(number)), items.GetId(number))
        self.currentIndexChanged.connect(
            lambda _: self.stand_in.emit("currentItemChanged(vtkIdType)", self.currentItem())
        )

    def subjectHierarchyNode(self) -> Any:
        return (
            slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene) if self._scene else None
        )

    def currentItem(self) -> int:
        return self.currentData() or 0

    def setCurrentItem(self, item: int) -> None:
        self.setCurrentIndex(self.findData(item))

    def currentNode(self) -> Any:
        return self.subjectHierarchyNode().GetItemDataNode(self.currentItem()) if self.currentItem() else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentItem(self.subjectHierarchyNode().GetItemByDataNode(node))


@stand_in
class qMRMLPlotView(QtWidgets.QWidget):
    """The place of a plot: its nodes are real, nothing is drawn."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QWidget.__init__(self, parent)
        self._scene: Any = None
        self.plot_view_node: Any = None
        self.setMinimumSize(120, 80)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.stand_in.emit("mrmlSceneChanged(vtkMRMLScene*)", scene)

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self.plot_view_node = node

    def fitToContent(self) -> None:
        """Write the ranges of the curves into the chart node, as Slicer's view does after a fit."""
        chart = self.plot_view_node.GetPlotChartNode()
        series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
        for set_range, column in (
            (chart.SetXAxisRange, "GetXColumnName"),
            (chart.SetYAxisRange, "GetYColumnName"),
        ):
            columns = [s.GetTableNode().GetTable().GetColumnByName(getattr(s, column)()) for s in series]
            values = [each.GetRange() for each in columns]
            if values:
                set_range(min(low for low, _ in values), max(high for _, high in values))


@stand_in
class qMRMLPlotWidget(qMRMLWidget):
    """A plot view with its controller, as the layout has it and a module may make one."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        qMRMLWidget.__init__(self, parent)
        self._view = qMRMLPlotView()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)

    def setMRMLScene(self, scene: Any) -> None:
        qMRMLWidget.setMRMLScene(self, scene)
        self._view.setMRMLScene(scene)

    def plotView(self) -> Any:
        return self._view

    def mrmlPlotViewNode(self) -> Any:
        return self._view.plot_view_node

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._view.setMRMLPlotViewNode(node)


@stand_in(locked=False)
class qMRMLSegmentationShow3DButton(QtWidgets.QPushButton):
    """Makes the closed surface of a segmentation and shows it, or removes it."""

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        QtWidgets.QPushButton.__init__(self, "Show 3D", parent)
        self.setCheckable(True)
        self.setEnabled(False)
        self._node: Any = None
        self._observed = Observed(self, "refresh")
        self.clicked.connect(self._show)

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        self._node = node
        self._observed.clear()
        if node is not None:
            self._observed.watch(node, vtk.vtkCommand.ModifiedEvent)
        self.refresh()

    def setLocked(self, locked: bool) -> None:
        self.stand_in.keep("locked", locked)
        self.refresh()

    def refresh(self) -> None:
        self.setEnabled(self._node is not None and not self.stand_in.values["locked"])
        name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
        self.setChecked(self._node is not None and self._node.GetSegmentation().ContainsRepresentation(name))

    def _show(self, shown: bool) -> None:
        if shown:
            self._node.CreateClosedSurfaceRepresentation()
            self._node.GetDisplayNode().SetVisibility3D(True)
        else:
            self._node.RemoveClosedSurfaceRepresentation()
