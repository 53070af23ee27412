"""The section *Use as labelled sample*: store the corrected case for training, and take it back."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from .panel import Panel
from .result import Result


class SampleSection:
    """Stores the result that is shown."""

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._result: Result | None = None
        self._ui.saveSampleButton.connect("clicked(bool)", self._save)
        self._ui.takeBackButton.connect("clicked(bool)", self._take_back)

    def show(self, result: Result | None) -> None:
        """Show whether a result is stored."""
        self._result = result
        self._ui.sampleSection.enabled = result is not None
        stored = self._panel.logic.labelledSample(result.node) if result else None
        self._ui.saveSampleButton.enabled = result is not None and stored is None
        self._ui.takeBackButton.enabled = stored is not None
        self._ui.sampleLabel.text = (
            _("Stored in {folder}. Later changes are not in it: take it back and store it again.").format(
                folder=stored.folder
            )
            if stored
            else _("Not stored.")
        )

    def _save(self) -> None:
        self._panel.clear_problem()
        with self._panel.problems_shown(), slicer.util.WaitCursor():  # a large CT takes seconds to compress
            self._panel.logic.saveLabelledSample(self._result.node, self._ui.noteEdit.text)
            self.show(self._result)

    def _take_back(self) -> None:
        with self._panel.problems_shown():
            sample = self._panel.logic.labelledSample(self._result.node)
            question = _("Remove the case in {folder} from the disk?").format(folder=sample.folder)
            if slicer.util.confirmOkCancelDisplay(question, _("Take the labelled sample back")):
                self._panel.logic.removeLabelledSample(sample)
                self.show(self._result)
