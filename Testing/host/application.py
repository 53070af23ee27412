"""Stand-ins for Slicer's application: `slicer.app`, modules, main window and layout, on real MRML logics."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from . import faults, subject_hierarchy
from .pythonqt import disconnect_all, wrap
from .qmrml_widgets import qMRMLPlotWidget, qMRMLTableView, qMRMLWidget, qSlicerWidget
from .stand_in import stand_in

VERSION = (5, 10)
"""The Slicer that is asked for at least; what the module is told to run in."""


@stand_in(
    categories=[],
    dependencies=[],
    contributors=[],
    associatedNodeTypes=[],
    index=-1,
    hidden=False,
    isInstalled=False,
    isBuiltIn=True,
    widgetRepresentationCreationEnabled=True,
)
class qSlicerLoadableModule(QtCore.QObject):
    """A module with a logic and no widget: enough for Slicer's own loadable modules."""

    def __init__(self, name: str = "", logic: Any = None):
        QtCore.QObject.__init__(self)
        self.setObjectName(name)
        self.stand_in.values.update(name=name, title=name)
        self._logic = logic

    def logic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene


@stand_in(helpText="", acknowledgementText="", icon=None, extensions={})
class qSlicerScriptedLoadableModule(QtCore.QObject):
    """What a scripted module's class gets as its parent."""

    def __init__(self, name: str, path: Path, manager: qSlicerModuleManager):
        QtCore.QObject.__init__(self)
        self.setObjectName(name)
        self.stand_in.values.update(name=name, title=name, path=str(path))
        self._manager = manager
        self._logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
        self.widget: qSlicerScriptedLoadableModuleWidget | None = None

    def logic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def widgetRepresentation(self) -> Any:
        """Make the widget on first use: instantiate, setScene, setup(), as qSlicerAbstractCoreModule does."""
        if self.widget is None:
            self.widget = qSlicerScriptedLoadableModuleWidget(self)
            self.widget.instantiate()
            self.widget.setMRMLScene(slicer.mrmlScene)
            self.widget.call("setup")
        return self.widget


@stand_in
class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """What a scripted module's Widget class gets as its parent: a QVBoxLayout and nothing in it."""

    def __init__(self, module: qSlicerScriptedLoadableModule):
        qSlicerWidget.__init__(self)
        self._module = module
        self._python: Any = None
        self.stand_in.values["isEntered"] = False
        QtWidgets.QVBoxLayout(self)

    def moduleName(self) -> str:
        return self._module.stand_in.values["name"]

    def module(self) -> Any:
        return self._module

    def instantiate(self) -> None:
        class_name = self.moduleName() + "Widget"
        self._python = getattr(sys.modules[self.moduleName()], class_name)(wrap(self))
        self.setObjectName(class_name)
        setattr(slicer.modules, class_name, self._python)

    def self(self) -> Any:
        return self._python

    def reload(self) -> None:
        self.instantiate()
        self.call("setup")

    def call(self, name: str, *args: Any) -> None:
        """Call setup, enter or exit as Slicer does: an exception is printed there, and a fault here."""
        method = getattr(self._python, name, None)
        if method is not None:
            try:
                method(*args)
            except Exception:
                faults.report_exception(f"{type(self._python).__name__}.{name}()")

    def enter(self) -> None:
        if not self.stand_in.values["isEntered"]:
            self.stand_in.values["isEntered"] = True
            self.show()
            self.call("enter")

    def exit(self) -> None:
        if self.stand_in.values["isEntered"]:
            self.stand_in.values["isEntered"] = False
            self.call("exit")
            self.hide()


@stand_in
class qSlicerModuleFactoryManager(QtCore.QObject):
    def __init__(self, manager: qSlicerModuleManager):
        QtCore.QObject.__init__(self, manager)
        self._manager = manager

    def loadedModuleNames(self) -> list[str]:
        return self._manager.modulesNames()

    def isLoaded(self, name: str) -> bool:
        return name in self._manager.modulesNames()


@stand_in
class qSlicerModuleManager(QtCore.QObject):
    def __init__(self):
        QtCore.QObject.__init__(self)
        self.modules: dict[str, QtCore.QObject] = {}
        self._factory = qSlicerModuleFactoryManager(self)

    def factoryManager(self) -> Any:
        return self._factory

    def modulesNames(self) -> list[str]:
        return list(self.modules)

    def module(self, name: str) -> Any:
        return next((module for key, module in self.modules.items() if key.lower() == name.lower()), None)


@stand_in
class qSlicerCoreIOManager(QtCore.QObject):
    pass


class Modules:
    """`slicer.modules`: modules by their lower-case names, and what modules put there themselves."""

    def __init__(self, manager: qSlicerModuleManager):
        self.__dict__["_manager"] = manager

    def __getattr__(self, name: str) -> Any:
        module = self._manager.module(name) if name == name.lower() else None
        if module is None:
            raise AttributeError(f"'slicer.modules' has no attribute '{name}'")
        return wrap(module)


LOGICS = {
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Colors": "vtkSlicerColorLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Models": "vtkSlicerModelsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Texts": "vtkSlicerTextsLogic",
    "ViewControllers": "vtkSlicerViewControllersLogic",
    "Data": "vtkSlicerDataModuleLogic",
}
"""Slicer's own modules whose logic slicer-core brings."""


@stand_in
class qSlicerLayoutManager(QtCore.QObject):
    """The layout of the views: real slice and view nodes, with widgets that only stand in their places."""

    def __init__(self, application_logic: Any):
        QtCore.QObject.__init__(self)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._application_logic = application_logic
        self._slices: dict[str, qMRMLSliceWidget] = {}
        self._threed: list[qMRMLThreeDWidget] = []
        self._others: dict[str, QtWidgets.QWidget] = {}

    def set_scene(self, scene: Any) -> None:
        self._logic.SetMRMLScene(scene)
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        for name in ("Red", "Green", "Yellow"):
            self._slices[name] = qMRMLSliceWidget(name, scene, self._application_logic)
        for number in range(scene.GetNumberOfNodesByClass("vtkMRMLViewNode")):
            self._threed.append(qMRMLThreeDWidget(scene.GetNthNodeByClass(number, "vtkMRMLViewNode")))

    def end(self) -> None:
        """Let go of the scene before it is emptied: the layout's logics don't outlive their nodes."""
        for widget in self._slices.values():
            widget.sliceLogic().SetMRMLScene(None)
        self._application_logic.GetSliceLogics().RemoveAllItems()
        self._logic.SetMRMLScene(None)

    def layoutLogic(self) -> Any:
        return self._logic

    def layout(self) -> int:
        node = self._logic.GetLayoutNode()
        return node.GetViewArrangement() if node is not None else 0

    def setLayout(self, layout: int) -> None:
        node = self._logic.GetLayoutNode()
        if node is not None and node.GetViewArrangement() != layout:
            node.SetViewArrangement(layout)
            self._make_slice_widgets()
            self.stand_in.emit("layoutChanged(int)", layout)

    def _make_slice_widgets(self) -> None:
        """A layout of one's own may bring slice views of its own."""
        for node in self._shown("vtkMRMLSliceNode"):
            name = node.GetLayoutName()
            if name not in self._slices:
                self._slices[name] = qMRMLSliceWidget(name, self.mrmlScene(), self._application_logic)

    def sliceViewNames(self) -> list[str]:
        return list(self._slices)

    def sliceWidget(self, name: str) -> Any:
        return self._slices.get(name)

    def mrmlSliceLogics(self) -> Any:
        return self._application_logic.GetSliceLogics()

    def threeDViewCount(self) -> int:
        return len(self._threed)

    def threeDWidget(self, key: Any) -> Any:
        return self._threed[key] if isinstance(key, int) and key < len(self._threed) else None

    def _shown(self, node_class: str) -> list:
        """Return the view nodes of a class that the present layout shows."""
        nodes = self._logic.GetViewNodes()
        nodes = [nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems())]
        return [node for node in nodes if node.IsA(node_class)]

    def _widget(self, key: Any, node_class: str, make: Any) -> Any:
        """Return the widget of a view, by its number or by the name of its layout."""
        for number, node in enumerate(self._shown(node_class)):
            if key in (number, node.GetLayoutName(), node.GetName()):
                if node.GetID() not in self._others:
                    self._others[node.GetID()] = make(node)
                return self._others[node.GetID()]
        return None

    def plotViewCount(self) -> int:
        return len(self._shown("vtkMRMLPlotViewNode"))

    def plotWidget(self, key: Any) -> Any:
        return self._widget(key, "vtkMRMLPlotViewNode", _plot_widget)

    def tableViewCount(self) -> int:
        return len(self._shown("vtkMRMLTableViewNode"))

    def tableWidget(self, key: Any) -> Any:
        return self._widget(key, "vtkMRMLTableViewNode", qMRMLTableWidget)

    def resetSliceViews(self) -> None:
        for widget in self._slices.values():
            widget.sliceLogic().FitSliceToBackground()

    def resetThreeDViews(self) -> None:
        pass

    def mrmlScene(self) -> Any:
        return self._logic.GetMRMLScene()


class View:
    """Counts who wants that it draws nothing, as ctkVTKAbstractView does; its render window never draws."""

    _pauses = 0
    _window: Any = None

    def renderWindow(self) -> Any:
        self._window = self._window or vtk.vtkRenderWindow()
        return self._window

    def pauseRender(self) -> int:
        self._pauses += 1
        return self._pauses

    def resumeRender(self) -> int:
        self._pauses -= 1
        return self._pauses


@stand_in
class qMRMLSliceView(View, QtWidgets.QWidget):
    def scheduleRender(self) -> None:
        pass

    def forceRender(self) -> None:
        pass


@stand_in
class qMRMLSliceControllerWidget(qMRMLWidget):
    def __init__(self, logic: Any):
        qMRMLWidget.__init__(self)
        self._logic = logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()


@stand_in
class qMRMLSliceWidget(qMRMLWidget):
    """A slice view: its logic and nodes are real, nothing is drawn."""

    def __init__(self, name: str, scene: Any, application_logic: Any):
        qMRMLWidget.__init__(self)
        self.setMRMLScene(scene)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLScene(scene)
        node = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        self._logic = (
            application_logic.GetSliceLogic(node) or self._logic if node is not None else self._logic
        )
        if node is None:
            node = self._logic.AddSliceNode(name)
        elif self._logic.GetSliceNode() is not node:
            self._logic.SetSliceNode(node)
        application_logic.GetSliceLogics().AddItem(self._logic)
        self._view, self._controller = qMRMLSliceView(), qMRMLSliceControllerWidget(self._logic)

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def sliceView(self) -> Any:
        return self._view

    def sliceController(self) -> Any:
        return self._controller

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()


@stand_in
class qMRMLThreeDView(View, QtWidgets.QWidget):
    def __init__(self, node: Any):
        QtWidgets.QWidget.__init__(self)
        self._node = node

    def mrmlViewNode(self) -> Any:
        return self._node

    def resetFocalPoint(self) -> None:
        pass

    def rotateToViewAxis(self, axis: int) -> None:
        pass

    def resetCamera(self, *_: Any) -> None:
        pass

    def scheduleRender(self) -> None:
        pass

    def forceRender(self) -> None:
        pass


@stand_in
class qMRMLThreeDWidget(qMRMLWidget):
    def __init__(self, node: Any):
        qMRMLWidget.__init__(self)
        self._view = qMRMLThreeDView(node)

    def threeDView(self) -> Any:
        return self._view

    def mrmlViewNode(self) -> Any:
        return self._view.mrmlViewNode()


def _plot_widget(node: Any) -> qMRMLPlotWidget:
    widget = qMRMLPlotWidget()
    widget.setMRMLScene(node.GetScene())
    widget.setMRMLPlotViewNode(node)
    return widget


@stand_in
class qMRMLTableWidget(qMRMLWidget):
    """A table view of the layout: it shows the table that its view node names."""

    def __init__(self, node: Any):
        qMRMLWidget.__init__(self)
        self._node, self._view = node, qMRMLTableView()
        self._view.setMRMLTableNode(node.GetTableNode())

    def tableView(self) -> Any:
        return self._view

    def mrmlTableViewNode(self) -> Any:
        return self._node


@stand_in
class qSlicerModuleSelectorToolBar(QtWidgets.QToolBar):
    def __init__(self, window: qSlicerMainWindow):
        QtWidgets.QToolBar.__init__(self, window)
        self._window = window

    def selectModule(self, name: str) -> None:
        self._window.select_module(name)

    def selectedModule(self) -> str:
        return self._window.current_module

    def setModuleManager(self, manager: Any) -> None:
        pass


@stand_in
class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window: the module panel and a status bar."""

    def __init__(self):
        QtWidgets.QMainWindow.__init__(self)
        self.setObjectName("qSlicerMainWindow")
        self.current_module = ""
        self._selector = qSlicerModuleSelectorToolBar(self)
        self._area = QtWidgets.QScrollArea(widgetResizable=True)
        self.setCentralWidget(self._area)

    def moduleSelector(self) -> Any:
        return self._selector

    def select_module(self, name: str) -> None:
        """Leave the module that is shown and enter another, in Slicer's order: exit(), then enter()."""
        manager = QtWidgets.QApplication.instance().moduleManager()
        if name == self.current_module:
            return
        shown = manager.module(self.current_module) if self.current_module else None
        if shown is not None and getattr(shown, "widget", None) is not None:
            shown.widget.exit()
            self._area.takeWidget()
        self.current_module = name
        module = manager.module(name) if name else None
        if isinstance(module, qSlicerScriptedLoadableModule):
            self._area.setWidget(module.widgetRepresentation())
            module.widget.enter()
        self._selector.stand_in.emit("moduleSelected(QString)", name)


@stand_in
class qSlicerApplication(QtWidgets.QApplication):
    """The application. One for the process, as Qt wants it; `begin` makes it new for each test."""

    def __init__(self):
        QtWidgets.QApplication.__init__(self, ["slicer"])
        self.setApplicationName("Slicer")
        self.setOrganizationName("NA-MIC")
        self.setQuitOnLastWindowClosed(False)
        self.main_window: qSlicerMainWindow | None = None

    def begin(self, scene: Any, folder: Path, with_main_window: bool) -> None:
        self._scene, self._folder = scene, folder
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
        for scope in (QtCore.QSettings.Scope.UserScope, QtCore.QSettings.Scope.SystemScope):
            QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, scope, str(folder / "settings"))
        self._settings = QtCore.QSettings()
        self._revision_settings = QtCore.QSettings(
            str(folder / "settings" / "Slicer-0.ini"), QtCore.QSettings.Format.IniFormat
        )
        (folder / "temporary").mkdir(parents=True, exist_ok=True)
        self.stand_in.values.update(
            {
                "temporaryPath": str(folder / "temporary"),
                "slicerHome": str(folder),
                "cachePath": str(folder / "cache"),
                "slicerSharePath": "share/Slicer-5.10",
                "majorVersion": VERSION[0],
                "minorVersion": VERSION[1],
                "os": "linux",
                "arch": "amd64",
                "platform": "linux-amd64",
                "revision": "0",
                "repositoryRevision": "0",
                "isInstalled": True,
                "releaseType": "Stable",
                "startupWorkingPath": os.getcwd(),
                "extensionsInstallPath": str(folder / "extensions"),
                "applicationLocaleName": "en_US",
                "documentationBaseUrl": "https://slicer.readthedocs.io/en/5.10/",
                "documentationVersion": "5.10",
                "slicerUserSettingsFilePath": self._settings.fileName(),
                "slicerRevisionUserSettingsFilePath": str(folder / "settings" / "Slicer-0.ini"),
            }
        )
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._logic.SetSliceLogics(vtk.vtkCollection())
        self._logic.SetMRMLScene(scene)
        self._logic.SetTemporaryPath(str(folder / "temporary"))
        subject_hierarchy.observe(scene)
        self._manager = qSlicerModuleManager()
        self._io = qSlicerCoreIOManager()
        vtk.vtkObject.GlobalWarningDisplayOff()  # they look for the desktop's terminologies and colour files
        for name, class_name in LOGICS.items():
            logic = getattr(slicer, class_name)()
            if hasattr(logic, "SetMRMLApplicationLogic"):
                logic.SetMRMLApplicationLogic(self._logic)
            logic.SetMRMLScene(scene)
            self._logic.SetModuleLogic(name, logic)
            self._manager.modules[name] = qSlicerLoadableModule(name, logic)
        vtk.vtkObject.GlobalWarningDisplayOn()
        self._layout_manager = None
        if with_main_window:
            self._layout_manager = qSlicerLayoutManager(self._logic)
            self._layout_manager.set_scene(scene)
            self.main_window = qSlicerMainWindow()

    def end(self) -> None:
        if self.main_window is not None:
            self.main_window.close()
            self._layout_manager.end()
        self.main_window = None
        self._scene.Clear(1)
        self.stand_in.listeners.clear()
        disconnect_all(self)
        for widget in self.topLevelWidgets():
            widget.close()

    def mrmlScene(self) -> Any:
        return self._scene

    def applicationLogic(self) -> Any:
        return self._logic

    def moduleLogic(self, name: str) -> Any:
        return self._logic.GetModuleLogic(name)

    def moduleManager(self) -> Any:
        return self._manager

    def coreIOManager(self) -> Any:
        return self._io

    ioManager = coreIOManager

    def layoutManager(self) -> Any:
        return self._layout_manager

    def settings(self) -> QtCore.QSettings:
        return self._settings

    userSettings = settings

    def revisionUserSettings(self) -> QtCore.QSettings:
        return self._revision_settings

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        return QtCore.QProcessEnvironment.systemEnvironment()

    environment = startupEnvironment

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/en/5.10/user_guide/modules/{name.lower()}.html"

    def testingEnabled(self) -> bool:
        return False  # so that dialogs are shown (and recorded) as for a person

    def processEvents(self) -> None:
        QtWidgets.QApplication.processEvents()

    def pauseRender(self) -> None:
        pass

    def resumeRender(self) -> None:
        pass

    def setRenderPaused(self, paused: bool) -> None:
        pass

    def toSlicerHomeAbsolutePath(self, path: str) -> str:
        return str(self._folder / path)

    def restart(self) -> None:
        faults.report("The module restarts Slicer")

    def logUsageEvent(self, component: str, event: str) -> None:
        pass


def application() -> qSlicerApplication:
    """Return the process's application."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if QtWidgets.QApplication.instance() is None:
        _keep_none_alive()
    return QtWidgets.QApplication.instance() or qSlicerApplication()


def _keep_none_alive() -> None:
    """Give None references in store: PySide6 6.12 takes one with each ``processEvents()``.

    Before Python 3.12 (where None is immortal) a long test run would end in "none_dealloc".
    """
    if sys.version_info < (3, 12):
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 30


def render(widget: QtWidgets.QWidget, path: Path, width: int = 480, height: int | None = None) -> None:
    """Write a picture of a widget."""
    window = widget.window()
    window.show()
    for _ in range(2):  # wrapped texts know their height only at their width
        window.resize(width, height or max(widget.sizeHint().height(), 200))
        QtWidgets.QApplication.processEvents()
    image = QtGui.QPixmap(widget.size())
    image.fill(QtGui.QColor("white"))
    widget.render(image)
    image.save(str(path))


def temporary_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="slicer-host-"))
