"""What becomes of the trainings when Slicer is closed: the person decides."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from .known_runs import KnownRuns
from .processes import Interpreter

if TYPE_CHECKING:
    from .run_handle import RunHandle


def settle_trainings() -> None:
    """Ask what becomes of the trainings at work, whoever started them; stop them if that is wanted."""
    living = _living()
    if living and not _keeps_training(living):
        for run in living:
            run.leave_to_stop()


def _living() -> list[RunHandle]:
    """The trainings whose end is awaited and that have a process."""
    paths = KnownRuns(qt.QSettings()).ends_to_tell()
    if not paths or importlib.util.find_spec("psutil") is None:  # without it none was ever started
        return []
    from GASNetLib.run.folder import RunFolder

    from .run_handle import RunHandle

    python = Interpreter.of_slicer(slicer.app.slicerHome)
    return [RunHandle(path, python) for path in paths if RunFolder(path).process() is not None]


def _keeps_training(living: Sequence[RunHandle]) -> bool:
    """Whether they go on; closing the question without an answer keeps them too."""
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
