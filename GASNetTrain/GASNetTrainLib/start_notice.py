"""What Slicer says as it starts: that trainings ended while it was closed. Light: Slicer waits for it."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from .known_runs import KnownRuns

SHOWN_MS = 15000


def tell_of_ended_trainings() -> None:
    """Say it in the status bar and the log, once for each training; the panel then offers to show them."""
    known = KnownRuns(qt.QSettings())
    ended = _ended([path for path, announced in known.ends_to_tell().items() if not announced])
    if not ended or slicer.util.mainWindow() is None:
        return
    names = ", ".join(path.name for path in ended)
    text = _("GASNet Train: ended while Slicer was closed: {names}").format(names=names)
    logging.info(text)
    slicer.util.showStatusMessage(text, SHOWN_MS)
    for path in ended:
        known.end_announced(path)


def _ended(paths: list[Path]) -> list[Path]:
    """Those on which no process works any more; nothing of what they wrote is read."""
    if not paths or importlib.util.find_spec("psutil") is None:  # without it nothing can be told
        return []
    from GASNetLib.run.folder import RunFolder

    return [path for path in paths if RunFolder(path).process() is None]
