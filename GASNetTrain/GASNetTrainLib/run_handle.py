"""One training: started, followed, stopped, resumed, from any program that knows its folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil

from GASNetLib.run.errors import RunError
from GASNetLib.run.events import Event, history, read_events
from GASNetLib.run.folder import RunFolder, RunState, state_of
from GASNetLib.run.process import start_detached

from .processes import Interpreter
from .run_states import LIVING, RESUMABLE
from .task import Task

STOP_PATIENCE_S = 600.0
"""How long a stop waits for the end of the iteration before it is enforced."""

POLL_S = 0.2
LOG_CHARACTERS = 4000

CHECKPOINT_ADVICE = {
    True: "All up to the last checkpoint is saved: resume it.",
    False: "Nothing was saved yet: resume it to begin anew.",
}


class RunHandle:
    """A training in its folder. Nothing is kept open, so that any number of programs may look at it."""

    def __init__(self, path: str | Path, interpreter: Interpreter) -> None:
        """
        Raises:
            RunError: no run there, damaged, or made by a newer version.
        """
        self.folder = RunFolder.open(path)
        self._interpreter = interpreter
        self._events: list[Event] = []
        self._offset = 0
        self._launched: psutil.Process | None = None

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def name(self) -> str:
        """The folder's name, which the models of the run get too."""
        return self.folder.path.name

    def state(self) -> RunState:
        """What state it is in: ``starting``, or one of :data:`GASNetLib.run.folder.STATES`."""
        events, folder = self.events(), self.folder
        alive = folder.process() is not None
        state = state_of(events, alive, folder.stop_file.exists(), folder.best_model)
        if alive:
            self._launched = None  # it has left its identity, which any program can see
            return state
        if self._launched is not None:
            return self._state_of_launched(state)
        if state.state == "interrupted":
            cause = (
                "The process vanished without a word: ended from outside, out of memory, or the power failed."
            )
            return replace(state, cause=cause, advice=CHECKPOINT_ADVICE[bool(_checkpoints(events))])
        return state

    def events(self) -> list[Event]:
        """All events that still hold, oldest first; not to be changed."""
        new, offset = read_events(self.folder.events_file, self._offset)
        if offset < self._offset:
            self._events = []
        self._offset = offset
        self._events += new
        if any(event["kind"] == "started" for event in new):
            self._events = history(self._events)
        return self._events

    def log(self) -> str:
        """The end of what the process printed."""
        try:
            return self.folder.log_file.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:]
        except OSError:
            return ""

    def resume(self) -> None:
        """Start a process that goes on from the last checkpoint and outlives this program.

        Raises:
            RunError: it is running, or it is done. ResourceError: the folder cannot be written to.
        """
        state = self.state().state
        if state not in RESUMABLE:
            advice = "Start a new training from its model." if state == "done" else "Stop it first."
            raise RunError(f"The training {self.name} is {state}.", advice)
        self.folder.stop_file.unlink(missing_ok=True)
        command = self._interpreter.command("GASNetLib.training", str(self.path))
        pid = start_detached(command, self.folder.log_file, self._interpreter.environment)
        self._launched = psutil.Process(pid)
        self._events_at_launch = len(self.events())

    def stop(self, patience: float = STOP_PATIENCE_S) -> str:
        """End it: ask, terminate, kill the tree, verify. It can be resumed.

        Returns:
            What it took: ``not running``, ``stopped``, ``terminated`` or ``killed``.

        Raises:
            RunError: the process survived.
        """
        self.end_starting()
        return self.folder.stop(patience)

    def begin_stop(self, patience: float = STOP_PATIENCE_S) -> Task:
        """The same without waiting; the task's result is what it took."""
        self.end_starting()
        if self.folder.process() is not None:
            self.folder.request_stop()  # at once, whatever becomes of the process that enforces it
        return Task(self._interpreter, "stop", run=str(self.path), patience=patience)

    def end_starting(self) -> None:
        """End a process that was launched and has not begun to work: it would not see a stop request."""
        if self.state().state != "starting":
            return
        family = [self._launched, *self._launched.children(recursive=True)]
        for member in family:
            member.kill()
        psutil.wait_procs(family, timeout=10)
        self._launched = None

    def wait(self, timeout: float | None = None, watch: Callable[[RunState], None] | None = None) -> RunState:
        """Wait until no process works on it, or for ``timeout`` seconds; returns the state then.

        Args:
            watch: called with every state that is looked at.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            state = self.state()
            if watch is not None:
                watch(state)
            if state.state not in LIVING or (end is not None and time.monotonic() > end):
                return state
            time.sleep(POLL_S)

    def previews(self) -> list[Path]:
        """The pictures so far, oldest first."""
        return sorted(self.folder.previews.glob("*.png"))

    def _state_of_launched(self, state: RunState) -> RunState:
        """Before the process has left its identity, and after it has ended."""
        if self._launched.is_running() and self._launched.status() != psutil.STATUS_ZOMBIE:
            return replace(state, state="starting", cause="", advice="")
        if len(self._events) > self._events_at_launch:
            return state  # it worked and ended between two looks
        return replace(
            state,
            state="failed",
            cause="The training process ended before it began to work.",
            advice="See the log for the reason.",
        )


def _checkpoints(events: list[Event]) -> list[Event]:
    return [event for event in events if event["kind"] == "checkpoint"]
