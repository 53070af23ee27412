"""What a person reads of a training: the log of the one that is watched, and notices of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from GASNetLib.run.events import Event

from .new_events import NewEvents
from .words import event_in_words, notice_of

if TYPE_CHECKING:
    from GASNetLib.run.folder import RunState

    from .run_handle import RunHandle


class LogView:
    """The log in a QPlainTextEdit; only what is new is added."""

    def __init__(self, edit) -> None:
        self._edit = edit
        self._new = NewEvents()
        self._output_shown = False

    def show(self, run: RunHandle, state: RunState, events: Sequence[Event], complete: bool) -> None:
        """Show the events in words, and what the process printed where it failed."""
        failed = state.state == "failed"
        if self._new.begins_anew((run.path, failed), events):
            self._edit.clear()
            self._output_shown = False
        lines = [line for line in map(event_in_words, self._new.take(events)) if line]
        if failed and complete and not self._output_shown:
            self._output_shown = True
            lines += [line for line in (run.log(),) if line]
        if lines:
            self._edit.appendPlainText("\n".join(lines))


class Notices:
    """What happened in the trainings since it was last asked for."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def of(self, run: RunHandle) -> list[str]:
        """The news of a training; none at the first look, which finds what is long past."""
        events = run.events()
        told = self._told.get(str(run.path))
        self._told[str(run.path)] = events[-1]["time"] if events else told or ""
        if told is None:
            return []
        new = []
        for event in reversed(events):
            if event["time"] <= told:
                break
            new.append(notice_of(event))
        return [notice for notice in reversed(new) if notice]
