"""The near side of :mod:`GASNetLib.worker`: starts it when needed, asks, and follows its answers without
waiting.

No Qt and no threads: the panel calls :meth:`WorkerClient.poll` on a timer.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from GASNetLib.atomic import write_atomically
from GASNetLib.errors import GASNetError, PackageError, ResourceError
from GASNetLib.geometry import Geometry
from GASNetLib.json_lines import read_json_lines
from GASNetLib.worker import EVENTS_FILE, file_of

LOG_FILE = "output.txt"
LOG_CHARACTERS = 4000
PATIENCE_S = 3.0


@dataclass(frozen=True)
class Request:
    """One thing asked of the worker, and what to do with the answers; all are called from ``poll``.

    Attributes:
        done: with the worker's answer and a function that reads a result array by its file name, now; the
            array, mapped from that file, may be kept.
        failed: with the error. cancelled: nothing more comes. progress: with stage and share done.
    """

    done: Callable[[dict, Callable[[str], np.ndarray]], None]
    failed: Callable[[GASNetError, str], None]
    cancelled: Callable[[], None]
    progress: Callable[[str, float], None]


class WorkerClient:
    """One worker process and the requests that it has not answered yet."""

    def __init__(self, executable: str, environment: dict[str, str], folder: Path | None = None) -> None:
        """
        Args:
            executable: the interpreter. environment: of the process (:mod:`GASNetSegmentLib.interpreter`).
            folder: where the private folder is made; default: the system's temporary folder.
        """
        self._executable = executable
        self._environment = environment
        self._parent_folder = folder
        self._folder: Path | None = None
        self._process: subprocess.Popen | None = None
        self._read = 0
        self._number = 0
        self._open: dict[int, Request] = {}

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._open)

    @property
    def pid(self) -> int | None:
        """Process id of the worker, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def ask(self, request: Request, do: str, array: np.ndarray | None = None, **parameters) -> int:
        """Send a request, starting the worker if it does not run.

        Args:
            do: ``segment``, ``restore``, ``segment_file`` or ``check``. array: the CT (z, y, x).
            parameters: of the request; a Geometry, Paths and plain values.

        Returns:
            A number, for :meth:`cancel`.

        Raises:
            ResourceError: the process cannot be started, or its folder cannot be written to.
        """
        self._ensure_running()
        self._number += 1
        try:
            if array is not None:
                np.save(self._folder / file_of("ct", self._number, ".npy"), array)
        except OSError as error:
            raise ResourceError(
                f"The CT cannot be written to {self._folder} ({error.strerror}).", "Free disk space."
            ) from error
        content = json.dumps({"do": do, **parameters}, default=_plain).encode()
        write_atomically(self._folder / file_of("request", self._number, ".json"), content)
        self._open[self._number] = request
        return self._number

    def cancel(self, number: int) -> None:
        """Ask the worker to stop a request at the end of its present stage; ``cancelled`` is called then."""
        if number in self._open:
            (self._folder / file_of("cancel", number)).touch()

    def poll(self) -> None:
        """Deliver what the worker said since the last call, and notice if it died."""
        if self._folder is None:
            return
        ended = self._process.poll() is not None  # asked first: what it wrote before its end is read after
        events, self._read = read_json_lines(self._folder / EVENTS_FILE, self._read)
        for event in events:
            self._deliver(event)
        if ended:
            self._bury()

    def close(self) -> None:
        """End the worker with all that it started, and remove its folder. Open requests get no answer."""
        self._open.clear()
        if self._process is not None:
            _kill_tree(self._process)
        self._forget()

    # --- the process --------------------------------------------------------------------------------------

    def _ensure_running(self) -> None:
        if self._process is not None and self._process.poll() is not None and not self._open:
            self._forget()  # it ended because nothing was asked of it
        if self._process is not None:
            return
        import psutil

        self._folder = Path(tempfile.mkdtemp(prefix="gasnet-worker-", dir=self._parent_folder))
        started = psutil.Process().create_time()
        command = [
            self._executable,
            "-m",
            "GASNetLib.worker",
            str(self._folder),
            str(os.getpid()),
            repr(started),
        ]
        hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {}
        try:
            with (self._folder / LOG_FILE).open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    env=self._environment,
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **hidden,
                )
        except OSError as error:
            self._forget()
            raise ResourceError(
                f"The worker process cannot be started ({error.strerror}).", "Restart 3D Slicer."
            ) from error

    def _bury(self) -> None:
        """The worker is dead: tell those who wait, in words."""
        waiting, self._open = list(self._open.values()), {}
        code, log = self._process.returncode, self._log()
        self._forget()
        for request in waiting:
            request.failed(_cause_of_death(code), log)

    def _forget(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._process, self._read, self._number = None, None, 0, 0

    def _log(self) -> str:
        try:
            return (self._folder / LOG_FILE).read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:]
        except OSError:
            return ""

    # --- its answers --------------------------------------------------------------------------------------

    def _deliver(self, event: dict) -> None:
        number = event["id"]
        request = self._open.get(number)
        if request is None:
            return
        if event["event"] == "progress":
            request.progress(event["stage"], event["share"])
            return
        del self._open[number]
        folder = self._folder
        try:
            if event["event"] == "done":
                request.done(event, lambda name: np.load(folder / name, mmap_mode="r"))
            elif event["event"] == "cancelled":
                request.cancelled()
            else:
                request.failed(_error(event), event["details"])
        finally:
            for path in folder.glob(f"*-{number:04d}*"):
                with suppress(PermissionError):  # Windows, while a result is kept: it goes with the folder
                    path.unlink(missing_ok=True)


def _error(event: dict) -> GASNetError:
    """The error that an event tells."""
    if "package" in event:
        return PackageError(event["package"])
    return GASNetError(event["cause"], event["advice"])


def _plain(value):
    if isinstance(value, Geometry):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be sent to the worker")


def _cause_of_death(code: int) -> ResourceError:
    # A launcher between us and the real Python reports a signal as 128 + its number.
    if os.name != "nt" and code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return ResourceError(
            "The worker was ended by the operating system, most likely because the memory was not enough.",
            "Close other programs, or crop the CT to the chest. The scene is as it was.",
        )
    return ResourceError(
        f"The worker stopped unexpectedly (exit status {code}).",
        "Try again; if it happens again, copy the report. The scene is as it was.",
    )


def _kill_tree(process: subprocess.Popen) -> None:
    """Kill a process and its children (a launcher's child is the real Python), and see that they are gone."""
    import psutil

    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.Error:
        family = []
    for member in family:
        try:
            member.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(family, timeout=PATIENCE_S)
    process.poll()
