"""The far side of :mod:`.task`: does one thing in a process of its own and tells how it goes.

Started as ``python -m GASNetTrainLib.task_process FOLDER PARENT_PID PARENT_START``. All talk goes through
files in that private folder:

    request.json   {"do": "check", …}, written before the start
    cancel         an empty file: stop
    events.jsonl   a JSON object a line, ASCII: {"event": "progress", "stage": …, "share": …}; the last
                   line is "done" with a result, "cancelled", or "error" with class, cause, advice, details
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from GASNetLib.cohort import read_cohort
from GASNetLib.errors import Cancelled, GASNetError
from GASNetLib.run.errors import RunError
from GASNetLib.run.folder import RunFolder
from GASNetLib.run.process import Identity
from GASNetLib.worker import watch_parent

from .task_files import CANCEL_FILE, COHORT_FILE, EVENTS_FILE, REQUEST_FILE

Progress = Callable[[str, float], None]

MEASURED_ITERATIONS = 2


class TaskProcess:
    """Serves the one request of a folder."""

    def __init__(self, folder: Path, parent_is_there: Callable[[], bool]) -> None:
        self.folder = folder
        self._parent_is_there = parent_is_there

    def run(self) -> None:
        """Do what is asked; whatever happens, the last event says how it ended."""
        try:
            request = json.loads((self.folder / REQUEST_FILE).read_text(encoding="utf-8"))
            action = ACTIONS[request.pop("do")]
            self._tell("done", result=action(self, **request))
        except Cancelled:
            self._tell("cancelled")
        except GASNetError as error:
            self._tell_error(type(error).__name__, error.cause, error.advice)
        except ModuleNotFoundError as error:
            cause = f"The package {error.name} cannot be loaded: it is missing or half installed."
            self._tell_error("ResourceError", cause, "Install it with the button in GASNetSegment.")
        except MemoryError:
            self._tell_error("ResourceError", "The memory was not enough.", "Close other programs.")
        except Exception as error:  # the person must get an answer; the details go into the report
            cause = f"Something went wrong that was not foreseen ({type(error).__name__}: {error})."
            self._tell_error("GASNetError", cause, "Copy the report and send it to the authors.")

    def progress(self, stage: str, share: float) -> None:
        """Tell how far it is; stop if nobody wants it any more."""
        if self.cancelled():
            raise Cancelled
        self._tell("progress", stage=stage, share=share)

    def cancelled(self) -> bool:
        """Whether Cancel was pressed, or the program that asked is gone."""
        return (self.folder / CANCEL_FILE).exists() or not self._parent_is_there()

    def cohort(self):
        """The cohort that came with the request."""
        return read_cohort(self.folder / COHORT_FILE)

    def _tell_error(self, kind: str, cause: str, advice: str) -> None:
        self._tell("error", error=kind, cause=cause, advice=advice, details=traceback.format_exc())

    def _tell(self, event: str, **more: Any) -> None:
        with (self.folder / EVENTS_FILE).open("a", encoding="ascii") as file:
            file.write(json.dumps({"event": event, **more}) + "\n")


def check(task: TaskProcess, cache: str, jobs: int | None) -> list[dict]:
    """Read every case; keep crops and thumbnails in the cache."""
    from GASNetLib.cohort.checks import check_cohort

    from .thumbnails import write_thumbnail

    reports = check_cohort(task.cohort(), task.progress, jobs, task.cancelled, cache)
    return [
        {
            "name": report.case.name,
            "accepted": report.accepted,
            "problems": [[problem.severity, problem.cause, problem.advice] for problem in report.problems],
            "thumbnail": str(write_thumbnail(report.case, Path(cache)) or "") if report.accepted else "",
        }
        for report in reports
    ]


def measure(task: TaskProcess, preset: str, device: str, cache: str) -> dict[str, float]:
    """The pace of a preset with all its terms, by really doing two iterations (the first warms up), a
    validation and a preview; see :class:`.pace.Pace` for the fields."""
    from GASNetLib.training.preparation import prepare_run
    from GASNetLib.training.presets import preset as preset_of
    from GASNetLib.training.session import work_on
    from GASNetLib.training.settings import as_data, changed

    from .pace import Pace

    settings = preset_of(preset)
    from_the_start = {
        f"terms.{name}": 0 for name, start in as_data(settings)["terms"].items() if start is not None
    }
    periods = dict.fromkeys(("iterations", "val_every", "preview_every"), MEASURED_ITERATIONS)
    changes = {**from_the_start, **periods, "log_every": 1}
    task.progress("Measuring", 0.0)
    run = prepare_run(
        task.folder / "run", task.cohort(), changed(settings, changes), device=device, cache=Path(cache)
    )
    work_on(run.path)
    state = run.state()
    if state.state != "done":
        raise RunError(state.cause or "The measurement did not end.", state.advice)
    first = next(i for i, event in enumerate(run.events()) if event["kind"] == "iteration")
    return Pace.of(run.events()[first + 1 :]).as_data()


def compare(task: TaskProcess, models: list[str], device: str) -> dict:
    """Compare models on the validation cases; see :class:`.comparison.ComparisonTable` for the fields."""
    from GASNetLib.training.comparison import compare_models

    found = compare_models([Path(path) for path in models], task.cohort(), device, task.progress)
    return {
        "models": found.models,
        "cases": found.cases,
        "left_out": found.left_out,
        "figures": [
            [[overlap.dice, overlap.sensitivity, overlap.specificity] for overlap in overlaps]
            for overlaps in found.overlaps
        ],
        "verdicts": [found.verdict(model) for model in range(1, len(found.models))],
    }


def stop(task: TaskProcess, run: str, patience: float, process: dict | None) -> str:
    """End the process of a training in the four steps; says what it took.

    Args:
        process: the one that worked on it when this was asked for. By now it may have ended and another be at
            work, for the training may have been resumed: that one goes on.
    """
    if process is None:
        return "not running"
    return RunFolder.open(run).stop(patience, process=Identity(**process))


ACTIONS: dict[str, Callable] = {
    "check": check,
    "measure": measure,
    "compare": compare,
    "stop": stop,
}


def main(arguments: list[str]) -> None:
    """Serve the folder named on the command line."""
    folder, pid, started = arguments
    TaskProcess(Path(folder), watch_parent(int(pid), float(started))).run()


if __name__ == "__main__":
    main(sys.argv[1:])
