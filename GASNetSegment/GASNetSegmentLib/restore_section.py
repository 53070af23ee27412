"""*Restored healthy*: what the model's generator makes of the CT, and the three side by side."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from GASNetLib.errors import ModelError

from . import comparison_layout, own_layouts
from .comparison_layout import LAYOUT
from .panel import LAID_OUT_MS, Panel, single_shot
from .restored import Restored
from .result import Result
from .worker_run import ProgressWidgets, WorkerRun


class RestoreSection:
    """Runs the generator on the CT of the result that is shown, and compares."""

    def __init__(self, panel: Panel, options: Callable[[], dict]) -> None:
        self._panel, self._ui, self._options = panel, panel.ui, options
        self._result: Result | None = None
        self._position = (0.0, 0.0, 0.0)
        self._align_later = single_shot(LAID_OUT_MS, self._align)
        ui = self._ui
        self.run = WorkerRun(
            panel,
            ProgressWidgets(ui.restoreProgressBar, ui.restoreStageLabel, ui.restoreCancelButton),
            self.update,
        )
        ui.modelBox.connect("currentIndexChanged(int)", self.update)
        ui.restoreButton.connect("clicked(bool)", self.start)
        ui.compareButton.connect("toggled(bool)", self._compare)
        self._layouts = slicer.app.layoutManager()
        if self._layouts is not None:
            self._layouts.connect("layoutChanged(int)", self._on_layout)

    def close(self) -> None:
        """The panel goes away: back to the layout before."""
        self._ui.compareButton.checked = False
        self._align_later.stop()
        if self._layouts is not None:
            self._layouts.disconnect("layoutChanged(int)", self._on_layout)

    def show(self, result: Result | None) -> None:
        """Make a result the one whose CT is restored."""
        if result is None or self._result is None or not result.is_of(self._result.ct_or_none):
            self._ui.compareButton.checked = False
        self._result = result
        self.update()

    def update(self) -> None:
        """Say what can be pressed, and why not."""
        why_not = _("It is being restored.") if self.run.running else self._why_not()
        self._ui.restoreButton.enabled = not why_not
        self._ui.restoreButton.toolTip = why_not or _(
            "Show what the network believes the lungs looked like before the disease, and the difference."
        )
        self._ui.compareButton.enabled = self._layouts is not None and self._restored() is not None

    def start(self) -> None:
        """Ask the worker to restore the CT."""
        self._panel.clear_problem()
        with self._panel.problems_shown():
            volume = self._result.ct
            volume_id = volume.GetID()
            self.run.start(
                "restore",
                volume,
                lambda answer, read: self._done(volume_id, answer, read),
                **self._options(),
            )

    def _done(self, volume_id: str, answer: dict, read: Callable) -> None:
        volume = slicer.mrmlScene.GetNodeByID(volume_id)
        self._panel.logic.putRestored(
            volume, read(answer["restored"]), read(answer["difference"]), answer["provenance"]
        )
        self.run.say(" ".join(answer["notes"]))
        self.update()
        if self._result is not None and self._result.is_of(volume):
            self._ui.compareButton.checked = self._layouts is not None

    def _why_not(self) -> str:
        if self._result is None:
            return _("Segment a CT first.")
        try:
            from GASNetLib.model import read_model_info  # it needs a package that may not be installed yet

            info = read_model_info(self._panel.logic.models.in_use())
        except ModelError as error:
            return str(error)
        except ImportError:
            return _("Install what is missing first.")
        if info.generator is None:
            return _("The model {name} has no generator. One that is trained with GASNet Train has.").format(
                name=info.name
            )
        return ""

    def _restored(self) -> Restored | None:
        ct = self._result.ct_or_none if self._result is not None else None
        return Restored.of(ct) if ct is not None else None

    # --- side by side -------------------------------------------------------------------------------------

    def _compare(self, wanted: bool) -> None:
        self._show_filled(not wanted)
        if not wanted:
            if self._layouts is not None and self._layouts.layout == LAYOUT:
                own_layouts.put_back()
            return
        with self._panel.problems_shown():
            restored = self._restored()
            to_ras = self._layouts.sliceWidget("Red").mrmlSliceNode().GetSliceToRAS()
            self._position = [to_ras.GetElement(row, 3) for row in range(3)]
            nodes = (restored.ct, restored.healthy, restored.difference)
            own_layouts.show(lambda: comparison_layout.show(nodes))
            self._align_later.start()

    def _align(self) -> None:
        if self._ui.compareButton.checked:
            comparison_layout.align(self._position)

    def _show_filled(self, filled: bool) -> None:
        """Fill the lesions in the slices, or only outline them: a filling hides what is to be compared."""
        display = self._result.node.GetDisplayNode() if self._result is not None else None
        if display is not None:
            display.SetVisibility2DFill(filled)

    def _on_layout(self, layout: int) -> None:
        """Another layout was chosen, perhaps with Slicer's own button."""
        self._ui.compareButton.checked = layout == LAYOUT and self._restored() is not None
