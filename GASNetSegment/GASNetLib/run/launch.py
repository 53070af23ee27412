"""Starting the process of a training, the same way from the command line and from Slicer. No torch here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import RunError
from .folder import RunFolder
from .process import identity_of, start_detached, write_identity

MODULE = "GASNetLib.training"


def start_worker(run: RunFolder, device: str | None = None) -> int:
    """Start this Python on the run, in a process that outlives this one; returns its pid.

    Raises:
        RunError: one is at work already, or this Python cannot be started again (a program that embeds it:
            use :func:`launch`). ResourceError: the folder cannot be written to.
    """
    if not sys.executable:
        raise RunError(
            "The Python that runs here cannot be started as a process.",
            "Start the training from GASNetTrain, or with gasnet train.",
        )
    engine = str(Path(__file__).resolve().parents[2])
    paths = [engine, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", MODULE, str(run.path), *filter(None, [device])]
    return launch(run, command, environment)


def launch(
    run: RunFolder, command: Sequence[str], environment: Mapping[str, str], after: Sequence[RunFolder] = ()
) -> int:
    """Start a command that works on the run and outlives this process; returns its pid.

    Args:
        after: runs that are worked on now and that it is to wait for; they may be waiting themselves.

    A stop that is asked for from now on is heard, and so is one that was asked for before any process worked
    on the run; one that was meant for an earlier process is not.

    Raises:
        RunError: a process is at work already. ResourceError: the folder cannot be written to.
    """
    if run.process() is not None:
        raise RunError(f"A training is already working in {run.path}.", "Stop it first.")
    run.drop_old_stop_request()
    run.queue_after(after)
    pid = start_detached(command, run.log_file, dict(environment))
    # At once, so that it can be seen and stopped while it still starts; it writes its own in its turn.
    write_identity(run.process_file, identity_of(pid))
    return pid
