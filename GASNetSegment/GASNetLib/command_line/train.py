"""``gasnet train``, ``resume``, ``stop``, ``watch``, ``runs``, ``compare`` and ``experiment``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..cohort import read_cohort
from ..device import DEVICES
from ..run.errors import RunError
from ..run.events import Event, read_events
from ..run.folder import RunFolder, RunState, find_runs
from ..run.launch import start_worker
from .packages import load_torch
from .terminal import number, print_table, progress_bar

POLL_SECONDS = 0.5
STOP_PATIENCE = 600.0


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add the commands about trainings to the command line."""
    _add_train(subparsers)
    resume = _add_on_folder(
        subparsers,
        "resume",
        "go on with a training from its last checkpoint",
        "Go on with a training that was stopped, interrupted or failed, from its last checkpoint, and show "
        "how it goes. Ctrl-C stops it with a checkpoint.",
        run_resume,
    )
    resume.add_argument("--detach", action="store_true", help="leave it to itself")
    resume.add_argument("--device", choices=DEVICES, help="default: as it was started")
    stop = _add_on_folder(
        subparsers,
        "stop",
        "end a training; it can be resumed",
        "End a training at the end of its iteration, with a checkpoint; one that does not react is "
        "terminated, then killed. One that waits for others is taken out of the queue.",
        run_stop,
    )
    stop.add_argument(
        "--patience",
        type=float,
        default=STOP_PATIENCE,
        metavar="S",
        help="seconds to wait for the iteration to end, then it is terminated (default: %(default)g)",
    )
    _add_on_folder(
        subparsers,
        "watch",
        "follow a training; Ctrl-C leaves it alone",
        "Show losses, validations and the time left of a training until it ends, wherever it was started. "
        "Ctrl-C leaves it alone. Exit status: 0 done or stopped, 1 failed or interrupted.",
        run_watch,
    )
    runs = subparsers.add_parser(
        "runs",
        help="list the trainings in a folder",
        description="List the trainings in a folder: state, iteration, best validation Dice, time left and, "
        "of one that failed, why.",
    )
    runs.add_argument("folder", type=Path, metavar="FOLDER", help="folder that holds run folders")
    runs.set_defaults(run=run_runs)
    _add_compare(subparsers)
    _add_experiment(subparsers)


def run_train(arguments: argparse.Namespace) -> int:
    """Prepare a run and start its process."""
    load_torch()
    from ..training.preparation import prepare_run
    from ..training.presets import preset
    from ..training.settings import changed
    from ..training.state import check_architectures

    settings = changed(preset(arguments.preset), dict(arguments.set))
    check_architectures(settings)
    run = prepare_run(
        arguments.run_folder,
        read_cohort(arguments.cohort),
        settings,
        device=arguments.device,
        parent=arguments.parent,
        labelled=arguments.labelled,
        cache=arguments.cache,
        licence=arguments.licence,
    )
    if arguments.prepare_only:
        print(f"Prepared in {run.path}. Start it with: torchrun -m GASNetLib.training {run.path}")
        return 0
    return _start(run, arguments.detach)


def run_resume(arguments: argparse.Namespace) -> int:
    """Start a process that goes on with a run."""
    load_torch()
    run = RunFolder.open(arguments.folder)
    if run.state().state == "done":
        raise RunError(f"The training in {run.path} is done.", "Start a new one from its model (--from).")
    return _start(run, arguments.detach, arguments.device)


def run_stop(arguments: argparse.Namespace) -> int:
    """End the process of a run in four steps."""
    run = RunFolder.open(arguments.folder)
    waited = run.state().state == "waiting"
    how = run.stop(arguments.patience)
    said = {
        "not running": "No training is running there.",
        "stopped": "Taken out of the queue." if waited else "Stopped, with a checkpoint.",
        "terminated": "Terminated.",
        "killed": "Killed; what came after the last checkpoint is lost.",
    }
    print(f"{said[how]} State: {run.state().state}. Go on with: gasnet resume {run.path}")
    return 0


def run_watch(arguments: argparse.Namespace) -> int:
    """Show a run until it ends."""
    run = RunFolder.open(arguments.folder)
    try:
        return follow(run)
    except KeyboardInterrupt:
        return 0


def run_runs(arguments: argparse.Namespace) -> int:
    """List runs."""
    if not arguments.folder.is_dir():
        raise RunError(f"There is no folder {arguments.folder}.", "Name the folder that holds the trainings.")
    runs = find_runs(arguments.folder)
    if not runs:
        print(f"There is no training in {arguments.folder}.")
        return 0
    rows = []
    for run in runs:
        state = run.state()
        rows.append(
            [
                run.path.name,
                state.state,
                f"{state.iteration} / {state.iterations}",
                number(state.best_dice, 3),
                "–" if state.best_iteration is None else str(state.best_iteration),
                _duration(state.seconds_left),
                state.cause,
            ]
        )
    print_table("Trainings", ["Run", "State", "Iteration", "Best Dice", "at", "Left", "Why"], rows)
    return 0


def run_compare(arguments: argparse.Namespace) -> int:
    """Compare models on the validation cases."""
    load_torch()
    from ..training.comparison import compare_models

    with progress_bar() as progress:
        result = compare_models(arguments.models, read_cohort(arguments.cohort), arguments.device, progress)
    rows = [
        [case, *(number(overlaps[position].dice, 3) for overlaps in result.overlaps)]
        for position, case in enumerate(result.cases)
    ]
    for name in ("dice", "sensitivity", "specificity"):
        figures = [result.figure(model, name) for model in range(len(result.models))]
        rows.append([f"{name}, mean ± SD", *(f"{number(f.mean, 3)} ± {number(f.sd, 3)}" for f in figures)])
    print_table("Dice on the validation cases", ["Case", *result.models], rows)
    for case in result.left_out:
        print(f"{case} is left out: one of the models was trained on it.")
    for model in range(1, len(result.models)):
        print(result.verdict(model))
    return 0


def run_experiment_file(arguments: argparse.Namespace) -> int:
    """Do all trainings of an experiment."""
    load_torch()
    from ..training.experiment import read_experiment, run_experiment

    def train(run: RunFolder) -> None:
        if _start(run, detach=False) != 0:
            state = run.state()
            raise RunError(state.cause or f"It ended as “{state.state}”.", state.advice)

    runs = run_experiment(read_experiment(arguments.file), arguments.output, train, arguments.device)
    print(f"Tables and curves are in {arguments.output}.")
    return 0 if all(run.state().state == "done" for run in runs) else 1


def follow(run: RunFolder, from_now: bool = False) -> int:
    """Show a run on the terminal until it ends; 0 if it was done or stopped.

    Args:
        from_now: without what was told before.
    """
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    offset = run.events_file.stat().st_size if from_now and run.events_file.exists() else 0
    with Live(console=console, refresh_per_second=2) as live:
        while True:
            events, offset = read_events(run.events_file, offset)
            for event in events:
                if (line := _line(event)) is not None:
                    live.console.print(line, highlight=False, markup=False)
            state = run.state()
            live.update(_status(run, state))
            if state.state not in ("waiting", "running", "stopping"):
                break
            time.sleep(POLL_SECONDS)
    state = run.state()
    if state.state == "failed":
        print(f"{state.cause} {state.advice}", file=sys.stderr)
    elif state.state in ("interrupted", "new"):
        print(f"The process ended without a word; see {run.log_file}.", file=sys.stderr)
    print(f"{run.path}: {state.state}, iteration {state.iteration} of {state.iterations}", end="")
    print("." if state.model is None else f". Best model: {state.model}")
    return 0 if state.state in ("done", "stopped") else 1


def _start(run: RunFolder, detach: bool, device: str | None = None) -> int:
    before = run.events_file.exists()
    pid = start_worker(run, device)
    if detach:
        print(f"Training in the background, process {pid}. Follow it with: gasnet watch {run.path}")
        return 0
    try:
        return follow(run, from_now=before)
    except KeyboardInterrupt:
        print("Stopping at the end of the iteration; Ctrl-C again leaves it running.", file=sys.stderr)
        run.stop(STOP_PATIENCE)
        raise


def _line(event: Event) -> str | None:
    """What is worth a line that stays."""
    kind = event["kind"]
    if kind == "validation":
        best = ", the best so far" if event["best"] else ""
        return f"{event['iteration']:>7}  validation Dice {number(event['dice']['mean'], 3)}{best}"
    if kind in ("warning", "error"):
        return f"{kind}: {event['cause']} {event['advice']}"
    if kind == "started":
        return f"from iteration {event['iteration']} of {event['iterations']} on {event['device']}"
    return None


def _status(run: RunFolder, state: RunState) -> Any:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    gpu = "" if state.gpu_gb is None else f"GPU {state.gpu_gb:.1f} GB"
    reached = f"{state.iteration} / {state.iterations}"
    table.add_row(run.path.name, state.state, reached, f"left {_duration(state.seconds_left)}", gpu)
    if state.state == "waiting":
        table.add_row("", state.cause)
    for name, value in (state.losses or {}).items():
        table.add_row("", name, number(value, 4))
    if state.best_dice is not None:
        table.add_row("", "best Dice", number(state.best_dice, 3), f"at {state.best_iteration}")
    return table


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes = int(seconds // 60)
    return (
        f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes}:{int(seconds % 60):02d}"
    )


def _add_train(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "train",
        help="train a network on a cohort",
        description="Train in a process of its own, which outlives this terminal, and show how it goes. "
        "Ctrl-C stops it with a checkpoint.",
    )
    parser.add_argument("--cohort", type=Path, required=True, metavar="C", help="table or folder of cases")
    parser.add_argument(
        "--run", dest="run_folder", type=Path, required=True, metavar="DIR", help="new folder for it"
    )
    parser.add_argument(
        "--preset",
        default="improved",
        metavar="P",
        help="paper, improved, finetune, quick, smoke, supervised or mil (default: %(default)s)",
    )
    parser.add_argument(
        "--from", dest="parent", type=Path, metavar="MODEL", help="model package to start from"
    )
    parser.add_argument(
        "--labelled",
        action="append",
        default=[],
        metavar="CASE",
        help="use only this labelled case (again for more); the others count as diseased",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="change a setting of the preset, such as iterations=500 or terms.ps=null",
    )
    _add_device(parser)
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="of prepared cases (default: beside the run)"
    )
    parser.add_argument("--licence", default="", help="of the model, following the data")
    parser.add_argument("--detach", action="store_true", help="leave it to itself")
    parser.add_argument("--prepare-only", action="store_true", help="for several GPUs: make the folder only")
    parser.set_defaults(run=run_train)


def _add_compare(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "compare",
        help="compare models on the validation cases of a cohort",
        description="Dice of each model on each validation case, means ± SD, and whether another one is "
        "better than the first. A case that one of the models was trained on is left out.",
    )
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="the one in use first")
    parser.add_argument("--cohort", type=Path, required=True, metavar="C", help="table or folder of cases")
    _add_device(parser)
    parser.set_defaults(run=run_compare)


def _add_experiment(subparsers: argparse._SubParsersAction) -> None:
    from textwrap import dedent

    parser = subparsers.add_parser(
        "experiment",
        help="train label counts × segmenters × ablations × seeds, and make the tables",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=dedent(
            """\
            Do the trainings that FILE names, and make their tables and curves. It is JSON, for instance

              {"cohort": "cohort.csv", "test": "test.csv",
               "preset": "improved", "changes": {"iterations": 2000},
               "labels": [1, 4], "segmenters": ["unet", "vbnet"],
               "ablations": ["all", "without L_ps", "supervised"], "seeds": [0, 1, 2]}

            The best parameters are chosen on the validation cases of the cohort and judged on the cases of
            the table "test" (may be left out), which no training sees.
            What is done stays done: the same command goes on after an interruption."""
        ),
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the experiment, as above")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="for the trainings and their tables"
    )
    _add_device(parser)
    parser.set_defaults(run=run_experiment_file)


def _add_on_folder(
    subparsers: argparse._SubParsersAction,
    name: str,
    help_: str,
    description: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=help_, description=description)
    parser.add_argument("folder", type=Path, metavar="DIR", help="run folder")
    parser.set_defaults(run=run)
    return parser


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="default: a GPU that works, else CPU"
    )


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"“{text}” is not of the form NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
