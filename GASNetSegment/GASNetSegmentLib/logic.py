"""The module's logic in the desktop: the scene's logic, with parameters in the scene and folders from
settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from GASNetLib.model_store import ModelStore

from . import settings
from .scene_logic import SceneLogic

if TYPE_CHECKING:
    from .parameter_node import GASNetSegmentParameterNode


class GASNetSegmentLogic(SceneLogic, ScriptedLoadableModuleLogic):
    """``slicer.util.getModuleLogic("GASNetSegment")``; see :class:`SceneLogic` for what it does."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        SceneLogic.__init__(self, ModelStore(settings.model_folder()), settings.case_folder())

    def getParameterNode(self) -> GASNetSegmentParameterNode:
        """The parameters of the present scene."""
        # Slicer discovers modules by the alphabet: the Segmentations module's classes come after this file.
        from .parameter_node import GASNetSegmentParameterNode

        return GASNetSegmentParameterNode(ScriptedLoadableModuleLogic.getParameterNode(self))

    def useFolders(self) -> None:
        """Take the folders from the settings again."""
        self.models = ModelStore(settings.model_folder())
        self.case_folder = settings.case_folder()
