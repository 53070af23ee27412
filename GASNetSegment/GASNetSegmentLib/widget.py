"""The panel: builds the sections and tells them what happens in the scene."""

from __future__ import annotations

import sys
from pathlib import Path

import slicer
import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from .batch_section import BatchSection
from .correct_section import CorrectSection
from .installation_section import InstallationSection
from .interpreter import python_executable, worker_environment
from .logic import GASNetSegmentLogic
from .panel import Panel
from .restore_section import RestoreSection
from .result_section import ResultSection, result_of
from .sample_section import SampleSection
from .segment_section import SegmentSection
from .worker_client import WorkerClient

OWN_PACKAGES = ("GASNetSegmentLib", "GASNetLib")


class GASNetSegmentWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's widget; Slicer calls setup, enter, exit and cleanup."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._gui_tag = None
        self._watched = None
        self._stamp = 0
        self._input = None

    def setup(self) -> None:
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/GASNetSegment.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = GASNetSegmentLogic()
        self.panel = Panel(self.ui, self.logic, _worker_client())
        self.correct = CorrectSection(self.panel, self._on_changes)
        self.segment = SegmentSection(self.panel, self._on_result, self.correct.save_undo)
        self.result = ResultSection(self.panel)
        self.restore = RestoreSection(self.panel, self.segment.options)
        self.sample = SampleSection(self.panel)
        self.batch = BatchSection(self.panel, self.segment.options)
        self.installation = InstallationSection(
            self.panel, self._on_installed, self.segment.options, self._on_folders
        )
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self._take_parameters()
        self.installation.update()
        if self.parent.isEntered:  # loaded anew while it is shown: Slicer does not enter it again
            self.enter()

    def cleanup(self) -> None:
        """The module goes away (reload, Slicer ends): leave nothing running and nothing observed."""
        self._drop_parameters()
        self.result.stop()
        self.restore.close()
        self.correct.close()
        self.removeObservers()
        self.panel.close()

    def enter(self) -> None:
        """The module is shown."""
        self._take_parameters()
        self.segment.preselect_input()
        self.correct.enter()
        self.installation.update()
        self.restore.update()

    def exit(self) -> None:
        """Another module is shown; a run goes on."""
        self.correct.exit()

    def onReload(self) -> None:
        """Reload with the files as they are on disk now."""
        for name in [name for name in sys.modules if name.split(".")[0] in OWN_PACKAGES]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    # --- the scene ----------------------------------------------------------------------------------------

    def onSceneStartClose(self, caller, event) -> None:
        """The scene is about to be closed."""
        self.segment.run.abandon()
        self.restore.run.abandon()
        self.batch.cancel()
        self._drop_parameters()
        self.correct.scene_closes()
        self.logic.forgetScene()

    def onSceneEndClose(self, caller, event) -> None:
        """The scene is empty now."""
        self._begin_again()

    def onSceneEndImport(self, caller, event) -> None:
        """A scene was loaded; it may have brought parameters."""
        self._drop_parameters()
        self._begin_again()

    def _begin_again(self) -> None:
        self._take_parameters()
        if self.parent.isEntered:
            self.correct.enter()

    def _take_parameters(self) -> None:
        """Use the parameter node of the present scene."""
        if self.panel.parameters is not None:
            return
        self.panel.parameters = self.logic.getParameterNode()
        self._gui_tag = self.panel.parameters.connectGui(self.ui)
        self.addObserver(self.panel.parameters, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
        self._input = self.panel.parameters.inputVolume
        self._show(self.panel.segmentation)
        self.segment.update()

    def _drop_parameters(self) -> None:
        if self.panel.parameters is None:
            return
        self.panel.parameters.disconnectGui(self._gui_tag)
        self.removeObserver(self.panel.parameters, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
        self.panel.parameters = None
        self._show(None)

    def _on_parameters(self, caller=None, event=None) -> None:
        self.segment.update()
        self._follow_input()
        if self.panel.segmentation is not self._watched:
            self._show(self.panel.segmentation)
            if result_of(self._watched) is not None and not self._watched.GetDisplayNode().GetVisibility():
                self._present()  # those of a batch wait unseen

    def _follow_input(self) -> None:
        """Another CT was chosen: the result of the one before is neither its result nor its place."""
        parameters = self.panel.parameters
        if parameters.inputVolume is self._input:
            return
        self._input = parameters.inputVolume
        result = result_of(parameters.segmentation)
        if self._input is not None and result is not None and not result.is_of(self._input):
            parameters.segmentation = None

    # --- what the sections tell each other ----------------------------------------------------------------

    def _on_result(self, node) -> None:
        """A run is done: show it."""
        if node is self._watched:
            self._show(node)  # a new result in its old place
        else:
            self.panel.parameters.segmentation = node  # which shows it
        self.ui.resultSection.collapsed = False
        self._present()

    def _present(self) -> None:
        """Show the result where its lesions are."""
        _show_in_views(self._watched)
        self.result.present()

    def _show(self, node) -> None:
        """Make a segmentation the one that all sections are about."""
        result = result_of(node)
        self._watch(node)
        self.result.show(result)
        self.restore.show(result)
        self.correct.show(result)
        self.sample.show(result)

    def _watch(self, node) -> None:
        edited = slicer.vtkSegmentation.SourceRepresentationModified
        displayed = slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent  # all that Undo and Redo tell
        if self._watched is not None:
            self.removeObserver(self._watched.GetSegmentation(), edited, self._on_edited)
            self.removeObserver(self._watched, displayed, self._on_edited)
        self._watched = node
        if node is not None:
            self.addObserver(node.GetSegmentation(), edited, self._on_edited)
            self.addObserver(node, displayed, self._on_edited)
        self._stamp = self._lesion_stamp()

    def _lesion_stamp(self) -> int:
        result = result_of(self._watched)
        return 0 if result is None else result.lesion_stamp

    def _on_edited(self, caller, event) -> None:
        stamp = self._lesion_stamp()
        if stamp != self._stamp:  # it may only have got another colour
            self._stamp = stamp
            self.result.refresh_soon()
            self.correct.refresh_soon()

    def _on_changes(self, corrected: bool) -> None:
        self.result.set_corrected(corrected)

    def _on_installed(self, installed: bool) -> None:
        self.segment.set_installed(installed)
        self.batch.set_installed(installed)

    def _on_folders(self) -> None:
        self.logic.useFolders()
        self.segment.refresh_models()
        self.sample.show(result_of(self.panel.segmentation))


def _worker_client() -> WorkerClient:
    engine = Path(__file__).resolve().parents[1]
    return WorkerClient(
        python_executable(slicer.app.slicerHome), worker_environment(engine), Path(slicer.app.temporaryPath)
    )


def _show_in_views(node) -> None:
    """The CT with the lesion over it in the slices."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    node.GetDisplayNode().SetVisibility(True)
    if slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=node.GetNodeReference(role))
