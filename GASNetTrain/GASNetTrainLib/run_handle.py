"""One training: started, followed, stopped, resumed, from any program that knows its folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from GASNetLib.cohort import read_cohort
from GASNetLib.errors import GASNetError
from GASNetLib.run.errors import RunError
from GASNetLib.run.events import Event, history, read_events
from GASNetLib.run.folder import RunFolder, RunState, state_of
from GASNetLib.run.launch import launch
from GASNetLib.run.process import read_identity, start_detached

from .pace import Pace
from .processes import Interpreter
from .run_states import LIVING, RESUMABLE
from .task import Task

STOP_PATIENCE_S = 600.0
"""How long a stop waits for the end of the iteration before it is enforced."""

POLL_S = 0.2
LOG_CHARACTERS = 4000
LATEST = 200
PIECE_BYTES = 1 << 16
"""Of a long history, read at a time: a few milliseconds."""

SAVED = {
    True: "All up to the checkpoint of iteration {iteration} is saved; Resume goes on from there.",
    False: "Nothing was saved yet; Resume begins anew.",
}
"""What is left of a training that ended badly, by whether there is a checkpoint."""


class RunHandle:
    """A training in its folder. Nothing is kept open, so that any number of programs may look at it."""

    def __init__(self, path: str | Path, interpreter: Interpreter) -> None:
        """
        Raises:
            RunError: no run there, damaged, or made by a newer version.
        """
        self.folder = RunFolder(path)
        self.config: dict[str, Any] = self.folder.config()
        self._interpreter = interpreter
        self._events: list[Event] = []
        self._offset = 0
        self._size_at_launch = 0
        self._validation_cases: int | None = None
        self._signs: tuple = ()
        self._state = RunState("new")
        self._pace: Pace | None = None

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def name(self) -> str:
        """The folder's name, which the models of the run get too."""
        return self.folder.path.name

    # --- looking ------------------------------------------------------------------------------------------

    def state(self) -> RunState:
        """What state it is in: ``starting``, or one of :data:`GASNetLib.run.folder.STATES`."""
        while True:
            state = self.look()
            if state is not None:
                return state

    def look(self, seconds: float = 0.02) -> RunState | None:
        """The state, for who cannot wait: None while a long history is still being read, piece by piece.

        Args:
            seconds: about how long a call may take.
        """
        signs = self._signs_now()
        if signs != self._signs:
            if not self._read_on(seconds):
                return None
            self._pace = Pace.of(self._events)
            self._state = self._derived()
            self._signs = signs
        return self._state

    def events(self) -> list[Event]:
        """All events that still hold, oldest first; not to be changed."""
        while not self._read_on(1.0):
            pass
        return self._events

    def events_so_far(self, seconds: float = 0.02) -> tuple[list[Event], bool]:
        """The events that are read by now, for who cannot wait, and whether these are all."""
        complete = self._read_on(seconds)
        return self._events, complete

    def let_go_of_events(self) -> None:
        """Free the memory of the events; they are read again when they are asked for."""
        self._events, self._offset = [], 0

    @property
    def last_state(self) -> RunState:
        """The state as of the last look."""
        return self._state

    @property
    def pace(self) -> Pace | None:
        """How fast it goes or went, as of the last look; None before its first iteration."""
        return self._pace

    @property
    def on_gpu(self) -> bool:
        """Whether it is made for a GPU, or found one when it was at work last, as far as events are read."""
        started = [event["device"] for event in self._events if event["kind"] == "started"]
        return self.config["device"] == "cuda" or started[-1:] not in ([], ["cpu"])

    def log(self) -> str:
        """The end of what the process printed."""
        try:
            return self.folder.log_file.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:]
        except OSError:
            return ""

    def previews(self) -> list[Path]:
        """The pictures so far, oldest first."""
        return sorted(self.folder.previews.glob("*.png"))

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

    # --- acting -------------------------------------------------------------------------------------------

    def resume(self, after: Sequence[RunHandle] = (), device: str = "") -> None:
        """Start a process that goes on from the last checkpoint and outlives this program.

        Args:
            after: trainings that it is to wait for; they may be waiting themselves.
            device: ``auto``, ``cpu`` or ``cuda``; default: that which the training was made for.

        Raises:
            RunError: it is running, or it is done. ResourceError: the folder cannot be written to.
        """
        state = self.state().state
        if state not in RESUMABLE:
            advice = "Start a new training from its model." if state == "done" else "Stop it first."
            raise RunError(f"The training {self.name} is {state}.", advice)
        self._size_at_launch = self._written()[0]
        arguments = (str(self.path), *filter(None, [device]))
        command = self._interpreter.command("GASNetLib.training", *arguments)
        launch(self.folder, command, self._interpreter.environment, [run.folder for run in after])

    def stop(self, patience: float = STOP_PATIENCE_S) -> str:
        """End it: ask, terminate, kill the tree, verify. It can be resumed.

        Returns:
            What it took: ``not running``, ``stopped``, ``terminated`` or ``killed``.

        Raises:
            RunError: the process survived.
        """
        return self.folder.stop(patience)

    def begin_stop(self, patience: float = STOP_PATIENCE_S) -> Task:
        """The same without waiting; the task's result is what it took."""
        process = self.folder.process()
        self.request_stop()  # at once, whatever becomes of the process that enforces it
        meant = None if process is None else asdict(process)
        return Task(self._interpreter, "stop", run=str(self.path), patience=patience, process=meant)

    def leave_to_stop(self, patience: float = STOP_PATIENCE_S) -> None:
        """The same for a program that ends now: the process that enforces it outlives the program."""
        if self.folder.process() is None:
            return
        self.request_stop()
        arguments = ("stop", str(self.path), "--patience", str(patience))
        command = self._interpreter.command("GASNetLib.command_line", *arguments)
        start_detached(command, self.folder.log_file, dict(self._interpreter.environment))

    def request_stop(self) -> None:
        """Ask it to end with a checkpoint, and leave it at that."""
        if self.folder.process() is not None:
            self.folder.request_stop()

    # --- inside -------------------------------------------------------------------------------------------

    def _signs_now(self) -> tuple:
        """What the state depends on: as long as it stays, nothing has to be read again."""
        folder = self.folder
        flags = (folder.stop_file, folder.best_model, folder.process_file)
        present = tuple(path.exists() for path in flags)
        return self._written(), folder.process(), folder.waits_for(), present

    def _written(self) -> tuple[int, int]:
        """Size and time of the events on disk."""
        try:
            found = self.folder.events_file.stat()
        except OSError:
            return 0, 0
        return found.st_size, found.st_mtime_ns

    def _read_on(self, seconds: float) -> bool:
        """Read on in the events for about so long; True once all are read."""
        end = time.monotonic() + seconds
        while True:
            before = self._offset
            new, self._offset = read_events(self.folder.events_file, before, PIECE_BYTES)
            if self._offset < before:
                self._events = []
            self._events += new
            if any(event["kind"] == "started" for event in new):
                self._events = history(self._events)
            if self._offset == before:
                return True
            if time.monotonic() > end:
                return False

    def _derived(self) -> RunState:
        events, folder = self._events, self.folder
        alive, told = folder.process() is not None, self._written()[0] > self._size_at_launch
        # Of the iterations only the latest count: the rest of a long training only costs time at every look.
        counting = [event for event in events[:-LATEST] if event["kind"] != "iteration"] + events[-LATEST:]
        stop_asked = folder.stop_file.exists()
        state = state_of(counting, alive, stop_asked, folder.best_model, folder.waits_for())
        if state.state == "running":
            if not told:
                return replace(state, state="starting")
            return replace(state, seconds_left=self._seconds_left(state))
        if not alive and not told and read_identity(folder.process_file) is not None:
            cause = "The training process ended before it began to work."
            return replace(state, state="failed", cause=cause, advice="See the log for the reason.")
        if state.state not in ("failed", "interrupted"):
            return state
        checkpoints = [event["iteration"] for event in events if event["kind"] == "checkpoint"]
        saved = SAVED[bool(checkpoints)].format(iteration=max(checkpoints, default=0))
        if state.state == "failed":
            return replace(state, advice=f"{state.advice} {saved}".strip())
        cause = "The process vanished without a word: ended from outside, out of memory, or the power failed."
        return replace(state, cause=cause, advice=saved)

    def _seconds_left(self, state: RunState) -> float | None:
        if self._pace is None:
            return None
        if self._validation_cases is None:
            try:
                self._validation_cases = len(read_cohort(self.folder.cohort_file).with_role("validation"))
            except GASNetError:
                self._validation_cases = 0
        return self._pace.seconds(self.config["settings"], self._validation_cases, state.iteration)
