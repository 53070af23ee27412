"""A run of the worker as a section shows it: how far it is, how long it still takes, and *Cancel*."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from slicer.i18n import tr as _

from GASNetLib.errors import GASNetError

from .ct_nodes import ct_array, geometry_of
from .panel import Panel
from .worker_client import Request

TRUSTED_SHARE = 0.1
"""Share to be done, since the first stage began, before the time left is told."""

SECONDS_IN_MINUTES = 90.0
"""From here on the time left is told in minutes."""


@dataclass(frozen=True)
class ProgressWidgets:
    """Where a run is shown: QProgressBar, QLabel of the stage, QPushButton *Cancel*."""

    bar: object
    stage: object
    cancel: object


@dataclass(frozen=True)
class _Run:
    """A run of the worker, whose start tells nothing of how long the stages take.

    Attributes:
        first_share, first_time: when the first stage began.
    """

    number: int
    started: float
    first_share: float = 0.0
    first_time: float | None = None


class WorkerRun:
    """The run of one section; one at a time."""

    def __init__(self, panel: Panel, widgets: ProgressWidgets, on_change: Callable[[], None]) -> None:
        """
        Args:
            on_change: called when a run begins and when it ends.
        """
        self._panel, self._widgets, self._on_change = panel, widgets, on_change
        self._run: _Run | None = None
        widgets.cancel.connect("clicked(bool)", self.cancel)
        self._show()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    def start(self, do: str, volume_node, done: Callable[[dict, Callable], None], **parameters) -> None:
        """Ask the worker to do something with a CT; what goes wrong later is shown in the panel.

        Args:
            do, parameters: as :meth:`WorkerClient.ask` takes them.
            done: with the answer, and a function that reads a result array by its file name.

        Raises:
            InputError: the node is no CT. ResourceError: the worker cannot be started.
        """
        array, geometry = ct_array(volume_node), geometry_of(volume_node)
        started = time.monotonic()
        answers = (lambda answer, read: self._done(done, answer, read), self._failed, self._cancelled)
        request = Request(*(self._if_of(started, answer) for answer in (*answers, self._progress)))
        number = self._panel.ask(
            request, do, array, geometry=geometry, name=volume_node.GetName(), **parameters
        )
        self._run = _Run(number, started)
        self._show()
        self._progress(_("Starting"), 0.0)
        self._on_change()

    def cancel(self) -> None:
        """Stop at the end of the present stage."""
        if self._run:
            self._panel.client.cancel(self._run.number)
            self._widgets.cancel.enabled = False
            self._widgets.stage.text = _("Cancelling")

    def abandon(self) -> None:
        """The scene closes: the run has nobody left to answer to."""
        if self._run:
            self._panel.client.cancel(self._run.number)
            self._end()

    def say(self, text: str) -> None:
        """Show a word about the run that ended."""
        self._widgets.stage.text = text

    # --- answers ------------------------------------------------------------------------------------------

    def _if_of(self, started: float, answered: Callable) -> Callable:
        """An answer to a run that was given up concerns nobody."""

        def call(*arguments) -> None:
            if self._run is not None and self._run.started == started:
                answered(*arguments)

        return call

    def _done(self, done: Callable[[dict, Callable], None], answer: dict, read: Callable) -> None:
        self._end()
        done(answer, read)

    def _failed(self, error: GASNetError, details: str) -> None:
        self._end()
        self._panel.show_problem(error, details)

    def _cancelled(self) -> None:
        self._end()
        self.say(_("Cancelled. The scene is as it was."))

    def _progress(self, stage: str, share: float) -> None:
        self._widgets.bar.value = round(100 * share)
        now = time.monotonic()
        if share > 0 and self._run.first_time is None:
            self._run = replace(self._run, first_share=share, first_time=now)
        seconds = 0.0 if self._run.first_time is None else now - self._run.first_time
        self._widgets.stage.text = stage_in_words(stage, share, seconds, self._run.first_share)

    def _end(self) -> None:
        self._run = None
        self.say("")
        self._show()
        self._on_change()

    def _show(self) -> None:
        for widget in (self._widgets.bar, self._widgets.cancel):
            widget.visible = self.running
        self._widgets.cancel.enabled = self.running


def stage_in_words(stage: str, share: float, seconds: float, first_share: float) -> str:
    """What is being done, and how long the rest takes if it goes on as since ``first_share``."""
    done = share - first_share
    if done < TRUSTED_SHARE:
        return stage
    left = seconds * (1 - share) / done
    if left > SECONDS_IN_MINUTES:
        return _("{stage}, about {minutes:.0f} min left").format(stage=stage, minutes=left / 60)
    return _("{stage}, about {seconds:.0f} s left").format(stage=stage, seconds=left)
