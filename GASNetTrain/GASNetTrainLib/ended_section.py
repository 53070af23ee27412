"""The line on top of the panel: trainings that have ended while nobody looked, once for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from .panel import TrainPanel
from .run_states import LIVING
from .words import state_word

if TYPE_CHECKING:
    from GASNetLib.run.folder import RunState

    from .run_handle import RunHandle


class EndedSection:
    """Learns of every change of a training's state, and keeps which ends are still to be told."""

    def __init__(self, panel: TrainPanel, show: Callable[[RunHandle], None]) -> None:
        """
        Args:
            show: called with the latest of them when the person wants to see it.
        """
        self._ui, self._known, self._show = panel.ui, panel.logic.known, show
        self._ended: dict[str, tuple[RunHandle, str]] = {}
        self._ui.endedFrame.visible = False
        self._ui.showEndedButton.connect("clicked(bool)", self._shown)
        self._ui.closeEndedButton.connect("clicked(bool)", self._told)

    def state_changed(self, run: RunHandle, before: RunState | None, state: RunState) -> None:
        """A look at a training found a new state; ``before`` is None at the first look."""
        if state.state in LIVING:
            self._known.await_end(run.path)
            self._ended.pop(str(run.path), None)
        elif before is not None and before.state in LIVING:
            self._known.end_told(run.path)  # the list shows it, and a notice tells of it
        elif run.path in self._known.ends_to_tell():
            self._ended[str(run.path)] = (run, state_word(state.state))
        else:
            return
        names = ", ".join(f"{run.name} ({word})" for run, word in self._ended.values())
        self._ui.endedLabel.text = _("Ended while you were away: {names}").format(names=names)
        self._ui.endedFrame.visible = bool(self._ended)

    def _shown(self) -> None:
        latest = next(iter(self._ended.values()))[0]
        self._told()
        self._show(latest)

    def _told(self) -> None:
        for run, _word in self._ended.values():
            self._known.end_told(run.path)
        self._ended = {}
        self._ui.endedFrame.visible = False
