"""The process of a training, from its turn to its end; torch is loaded when its turn has come."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ..run.folder import RunFolder
from ..run.process import stop_signals

POLL_SECONDS = 1.0


def work_in_turn(path: str | Path, device: str | None = None, open_crops: Callable | None = None) -> int:
    """Wait for the runs before this one, then train (:func:`GASNetLib.training.session.work_on`).

    A stop request and SIGTERM are heard all the time. A queue needs no program that stays open, and none
    can lose it.

    Returns:
        The exit status: that of the training, or 0 if a stop was asked for before its turn.
    """
    run = RunFolder(path)
    with stop_signals() as asked:
        if not _await_turn(run, asked):
            run.process_file.unlink(missing_ok=True)
            return 0
        from .session import work_on

        return work_on(path, device, open_crops, asked)


def _await_turn(run: RunFolder, asked: Callable[[], bool]) -> bool:
    """Wait until all before have ended, however they end; False if a stop was asked for meanwhile."""
    while run.waits_for():
        if asked() or run.stop_file.exists():
            return False
        time.sleep(POLL_SECONDS)
    return True
