"""The panel: builds the sections and tells them what happens in the scene and in the program."""

from __future__ import annotations

import sys
from pathlib import Path

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from GASNetSegmentLib import installation
from GASNetSegmentLib.worker_client import WorkerClient

from .cohort_section import CohortSection
from .deploy_section import DeploySection
from .logic import GASNetTrainLogic
from .panel import TrainPanel
from .processes import Interpreter
from .side_by_side_section import SideBySideSection
from .train_section import TrainSection
from .watch_section import WatchSection

OWN_PACKAGES = ("GASNetTrainLib",)


class GASNetTrainWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's widget; Slicer calls setup, enter, exit and cleanup."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None

    def setup(self) -> None:
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/GASNetTrain.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = GASNetTrainLogic()
        self.panel = TrainPanel(self.ui, self.logic, _worker_client())
        self.watch = WatchSection(self.panel, self._on_models, self._on_states)
        self.side_by_side = SideBySideSection(self.panel, lambda: self.deploy.pair)
        self.deploy = DeploySection(
            self.panel, lambda: self.watch.runs, self._on_deployed, self.side_by_side.set_possible
        )
        self.train = None  # the cohort tells of its changes before there is a section for training
        self.cohort = CohortSection(self.panel, self._on_cohort)
        self.train = TrainSection(self.panel, self.cohort, lambda: self.watch.runs, self.watch.take)
        self.ui.openSegmentButton.connect("clicked(bool)", lambda: slicer.util.selectModule("GASNetSegment"))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self._update()

    def cleanup(self) -> None:
        """The module goes away (reload, Slicer ends): tasks end, trainings go on."""
        self.watch.close()
        self.side_by_side.close()
        self.removeObservers()
        self.panel.close()

    def enter(self) -> None:
        """The module is shown."""
        self.logic.useFolders()
        self._update()

    def onReload(self) -> None:
        """Reload with the files as they are on disk now."""
        for name in [name for name in sys.modules if name.split(".")[0] in OWN_PACKAGES]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event) -> None:
        """The scene is about to be closed; trainings have nothing to do with it."""
        self.watch.drop_curves()
        self.side_by_side.abandon()

    def _update(self) -> None:
        missing = installation.missing()
        self.ui.installationFrame.visible = bool(missing)
        for section in (self.ui.trainSection, self.ui.watchSection, self.ui.deploySection):
            section.enabled = not missing
        self.cohort.set_installed(not missing)
        if missing:
            return
        self._on_deployed()
        self.watch.start()

    def _on_cohort(self) -> None:
        if self.train is not None and self.ui.trainSection.enabled:
            self.train.update()

    def _on_models(self) -> None:
        self.deploy.refresh()

    def _on_states(self) -> None:
        if self.train is not None:
            self.train.update()

    def _on_deployed(self) -> None:
        self.train.refresh_models()
        self.deploy.update()


def _worker_client() -> WorkerClient:
    python = Interpreter.of_slicer(slicer.app.slicerHome)
    return WorkerClient(python.executable, python.environment, Path(slicer.app.temporaryPath))
