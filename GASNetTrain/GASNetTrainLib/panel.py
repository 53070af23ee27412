"""What all sections of the panel share: widgets, logic, tasks that are followed, the place for bad news."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from GASNetLib.errors import Cancelled
from GASNetSegmentLib.panel import Panel
from GASNetSegmentLib.worker_client import WorkerClient

from .task import Task


@dataclass(frozen=True)
class Followed:
    """A task and what to do with what it says.

    Attributes:
        done: with the result. ended: however it ended, before anything else. progress: with stage and share.
    """

    task: Task
    done: Callable[[Any], None]
    ended: Callable[[], None]
    progress: Callable[[str, float], None]


class TrainPanel(Panel):
    """The panel's shared parts: those of GASNetSegment with its warm worker, and tasks."""

    def __init__(self, ui, logic, client: WorkerClient) -> None:
        Panel.__init__(self, ui, logic, client)
        self._followed: list[Followed] = []

    def follow(
        self,
        task: Task,
        done: Callable[[Any], None],
        ended: Callable[[], None],
        progress: Callable[[str, float], None] = lambda stage, share: None,
    ) -> Task:
        """Follow a task on a timer until it ends; its error is shown."""
        self._followed.append(Followed(task, done, ended, progress))
        self._timer.start()
        return task

    def close(self) -> None:
        """End worker and tasks; trainings go on, for they are neither."""
        Panel.close(self)
        for followed in self._followed:
            followed.task.close()
        self._followed = []

    def _poll(self) -> None:
        for followed in list(self._followed):
            with self.problems_shown():
                self._look_at(followed)
        self.client.poll()
        if not self._followed and not self.client.busy:
            self._timer.stop()

    def _look_at(self, followed: Followed) -> None:
        task = followed.task
        if not task.poll():
            followed.progress(task.stage, task.share)
            return
        self._followed.remove(followed)
        followed.ended()
        if task.error is None:
            followed.done(task.result())
        elif not isinstance(task.error, Cancelled):
            self.show_problem(task.error, task.details)
