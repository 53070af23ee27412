"""One piece of work for each of many cases, in processes, so that no case can stop the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import psutil
import SimpleITK as sitk

from ..errors import Cancelled, GASNetError, InputError, ResourceError

Progress = Callable[[str, float], None]
"""Called with a sentence and a fraction 0..1."""

BYTES_PER_JOB = 3 * 2**30  # reading a 512×512×600 CT and finding its lungs
SECONDS_BETWEEN_LOOKS = 0.2  # at Cancel


@dataclass(frozen=True)
class Outcome:
    """What became of one case: a result, or why there is none."""

    result: Any = None
    error: GASNetError | None = None


def default_jobs() -> int:
    """Processes that this computer has cores and free memory for."""
    return max(1, min(os.cpu_count() or 1, psutil.virtual_memory().available // BYTES_PER_JOB))


def run_cases(
    work: Callable[[Any], Any],
    cases: Sequence[Any],
    stage: str,
    progress: Progress | None = None,
    jobs: int | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Outcome]:
    """Call ``work(case)`` for every case; memory does not grow with their number beyond the results.

    An error of one case, even one that kills its process, becomes that case's outcome.

    Args:
        work: a function of a module (it travels to other processes); returns something small.
        stage: what is being done, for the progress: ``Reading`` gives ``Reading 3 of 40``.
        jobs: processes; None for as many as fit, 0 to work in this process (then a crash is a crash).

    Returns:
        The outcomes in the order of the cases.

    Raises:
        Cancelled: ``cancelled()`` was true; the processes are gone.
        ResourceError: raised by ``work`` (disk full, for example): it would meet every further case too.
    """
    jobs = default_jobs() if jobs is None else jobs
    outcomes: list[Outcome | None] = [None] * len(cases)
    cancelled = cancelled or (lambda: False)
    many = (
        _in_processes(work, cases, min(jobs, len(cases)), cancelled)
        if jobs
        else _here(work, cases, cancelled)
    )
    with closing(many):
        for done, (index, outcome) in enumerate(many, start=1):
            if isinstance(outcome.error, ResourceError):
                raise outcome.error
            outcomes[index] = outcome
            if progress is not None:
                progress(f"{stage} {done} of {len(cases)}", done / len(cases))
    return outcomes


def _here(work, cases, cancelled):
    for index, case in enumerate(cases):
        if cancelled():
            raise Cancelled
        yield index, _attempt(work, case)


def _attempt(work: Callable[[Any], Any], case: Any) -> Outcome:
    try:
        return Outcome(result=work(case))
    except GASNetError as error:
        return Outcome(error=error)
    except MemoryError:
        return Outcome(error=InputError("There is not enough memory to read it.", "Use fewer jobs."))
    except Exception as error:
        cause = f"It cannot be read: {type(error).__name__}: {error}."
        return Outcome(error=InputError(cause, "Please report this with the file."))


def _in_processes(work, cases, jobs, cancelled):
    """Outcomes as they come, with ``jobs`` processes that each have one case in hand at a time."""
    waiting = list(enumerate(cases))[::-1]
    workers = [_Worker(work, jobs) for _ in range(jobs)]
    try:
        busy = {}
        for worker in workers:
            worker.give(*waiting.pop())
            busy[worker.connection] = worker
        while busy:
            if cancelled():
                raise Cancelled
            for connection in wait(list(busy), SECONDS_BETWEEN_LOOKS):
                worker = busy[connection]
                outcome = worker.outcome()
                if outcome is None:
                    continue
                yield worker.index, outcome
                del busy[connection]
                if not waiting:
                    continue
                if not worker.alive:
                    workers.remove(worker)
                    worker = _Worker(work, jobs)
                    workers.append(worker)
                worker.give(*waiting.pop())
                busy[worker.connection] = worker
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process that works on the cases it is given, until its connection closes."""

    def __init__(self, work: Callable[[Any], Any], jobs: int) -> None:
        # Spawned and not forked: the libraries' threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self.connection, far_end = context.Pipe()
        self.index = -1
        self.alive = True
        self._started = False
        self._process = context.Process(target=_serve, args=(work, far_end, jobs), daemon=True)
        self._process.start()
        far_end.close()  # so that the death of the process closes the connection

    def give(self, index: int, case: Any) -> None:
        self.index = index
        try:
            self.connection.send(case)
        except OSError:  # it died; outcome() finds out and says so
            self.alive = False

    def outcome(self) -> Outcome | None:
        """What it has to say: the outcome of the case in hand, or None, its first sign of life."""
        try:
            outcome = self.connection.recv()
            self._started = True
            return outcome
        except (EOFError, OSError):
            self.alive = False
            return self._death()

    def _death(self) -> Outcome:
        self._process.join()
        if not self._started:
            raise ResourceError(
                "The reading processes do not start.",
                "In a script, put the call under if __name__ == '__main__', or use jobs=0.",
            )
        return Outcome(
            error=InputError(
                f"The process that read it died (exit code {self._process.exitcode}).",
                "It may be damaged, or need more memory than there is: try again with one job.",
            )
        )

    def end(self) -> None:
        self._process.terminate()
        self._process.join()
        self.connection.close()


def _serve(work: Callable[[Any], Any], connection: Connection, jobs: int) -> None:
    import torch  # here, for what starts the processes can do without

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the process that started this one
    threads = max(1, (os.cpu_count() or 1) // jobs)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    torch.set_num_threads(threads)
    connection.send(None)
    while True:
        try:
            case = connection.recv()
        except EOFError:  # the starter is gone, also if it was killed
            return
        connection.send(_attempt(work, case))
