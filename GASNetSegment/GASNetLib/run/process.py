"""The process of a training: known for certain, alone in its folder, started apart, ended for certain."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from ..atomic import write_atomically
from ..errors import ResourceError
from .errors import RunError

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Identity:
    """A process, for certain: numbers are used again, the number with the start is not.

    ``started`` does not depend on the wall clock: on Linux the boot and the ticks since it.
    """

    pid: int
    started: str
    host: str


def own_identity() -> Identity:
    """Who we are."""
    return identity_of(os.getpid())


def identity_of(pid: int) -> Identity:
    """Identity of a process on this computer; one that has ended is never alive."""
    return Identity(pid, _start_of(pid) or "ended", socket.gethostname())


def write_identity(path: Path, identity: Identity) -> None:
    """Leave the identity for others."""
    write_atomically(path, json.dumps(asdict(identity)).encode())


def read_identity(path: Path) -> Identity | None:
    """The identity that a process left; None without one, or with a damaged one."""
    try:
        return Identity(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def is_alive(identity: Identity | None) -> bool:
    """True if that very process runs on this computer."""
    if identity is None or identity.host != socket.gethostname():
        return False
    return _start_of(identity.pid) == identity.started


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file; the operating system lets go of it when the process ends, however it ends.

    Raises:
        RunError: somebody else holds it. ResourceError: the folder cannot be written to.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ResourceError(
            f"The folder {path.parent} cannot be written to: {error.strerror or error}.",
            "Choose a folder that you may write to.",
        ) from error
    try:
        if not _locked(descriptor):
            raise RunError(
                f"Another training is working in {path.parent}.",
                "Stop it first (gasnet stop), or choose another folder.",
            )
        yield
    finally:
        os.close(descriptor)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """SIGTERM and Ctrl-C ask for a stop in good order; a second one ends at once (``KeyboardInterrupt``).

    Gives a function that is true once a stop was asked for. Main thread only.
    """
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start_detached(arguments: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> int:
    """Start a process that outlives this one and its terminal; what it prints goes to ``log``.

    Returns:
        Its pid.
    """
    apart: dict = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        apart = {"creationflags": flags}
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            close_fds=True,
            env=environment,
            **apart,
        )
    return process.pid


def end_process(
    identity: Identity | None,
    request: Callable[[], None],
    patience: float = 300.0,
    grace: float = 10.0,
) -> str:
    """The four steps: ask, terminate, kill the tree, verify.

    Args:
        request: asks for the end. patience: seconds to wait for it. grace: seconds after each harder step.

    Returns:
        What it took: ``not running``, ``stopped``, ``terminated`` or ``killed``.

    Raises:
        RunError: the process survived all of it.
    """
    if not is_alive(identity):
        return "not running"
    tree = _tree(identity.pid)
    request()
    if _gone(tree, patience):
        return "stopped"
    tree = _living({*tree, *_tree(identity.pid)})
    for process in tree:
        _quietly(process.terminate)
    if _gone(tree, grace):
        return "terminated"
    tree = _living({*tree, *_tree(identity.pid)})
    for process in tree:
        _quietly(process.kill)
    if _gone(tree, grace):
        return "killed"
    raise RunError(
        f"The process {identity.pid} could not be ended.", "Restart the computer if it keeps a GPU busy."
    )


def _start_of(pid: int) -> str | None:
    """When a living process started; None if there is none (a zombie is none)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if sys.platform == "linux":
            # Ticks since boot: psutil's time moves when the clock is set.
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return f"{boot} {after_name[19]}"
        return repr(process.create_time())
    except (psutil.Error, OSError, IndexError):
        return None


def _locked(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _living(processes: set[psutil.Process]) -> list[psutil.Process]:
    living = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
        except psutil.NoSuchProcess:
            continue
    return living


def _gone(processes: list[psutil.Process], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while _living(set(processes)):
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return
