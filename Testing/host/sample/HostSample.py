"""A small scripted module as Slicer's template makes them; the test host is tried on it."""

import enum
from typing import Annotated

import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class Device(enum.Enum):
    AUTO = "auto"
    CPU = "cpu"

    def label(self):
        return self.value


@parameterNodeWrapper
class HostSampleParameters:
    volume: vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(0.0, 1.0), Default(0.5)]
    device: Device
    showLungs: bool = True


class HostSample(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Host sample")
        parent.categories = ["Segmentation"]
        parent.contributors = ["GASNet"]
        parent.helpText = _("Shows what the test host does.")


class HostSampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.parameters = None
        self.guiTag = None
        self.calls = []

    def setup(self):
        super().setup()
        panel = slicer.util.loadUI(self.resourcePath("UI/HostSample.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = HostSampleLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.initialize()

    def initialize(self):
        self.parameters = HostSampleParameters(self.logic.getParameterNode())
        self.guiTag = self.parameters.connectGui(self.ui)
        self.addObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.update)
        self.update()

    def update(self, caller=None, event=None):
        self.ui.applyButton.enabled = self.parameters.volume is not None

    def enter(self):
        self.calls.append("enter")
        if self.parameters is None:
            self.initialize()

    def exit(self):
        self.calls.append("exit")

    def onSceneStartClose(self, caller, event):
        self.parameters.disconnectGui(self.guiTag)
        self.removeObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.update)
        self.parameters = None

    def cleanup(self):
        self.calls.append("cleanup")
        self.removeObservers()

    def onApply(self):
        with slicer.util.tryWithErrorDisplay(_("It did not work.")):
            self.ui.resultLabel.text = self.logic.describe(self.parameters.volume, self.parameters.threshold)


class HostSampleLogic(ScriptedLoadableModuleLogic):
    def describe(self, volume, threshold):
        if not volume.GetImageData():
            raise ValueError("the volume is empty")
        return _("{name} at {threshold:.2f}").format(name=volume.GetName(), threshold=threshold)


class HostSampleTest(ScriptedLoadableModuleTest):
    def setUp(self):
        slicer.mrmlScene.Clear()

    def test_describe(self):
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
        with self.assertRaises(ValueError):
            HostSampleLogic().describe(volume, 0.5)
