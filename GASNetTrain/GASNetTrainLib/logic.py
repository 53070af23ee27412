"""The module's logic in the desktop, with folders and known runs from Slicer's settings."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from GASNetLib.model_store import ModelStore
from GASNetSegmentLib import settings

from .processes import Interpreter
from .train_logic import TrainLogic

RUN_HOME = "GASNet/RunFolder"


class GASNetTrainLogic(TrainLogic, ScriptedLoadableModuleLogic):
    """``slicer.util.getModuleLogic("GASNetTrain")``; see :class:`TrainLogic` for what it does."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        TrainLogic.__init__(
            self,
            ModelStore(settings.model_folder()),
            settings.case_folder(),
            run_home(),
            qt.QSettings(),
            Interpreter.of_slicer(slicer.app.slicerHome),
        )

    def useFolders(self) -> None:
        """Take the folders from the settings again."""
        self.models = ModelStore(settings.model_folder())
        self.case_folder = settings.case_folder()
        self.run_home = run_home()


def run_home() -> Path:
    """Where run folders are made; outside of Slicer's own folders, so that an update takes nothing along."""
    beside = settings.model_folder().parent / "Trainings"
    return Path(settings.value(RUN_HOME, str(beside)))
