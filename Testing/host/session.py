"""A Slicer for one test: `Host` gives `qt`, `ctk` and `slicer`, loads a module, and takes all away again."""

from __future__ import annotations

import gc
import importlib.util
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
import slicer.util

from . import (
    application,
    ctk,
    dialogs,
    faults,
    i18n,
    parameter_node,
    qt,
    sample_data,
    scripted_module,
    slicer_util,
    stand_in,
)
from .application import Modules, qSlicerScriptedLoadableModule
from .pythonqt import wrap, wrapper_class
from .qmrml_widgets import Observed

SUBMODULES = {"ScriptedLoadableModule": scripted_module, "i18n": i18n, "parameterNodeWrapper": parameter_node}

VTK_LIBRARIES = {
    name: sys.modules[f"slicer_core.{library}"]
    for name, library in {
        "vtkITK": "vtkITK",
        "vtkTeem": "vtkTeem",
        "vtkSegmentationCorePython": "vtkSegmentationCore",
    }.items()
}
"""Libraries of Slicer that its Python imports by their own names."""


class Host:
    """One Slicer session, from start to exit."""

    def __init__(self, with_main_window: bool = True):
        self._had_attributes = dict(vars(slicer))
        self._had_modules = dict(sys.modules)
        self._had_path = list(sys.path)
        self._had_hook = sys.excepthook
        self._had_start = threading.Thread.start
        self._loaded: set[str] = set()
        self._closed = False
        self.folder = application.temporary_folder()
        faults.take()
        self.dialogs = dialogs.begin()
        self._qt_app = application.application()
        self._start(with_main_window)

    # --- life ------------------------------------------------------------------------------------------

    def _start(self, with_main_window: bool) -> None:
        sys.modules.update({"qt": qt, "ctk": ctk, "SampleData": sample_data, **VTK_LIBRARIES})
        for name, module in SUBMODULES.items():
            sys.modules[f"slicer.{name}"] = module
            setattr(slicer, name, module)
        for name in stand_in.names("q"):
            setattr(slicer, name, wrapper_class(stand_in.stand_in_class(name)))
        self.scene = slicer.vtkMRMLScene()
        slicer.mrmlScene = self.scene
        self._qt_app.begin(self.scene, self.folder, with_main_window)
        slicer.app = wrap(self._qt_app)
        slicer.modules = Modules(self._qt_app.moduleManager())
        slicer_util.install(slicer.util, self.dialogs)
        sys.excepthook = self._observer_failed
        threading.Thread.start = self._watched_start()

    def _watched_start(self) -> Callable[[threading.Thread], None]:
        """Fail a module that starts a Python thread: in Slicer it starves while the event loop idles."""

        def start(thread: threading.Thread) -> None:
            package = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0]
            if package.removesuffix("Lib") in self._loaded:
                faults.report(f"{package} starts a Python thread ({thread.name}), which starves in Slicer")
            self._had_start(thread)

        return start

    @staticmethod
    def _observer_failed(kind: type, value: BaseException, trace: Any) -> None:
        """VTK hands the exception of an observer to sys.excepthook."""
        faults.report("Exception in an observer:\n" + "".join(traceback.format_exception(kind, value, trace)))

    def close(self) -> list[str]:
        """End the session as Slicer's exit does; return what went wrong in it. A second call does nothing."""
        if self._closed:
            return []
        self._closed = True
        manager = self._qt_app.moduleManager()
        if self._qt_app.main_window is not None:
            self._qt_app.main_window.select_module("")
            for _ in range(2):  # a dialog that is shown then is the last window in its turn
                self._qt_app.lastWindowClosed.emit()
        # Slicer's own slot of aboutToQuit comes first and unloads the modules: theirs are cut off by then.
        for name, module in list(manager.modules.items()):
            if isinstance(module, qSlicerScriptedLoadableModule):
                manager.stand_in.emit("moduleAboutToBeUnloaded(QString)", name)
        self._qt_app.aboutToQuit.emit()
        self.process_events()
        found = faults.take()
        found += [
            f"An error was shown that the test did not take: {dialog}"
            for dialog in self.dialogs.untaken("error", "warning")
        ]
        found += [f"No dialog came for the answer {answer}" for answer in self.dialogs.unused_answers()]
        self._take_away()
        return found

    def _take_away(self) -> None:
        Observed.end_all()
        # Python's collector must not clear a node's observers before the scene lets go of the node.
        nodes = [self.scene.GetNthNode(number) for number in range(self.scene.GetNumberOfNodes())]
        for module in self._qt_app.moduleManager().modules.values():
            if getattr(module, "widget", None) is not None:
                module.widget.deleteLater()
        self._qt_app.end()
        nodes.clear()
        self.process_events()
        slicer_util.remove(slicer.util)
        sys.excepthook = self._had_hook
        threading.Thread.start = self._had_start
        sys.path[:] = self._had_path
        for name in set(sys.modules) - set(self._had_modules):
            if (
                name in ("qt", "ctk", "SampleData", *VTK_LIBRARIES)
                or name.removeprefix("slicer.") in SUBMODULES
            ):
                del sys.modules[name]
        for name in set(vars(slicer)) - set(self._had_attributes):
            delattr(slicer, name)
        gc.collect()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- modules ---------------------------------------------------------------------------------------

    def load_module(self, path: Path) -> Any:
        """Load a scripted module's file as Slicer does at its start; return its `slicer.modules.<name>`."""
        name = path.stem
        self._loaded.add(name)
        for loaded in [key for key in sys.modules if key == name or key.split(".")[0] == name + "Lib"]:
            del sys.modules[loaded]
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
        module = self._source(name, path)
        manager = self._qt_app.moduleManager()
        cpp = qSlicerScriptedLoadableModule(name, path, manager)
        manager.modules[name] = cpp
        instance = getattr(module, name)(wrap(cpp))
        setattr(slicer.modules, name + "Instance", instance)
        if hasattr(instance, "setup"):
            instance.setup()
        manager.stand_in.emit("moduleLoaded(QString)", name)
        return wrap(cpp)

    @staticmethod
    def _source(name: str, path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    def startup_completed(self) -> None:
        """All modules are loaded: Slicer emits startupCompleted()."""
        self._qt_app.stand_in.emit("startupCompleted()")

    def click_sample(self, name: str) -> Any:
        """Click a picture in the Sample Data module: its own downloader is called with the source."""
        source = sample_data.SampleDataLogic().sourceForSampleName(name)
        if source is None or source.customDownloader is None:
            raise AssertionError(f"No sample {name} with its own downloader; nothing is fetched by URL here")
        return source.customDownloader(source)

    def open_module(self, name: str) -> Any:
        """Show a module as a click in the module selector does; return its Python widget."""
        if self._qt_app.main_window is not None:
            self._qt_app.main_window.select_module(name)
        module = self._qt_app.moduleManager().module(name)
        return module.widgetRepresentation().self()

    def leave_module(self) -> None:
        """Go to no module: exit() of the one that is shown."""
        self._qt_app.main_window.select_module("")

    # --- time and pictures -----------------------------------------------------------------------------

    def process_events(self) -> None:
        for _ in range(3):
            self._qt_app.processEvents()
            self._qt_app.sendPostedEvents(None, 52)  # DeferredDelete, which processEvents alone leaves

    def wait_until(self, condition: Callable[[], Any], seconds: float = 30.0, what: str = "") -> Any:
        """Run the event loop until `condition()` is true and return its value."""
        deadline = time.monotonic() + seconds
        while True:
            self._qt_app.processEvents()
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{what or 'The condition'} did not come true in {seconds} s; "
                    f"faults: {faults.take()}; dialogs: {self.dialogs.shown}"
                )
            time.sleep(0.005)

    def picture(self, widget: Any, path: Path, width: int = 480, height: int | None = None) -> Path:
        """Write a picture of a widget (of `slicer.modules.X.widgetRepresentation()`, say)."""
        application.render(widget._qt, Path(path), width, height)
        return Path(path)

    def take_faults(self) -> list[str]:
        """Return the faults so far and forgive them (for tests of failures)."""
        return faults.take()
