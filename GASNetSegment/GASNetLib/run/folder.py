"""A run folder: where things are, and what state the training is in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..atomic import write_atomically
from ..errors import ResourceError
from .errors import RunError
from .events import Event, history, read_events
from .process import Identity, end_process, is_alive, read_identity, write_identity

FORMAT = 1
"""Version of the layout; a folder of a newer one is refused."""

SPEED_OVER = 20
"""Iterations over which the speed is averaged."""

NAMES_TOLD = 2
"""Of the trainings that one waits for."""

STATES = ("new", "waiting", "running", "stopping", "stopped", "interrupted", "failed", "done")


@dataclass(frozen=True)
class RunState:
    """What a look at the folder tells.

    Attributes:
        state: one of :data:`STATES`; ``waiting`` for its turn in a queue; ``interrupted`` if the process
            vanished without a word.
        iteration, iterations: done, and in all.
        seconds_left: at the present speed; None if unknown.
        losses: of the latest iteration. best_dice, best_iteration: of the best validation so far.
        gpu_gb: memory on the GPU, None on a CPU.
        model: the best deployable package, None before the first validation.
        cause, advice: of the failure, or what it waits for; empty otherwise.
        warnings: causes, oldest first.
    """

    state: str
    iteration: int = 0
    iterations: int = 0
    seconds_left: float | None = None
    losses: dict[str, float] | None = None
    best_dice: float | None = None
    best_iteration: int | None = None
    gpu_gb: float | None = None
    model: Path | None = None
    cause: str = ""
    advice: str = ""
    warnings: tuple[str, ...] = ()


class RunFolder:
    """Paths of one run. :meth:`create` makes one, :meth:`open` takes an existing one."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.config_file = self.path / "config.json"
        self.cohort_file = self.path / "cohort.csv"
        self.events_file = self.path / "events.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.previews = self.path / "previews"
        self.models = self.path / "model"
        self.process_file = self.path / "process.json"
        self.lock_file = self.path / "lock"
        self.stop_file = self.path / "stop"
        self.after_file = self.path / "after.json"
        self.log_file = self.path / "run.log"

    @property
    def best_model(self) -> Path:
        """Package of the parameters with the best validation Dice."""
        return self.models / "best.safetensors"

    @property
    def last_model(self) -> Path:
        """Package of the parameters at the end."""
        return self.models / "last.safetensors"

    @classmethod
    def create(
        cls, path: str | Path, config: dict[str, Any], fill: Callable[[RunFolder], None] | None = None
    ) -> RunFolder:
        """A new run with its configuration (JSON-ready).

        Args:
            fill: writes what else a run begins with. The configuration comes last and makes the folder a run:
                what is left of a creation that was killed is none, and the next one goes over it.

        Raises:
            RunError: there is a run already.
            ResourceError: the folder cannot be made or written to.
        """
        folder = cls(path)
        if folder.config_file.exists():
            raise RunError(f"{folder.path} already holds a training.", "Resume it, or choose another folder.")
        try:
            for part in (folder.checkpoints, folder.previews, folder.models):
                part.mkdir(parents=True, exist_ok=True)
            if fill is not None:
                fill(folder)
            text = json.dumps({"format": FORMAT, **config}, indent=2, ensure_ascii=False)
            write_atomically(folder.config_file, text.encode())
        except OSError as error:
            raise ResourceError(
                f"The folder {folder.path} cannot be written to: {error.strerror or error}.",
                "Choose a folder that you may write to.",
            ) from error
        return folder

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """An existing run.

        Raises:
            RunError: no run there, damaged, or made by a newer version.
        """
        folder = cls(path)
        folder.config()
        return folder

    def config(self) -> dict[str, Any]:
        """What the training was started with.

        Raises:
            RunError: as :meth:`open`.
        """
        try:
            config = json.loads(self.config_file.read_text(encoding="utf-8"))
            version = int(config["format"])
        except FileNotFoundError as error:
            raise RunError(f"{self.path} holds no training.", "Check the path.") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{self.config_file} is damaged.", "Start a new training.") from error
        if version > FORMAT:
            raise RunError(f"{self.path} was made by a newer GASNet.", "Update GASNet.")
        return config

    def events(self) -> list[Event]:
        """All events that still hold (see :func:`GASNetLib.run.events.history`)."""
        return history(read_events(self.events_file)[0])

    def process(self) -> Identity | None:
        """The process that works here now, or None."""
        identity = read_identity(self.process_file)
        return identity if is_alive(identity) else None

    def state(self) -> RunState:
        """What state the training is in."""
        alive, stop_asked = self.process() is not None, self.stop_file.exists()
        return state_of(self.events(), alive, stop_asked, self.best_model, self.waits_for())

    def queue_after(self, before: Sequence[RunFolder]) -> None:
        """Let the next process wait until those that work on these runs now have ended; none: it need not.

        Processes and not folders: a run that is resumed meanwhile may itself wait for this one.

        Raises:
            ResourceError: the folder cannot be written to.
        """
        working = {run.path.name: run.process() for run in before}
        named = [{"name": name, **asdict(process)} for name, process in working.items() if process]
        if named:
            write_atomically(self.after_file, json.dumps(named).encode())
        else:
            self.after_file.unlink(missing_ok=True)

    def waits_for(self) -> tuple[str, ...]:
        """Names of the runs whose processes have to end first; empty when its turn has come."""
        try:
            named = json.loads(self.after_file.read_bytes())
            before = [(each.pop("name"), Identity(**each)) for each in named]
        except (OSError, ValueError, TypeError, KeyError):
            return ()
        return tuple(name for name, process in before if is_alive(process))

    def request_stop(self) -> None:
        """Ask the training to write a checkpoint and end; without a process, the next one, as it begins.

        Raises:
            ResourceError: the request cannot be written.
        """
        process = self.process()
        if process is None:
            write_atomically(self.stop_file, b"")
        else:
            write_identity(self.stop_file, process)

    def drop_old_stop_request(self) -> None:
        """Forget a request that was meant for a process which has ended."""
        asked = read_identity(self.stop_file)
        if asked is not None and not is_alive(asked):
            self.stop_file.unlink(missing_ok=True)

    def stop(self, patience: float = 300.0, grace: float = 10.0, process: Identity | None = None) -> str:
        """End the training, gently if possible; see :func:`GASNetLib.run.process.end_process`.

        Args:
            process: the one that is meant, for who may come late: one that was started meanwhile goes on.
                Default: the one that works here now.

        Raises:
            RunError: the process survived.
        """
        process = process or self.process()
        try:
            return end_process(process, lambda: write_identity(self.stop_file, process), patience, grace)
        finally:
            if not is_alive(read_identity(self.stop_file)):
                self.stop_file.unlink(missing_ok=True)


def find_runs(folder: str | Path) -> list[RunFolder]:
    """The runs directly in a folder, by name."""
    return [RunFolder(config.parent) for config in sorted(Path(folder).glob("*/config.json"))]


def state_of(
    events: list[Event], alive: bool, stop_asked: bool, best_model: Path, waits_for: Sequence[str] = ()
) -> RunState:
    """The state that events tell, given whether the process is alive and for which runs it waits."""
    latest = {event["kind"]: event for event in events}
    iteration = latest.get("iteration", {})
    done, total = _reached(events), latest.get("started", {}).get("iterations", 0)
    best = [event for event in events if event["kind"] == "validation" and event.get("best")]
    name = _name(events, alive, stop_asked, bool(waits_for))
    why = latest["error"] if name == "failed" else {}
    if name == "waiting":
        why = {"cause": f"Waiting for {_listed(waits_for)} to end."}
    speeds = [e["per_second"] for e in events if e["kind"] == "iteration"][-SPEED_OVER:]
    speed = len(speeds) / sum(1 / each for each in speeds) if speeds else None
    return RunState(
        state=name,
        iteration=done,
        iterations=total,
        seconds_left=(total - done) / speed if speed and name == "running" else None,
        losses=iteration.get("losses"),
        best_dice=best[-1]["dice"]["mean"] if best else None,
        best_iteration=best[-1]["iteration"] if best else None,
        gpu_gb=iteration.get("gpu_gb"),
        model=best_model if best_model.exists() else None,
        cause=why.get("cause", ""),
        advice=why.get("advice", ""),
        warnings=tuple(event["cause"] for event in events if event["kind"] == "warning"),
    )


def _reached(events: list[Event]) -> int:
    kinds = ("started", "iteration", "checkpoint", "stopped", "done")
    return max((e.get("iteration", 0) for e in events if e["kind"] in kinds), default=0)


def _name(events: list[Event], alive: bool, stop_asked: bool, waits: bool) -> str:
    if alive:
        return "stopping" if stop_asked else "waiting" if waits else "running"
    endings = {"error": "failed", "stopped": "stopped", "done": "done"}
    if events and events[-1]["kind"] in endings:
        return endings[events[-1]["kind"]]
    return "interrupted" if events else "new"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_TOLD
    return ", ".join(names[:NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")
