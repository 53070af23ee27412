"""The section *Segment*: choose, press, watch, cancel."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from GASNetLib.errors import ModelError

from . import settings
from .panel import Panel
from .worker_run import ProgressWidgets, WorkerRun

DEVICES = ("auto", "cpu", "cuda")
LUNGS_METHODS = ("network", "classical", "lungmask")


class SegmentSection:
    """Runs the worker on one CT and puts the result into the scene."""

    def __init__(
        self, panel: Panel, on_result: Callable[[object], None], save_undo: Callable[[object], None]
    ) -> None:
        self._panel, self._ui = panel, panel.ui
        self._on_result, self._save_undo = on_result, save_undo
        self._models = []
        self._installed = False
        self._fill_choices()
        ui = self._ui
        self.run = WorkerRun(
            panel, ProgressWidgets(ui.progressBar, ui.stageLabel, ui.cancelButton), self.update
        )
        self._ui.segmentButton.connect("clicked(bool)", self.start)
        self._ui.modelBox.connect("currentIndexChanged(int)", self._use_model)
        self._ui.deviceBox.connect("currentIndexChanged(int)", self._keep_choices)
        self._ui.lungsBox.connect("currentIndexChanged(int)", self._keep_choices)
        self.update()

    @property
    def device(self) -> str:
        """The device that is chosen."""
        return DEVICES[self._ui.deviceBox.currentIndex]

    @property
    def lungs_method(self) -> str:
        """How the lungs are to be found."""
        return LUNGS_METHODS[self._ui.lungsBox.currentIndex]

    def set_installed(self, installed: bool) -> None:
        """Tell whether what the engine needs is there."""
        self._installed = installed
        self.refresh_models()

    def refresh_models(self) -> None:
        """List the models that are on this computer; the one in use is shown."""
        blocked = self._ui.modelBox.blockSignals(True)
        self._ui.modelBox.clear()
        self._models = self._panel.logic.models.models() if self._installed else []
        for path in self._models:
            self._ui.modelBox.addItem(_model_name(path))
        self._ui.modelBox.setCurrentIndex(self._index_in_use())
        self._ui.modelBox.blockSignals(blocked)
        self.update()

    def _index_in_use(self) -> int:
        """Row of the model in use; -1 where there is no model."""
        if not self._models:
            return -1
        try:
            return self._models.index(self._panel.logic.models.in_use())
        except (ModelError, ValueError):
            return -1

    def preselect_input(self) -> None:
        """Take the CT that the slice views show, if none is chosen; never just the first of the scene."""
        parameters = self._panel.parameters
        if parameters and parameters.inputVolume is None:
            shown = shown_volume()
            if shown is not None:
                parameters.inputVolume = shown

    def update(self) -> None:
        """Say whether the button can be pressed, and why not."""
        reason = self._why_not()
        self._ui.segmentForm.enabled = not self.run.running
        self._ui.segmentButton.enabled = not reason
        self._ui.segmentButton.toolTip = reason or _("Find the lesions in this CT.")
        self._ui.hintLabel.text = reason
        self._ui.hintLabel.visible = bool(reason) and not self.run.running

    def start(self) -> None:
        """Ask the worker to segment the chosen CT."""
        panel = self._panel
        panel.clear_problem()
        with panel.problems_shown():
            volume, output = panel.parameters.inputVolume, panel.parameters.segmentation
            panel.logic.checkOutput(output, self._confirm_replace)
            # Nodes are known by their IDs: they may be gone when the run is done.
            volume_id, output_id = (node.GetID() if node else "" for node in (volume, output))
            self.run.start(
                "segment",
                volume,
                lambda answer, read: self._done(volume_id, output_id, answer, read),
                **self.options(),
            )

    def options(self) -> dict:
        """Model, device, threshold and lungs as the worker takes them."""
        return {
            "model": self._panel.logic.models.in_use(),
            "device": self.device,
            "threshold": None,
            "lungs_method": self.lungs_method,
        }

    def _done(self, volume_id: str, output_id: str, answer: dict, read: Callable) -> None:
        scene = slicer.mrmlScene
        output = scene.GetNodeByID(output_id) if output_id else None
        if output is not None:
            self._save_undo(output)
        node = self._panel.logic.putResult(
            scene.GetNodeByID(volume_id), output, read(answer["evidence"]), answer["provenance"]
        )
        self.run.say(" ".join(answer["provenance"]["notes"]))
        self._on_result(node)

    # --- widgets ------------------------------------------------------------------------------------------

    def _why_not(self) -> str:
        if self.run.running:
            return _("A run is under way.")
        if not self._installed:
            return _("Install what is missing first.")
        if not self._panel.parameters or self._panel.parameters.inputVolume is None:
            return _("Choose a CT first.")
        if self._ui.modelBox.currentIndex < 0 and self._models:
            return _("Which model was in use cannot be read. Choose one.")
        if self._ui.modelBox.currentIndex < 0:
            return _("There is no model on this computer. Put one into the model folder.")
        return ""

    def _fill_choices(self) -> None:
        self._ui.deviceBox.addItems([_("Automatic"), _("CPU"), _("GPU (CUDA)")])
        self._ui.lungsBox.addItems(
            [_("Built in"), _("Built in, without network"), _("lungmask (if installed)")]
        )
        self._ui.deviceBox.setCurrentIndex(_index(DEVICES, settings.value(settings.DEVICE, DEVICES[0])))
        chosen = settings.value(settings.LUNGS_METHOD, LUNGS_METHODS[0])
        self._ui.lungsBox.setCurrentIndex(_index(LUNGS_METHODS, chosen))

    def _keep_choices(self) -> None:
        settings.keep(settings.DEVICE, self.device)
        settings.keep(settings.LUNGS_METHOD, self.lungs_method)

    def _use_model(self, index: int) -> None:
        if index >= 0:
            with self._panel.problems_shown():
                self._panel.logic.models.use(self._models[index])
        self.update()

    def _confirm_replace(self, node) -> bool:
        question = _(
            "{name} holds a lesion already. Replace it? Its other segments stay, and Undo brings it back."
        ).format(name=node.GetName())
        return slicer.util.confirmOkCancelDisplay(question, _("Replace the lesion"))


def shown_volume():
    """The CT in the background of a slice view, or in the foreground, or None."""
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    for get in ("GetBackgroundVolumeID", "GetForegroundVolumeID"):
        for composite in composites:
            node = slicer.mrmlScene.GetNodeByID(getattr(composite, get)() or "")
            if node is not None and node.GetClassName() == "vtkMRMLScalarVolumeNode":
                return node
    return None


def _model_name(path) -> str:
    from GASNetLib.model import read_model_info  # it needs a package that may not be installed yet

    try:
        return read_model_info(path).name
    except ModelError:
        return _("{file} (damaged)").format(file=path.name)


def _index(choices: tuple[str, ...], choice: str) -> int:
    return choices.index(choice) if choice in choices else 0
