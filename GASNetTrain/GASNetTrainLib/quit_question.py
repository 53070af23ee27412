"""What becomes of the trainings when Slicer is closed: the person decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from .run_handle import RunHandle


def keeps_training(living: Sequence[RunHandle]) -> bool:
    """Ask whether they go on; closing the question without an answer keeps them too."""
    names = ", ".join(run.name for run in living)
    box = qt.QMessageBox(slicer.util.mainWindow())
    box.setIcon(qt.QMessageBox.Question)
    box.setWindowTitle(_("GASNet Train"))
    box.setText(_("Still training: {runs}").format(runs=names))
    box.setInformativeText(
        _(
            "Keep training: they go on without Slicer, and are found again when it is started next."
            " Stop: each writes a checkpoint and ends; it can be resumed."
        )
    )
    keep = box.addButton(_("Keep training"), qt.QMessageBox.AcceptRole)
    stop = box.addButton(_("Stop"), qt.QMessageBox.DestructiveRole)
    box.setDefaultButton(keep)
    box.exec_()
    return box.clickedButton() != stop
