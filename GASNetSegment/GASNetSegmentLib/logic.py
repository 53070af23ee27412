"""The module's logic in the desktop: the scene's logic, with parameters in the scene and folders from settings."""

from __future__ import annotations

from GASNetLib.model_store import ModelStore
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from . import settings
from .parameter_node import GASNetSegmentParameterNode
from .scene_logic import SceneLogic


class GASNetSegmentLogic(SceneLogic, ScriptedLoadableModuleLogic):
    """``slicer.util.getModuleLogic("GASNetSegment")``; see :class:`SceneLogic` for what it does."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        SceneLogic.__init__(self, ModelStore(settings.model_folder()), settings.case_folder())

    def getParameterNode(self) -> GASNetSegmentParameterNode:
        """The parameters of the present scene."""
        return GASNetSegmentParameterNode(ScriptedLoadableModuleLogic.getParameterNode(self))

    def useFolders(self) -> None:
        """Take the folders from the settings again."""
        self.models = ModelStore(settings.model_folder())
        self.case_folder = settings.case_folder()
