"""Something that takes long, in a process of its own: started, followed without waiting, cancelled.

No Qt and no threads: the panel calls :meth:`Task.poll` on a timer, the console :meth:`Task.result`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from GASNetLib.cohort import Cohort, CohortError, write_cohort
from GASNetLib.errors import Cancelled, GASNetError, InputError, ModelError, NotAChestCT, ResourceError
from GASNetLib.json_lines import read_json_lines
from GASNetLib.run.errors import RunError

from .processes import Interpreter
from .task_files import CANCEL_FILE, COHORT_FILE, EVENTS_FILE, REQUEST_FILE

ERRORS = {
    kind.__name__: kind
    for kind in (GASNetError, InputError, NotAChestCT, ModelError, ResourceError, CohortError, RunError)
}
LOG_FILE = "output.txt"
LOG_CHARACTERS = 4000
POLL_S = 0.1
PATIENCE_S = 5.0


class Task:
    """One process with one thing to do.

    Attributes:
        stage, share: how far it is; ``share`` from 0 to 1.
        finished: whether it has ended, one way or another.
        error: why it failed, or :class:`GASNetLib.errors.Cancelled`; None while it goes well.
        details: of the error, for a report.
    """

    def __init__(
        self, interpreter: Interpreter, do: str, cohort: Cohort | None = None, **parameters: Any
    ) -> None:
        """Start it.

        Raises:
            ResourceError: the process cannot be started, or the disk is full.
        """
        import psutil

        self.stage, self.share = "", 0.0
        self.finished = False
        self.error: GASNetError | None = None
        self.details = ""
        self._result: Any = None
        self._answered = False
        self._killed = False
        self._read = 0
        self._folder = _private_folder()
        parent = [str(os.getpid()), repr(psutil.Process().create_time())]
        command = interpreter.command("GASNetTrainLib.task_process", str(self._folder), *parent)
        hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {}
        try:
            if cohort is not None:
                write_cohort(cohort, self._folder / COHORT_FILE)
            request = json.dumps({"do": do, **parameters})
            (self._folder / REQUEST_FILE).write_text(request, encoding="utf-8")
            with (self._folder / LOG_FILE).open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    env=interpreter.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **hidden,
                )
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise ResourceError(
                f"The process cannot be started ({error.strerror}).",
                "Free disk space, or restart the program.",
            ) from error

    def poll(self) -> bool:
        """Take note of what the process said since the last call; True once it has ended."""
        if self.finished:
            return True
        ended = self._process.poll() is not None  # asked first: what it wrote before its end is read after
        events, self._read = read_json_lines(self._folder / EVENTS_FILE, self._read)
        for event in events:
            self._take(event)
        if ended:
            self._end()
        return self.finished

    def cancel(self) -> None:
        """Ask it to stop at the next opportunity."""
        if not self.finished:
            (self._folder / CANCEL_FILE).touch()

    def result(self, progress: Callable[[str, float], None] | None = None) -> Any:
        """Wait for the end.

        Raises:
            GASNetError: it failed, with the class that it failed with; Cancelled if it was cancelled.
        """
        told = ("", 0.0)
        while True:
            ended = self.poll()
            if progress is not None and (self.stage, self.share) != told:
                told = (self.stage, self.share)
                progress(*told)
            if ended:
                break
            time.sleep(POLL_S)
        if self.error is not None:
            raise self.error
        return self._result

    def kill(self) -> None:
        """End it with all it started, without waiting: :meth:`poll` tells when it is gone."""
        import psutil

        self._killed = True
        for member in self._family():
            try:
                member.kill()
            except psutil.Error:
                continue

    def close(self) -> None:
        """End it and see that it is gone with all it started."""
        import psutil

        if self.finished:
            return
        family = self._family()
        self.kill()
        psutil.wait_procs(family, timeout=PATIENCE_S)
        self._end()

    def _family(self) -> list:
        import psutil

        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.Error:
            return []

    def _take(self, event: dict) -> None:
        kind = event["event"]
        if kind == "progress":
            self.stage, self.share = event["stage"], event["share"]
        elif kind == "done":
            self._result, self._answered = event["result"], True
        elif kind == "cancelled":
            self.error = Cancelled()
        else:
            self.error = ERRORS.get(event["error"], GASNetError)(event["cause"], event["advice"])
            self.details = event["details"]

    def _end(self) -> None:
        self._process.poll()
        if self._killed:
            self.error = Cancelled()
        elif not self._answered and self.error is None:
            self.details = self._log()
            self.error = ResourceError(
                f"The process ended without an answer (exit status {self._process.returncode}).",
                "It may have been short of memory: close other programs and try again.",
            )
        self.finished = True
        shutil.rmtree(self._folder, ignore_errors=True)

    def _log(self) -> str:
        try:
            return (self._folder / LOG_FILE).read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:]
        except OSError:
            return ""


def _private_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="gasnet-task-"))
    except OSError as error:
        raise ResourceError(
            f"The temporary folder cannot be written to ({error.strerror}).", "Free disk space."
        ) from error
