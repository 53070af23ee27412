"""The section *Result*: figures, threshold, foci."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from GASNetLib.errors import InputError

from . import quantity_table
from .panel import Panel, fill_table, single_shot
from .result import Result

QUIET_MS = 250
"""The figures follow when a slider or a brush has been still for so long."""


class ResultSection:
    """Shows the result that is chosen."""

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._quantities = None
        self._result: Result | None = None
        self._is_new = False
        self._figures_later = single_shot(QUIET_MS, self.show_figures)
        self._surface_later = single_shot(QUIET_MS, self._make_surface)
        self._ui.thresholdSlider.connect("valueChanged(double)", self._set_threshold)
        self._ui.fociTable.connect("cellClicked(int,int)", self._jump_to_focus)
        self._ui.fociTable.connect("cellActivated(int,int)", self._jump_to_focus)
        self._ui.copyButton.connect("clicked(bool)", self._copy)
        self._ui.csvButton.connect("clicked(bool)", self._save_csv)

    def show(self, result: Result | None) -> None:
        """Show a result, or that there is none."""
        self._result = result
        self._is_new = False
        self.stop()
        self._forget_figures()
        self._ui.resultSection.enabled = result is not None
        if result is None:
            return
        self._ui.provenanceLabel.text = _describe(result.provenance)
        blocked = self._ui.thresholdSlider.blockSignals(True)
        self._ui.thresholdSlider.value = result.threshold
        self._ui.thresholdSlider.blockSignals(blocked)
        self.refresh_soon()

    def set_corrected(self, corrected: bool) -> None:
        """A corrected lesion has no threshold any more."""
        self._ui.thresholdSlider.enabled = not corrected
        self._ui.thresholdSlider.toolTip = (
            _("The lesion was corrected. Go back to the AI's result to move the threshold.")
            if corrected
            else _("Probability above which a voxel is lesion. It acts at once; nothing is computed again.")
        )

    def refresh_soon(self) -> None:
        """The lesion changes: measure it again when it is still."""
        self._figures_later.start()

    def stop(self) -> None:
        """Measure nothing any more."""
        self._figures_later.stop()
        self._surface_later.stop()

    def present(self) -> None:
        """The result that is shown is new: once it is measured, show its largest focus, then its surface.

        One after the other, since nothing moves while Slicer works on any of them.
        """
        self._is_new = True

    def _make_surface(self) -> None:
        self._result.make_surface()
        if self._is_new and slicer.app.layoutManager() is not None:
            slicer.util.resetThreeDViews()
        self._is_new = False

    def show_figures(self) -> None:
        """Measure the lesion as it is and show it."""
        self._figures_later.stop()
        with self._panel.problems_shown():
            self._forget_figures()
            self._quantities = self._panel.logic.quantify(self._result.node)
            fill_table(
                self._ui.quantityTable, quantity_table.headers(), quantity_table.rows(self._quantities)
            )
            fill_table(
                self._ui.fociTable, quantity_table.foci_headers(), quantity_table.foci_rows(self._quantities)
            )
            self._ui.densityLabel.text = quantity_table.density(self._quantities)
            self._ui.copyButton.enabled = self._ui.csvButton.enabled = True
        if self._is_new:
            self._jump_to_focus(0, 0)
            self._surface_later.start()

    def _forget_figures(self) -> None:
        self._quantities = None
        self._ui.copyButton.enabled = self._ui.csvButton.enabled = False
        self._ui.quantityTable.setRowCount(0)
        self._ui.fociTable.setRowCount(0)
        self._ui.densityLabel.text = ""
        if self._result is None:
            self._ui.provenanceLabel.text = _("No result yet.")

    def _set_threshold(self, value: float) -> None:
        if self._result is not None:
            with self._panel.problems_shown():
                if self._result.drop_surface() or self._surface_later.active:
                    self._surface_later.start()
                self._panel.logic.setThreshold(self._result.node, value)
                self._ui.provenanceLabel.text = _describe(self._result.provenance)
                self.refresh_soon()

    def _jump_to_focus(self, row: int, column: int) -> None:
        if self._quantities is not None and row < len(self._quantities.foci):
            position = self._panel.logic.focusPosition(self._result.node, self._quantities.foci[row])
            slicer.vtkMRMLSliceNode.JumpAllSlices(
                slicer.mrmlScene, *position, slicer.vtkMRMLSliceNode.CenteredJumpSlice
            )

    def _copy(self) -> None:
        slicer.app.clipboard().setText(quantity_table.as_text(self._quantities))

    def _save_csv(self) -> None:
        suggested = f"{self._result.node.GetName()}.csv"
        path = qt.QFileDialog.getSaveFileName(
            self._ui.resultSection, _("Save the table"), suggested, _("Comma-separated values (*.csv)")
        )
        if path:
            with self._panel.problems_shown():
                quantity_table.write_csv(Path(path), self._quantities, self._result.provenance)


def result_of(node) -> Result | None:
    """The result in a node, or None where there is none (yet)."""
    try:
        return Result.of(node)
    except InputError:
        return None


def _describe(provenance: dict) -> str:
    return _("{model} ({hash}), threshold {threshold:g}, {device}, GASNet {version}, {created}").format(
        model=provenance["model"],
        hash=provenance["model_sha256"][:8],
        threshold=provenance["threshold"],
        device=provenance["device"],
        version=provenance["software_version"],
        created=provenance["created"],
    )
