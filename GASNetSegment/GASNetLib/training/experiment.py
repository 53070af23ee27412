"""Label counts × segmenters × ablations × seeds from one file, and the paper's tables and curves from them.

The file is JSON::

    {"cohort": "cohort.csv",                    relative to the file
     "test": "test.csv",                        cases to judge by only; may be left out
     "preset": "improved",
     "changes": {"iterations": 2000},           of the preset, by name
     "labels": [1, 4], "segmenters": ["unet"], "ablations": ["all", "supervised"], "seeds": [0, 1, 2]}

The best parameters of a run are chosen on the validation cases and judged on the test cases, which no
training sees. Every combination is a run of its own in the experiment's folder. What is done stays done: an
experiment that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from ..cohort import Cohort, read_cohort
from ..cohort.crop_cache import open_crops as crops_of_files
from ..errors import GASNetError
from ..run.errors import RunError
from ..run.folder import RunFolder
from .batches import Crops
from .experiment_results import write_results
from .held_out import open_held_out
from .preparation import check_roles, prepare_run, with_labelled
from .presets import ABLATIONS, preset
from .session import OpenCrops
from .settings import Settings, changed
from .state import check_architectures

TABLES = ("cohort", "test")
HELP = "See gasnet experiment --help."


@dataclass(frozen=True)
class Experiment:
    """What is varied; see the module's text."""

    cohort: Path
    test: Path | None = None
    preset: str = "improved"
    changes: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[int, ...] = (1,)
    segmenters: tuple[str, ...] = ("unet",)
    ablations: tuple[str, ...] = ("all", "supervised")
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Combination:
    """One training of an experiment."""

    labels: int
    segmenter: str
    ablation: str
    seed: int

    @property
    def folder(self) -> str:
        """Name of its run folder."""
        ablation = self.ablation.replace(" ", "-")
        return f"labels-{self.labels}_{self.segmenter.replace('+', 'p')}_{ablation}_seed-{self.seed}"


def read_experiment(path: str | Path) -> Experiment:
    """Read the file.

    Raises:
        RunError: it cannot be read, or names something that there is not.
    """
    path = Path(path)
    data = _data(path)
    try:
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
        tables = {name: (path.parent / data[name]).absolute() for name in TABLES if name in data}
    except TypeError as error:
        raise RunError(f"{path.name} names no file as a table ({error}).", HELP) from error
    experiment = Experiment(**values | tables)
    unknown = [name for name in experiment.ablations if name not in ABLATIONS]
    if unknown:
        raise RunError(f"There is no ablation “{unknown[0]}”.", f"Choose from {', '.join(ABLATIONS)}.")
    for combination in combinations(experiment):
        check_architectures(settings_of(experiment, combination))
    return experiment


def _data(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise RunError(f"There is no file {path}.", HELP)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise RunError(f"{path.name} is no JSON: line {error.lineno}, {error.msg}.", HELP) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RunError(f"{path.name} cannot be read: {reason}.", HELP) from error
    if not isinstance(data, dict) or "cohort" not in data:
        raise RunError(f"{path.name} is no experiment: it names no cohort.", HELP)
    unknown = sorted(set(data) - {f.name for f in fields(Experiment)})
    if unknown:
        raise RunError(f"{path.name} names “{unknown[0]}”, which no experiment has.", HELP)
    return data


def combinations(experiment: Experiment) -> list[Combination]:
    """All trainings, in the order in which they are done: every seed once, then again."""
    e = experiment
    return [
        Combination(n, s, a, seed) for seed, n, s, a in product(e.seeds, e.labels, e.segmenters, e.ablations)
    ]


def settings_of(experiment: Experiment, combination: Combination) -> Settings:
    """Settings of one training.

    Raises:
        RunError: they make no sense.
    """
    settings = changed(preset(experiment.preset), experiment.changes)
    settings = changed(settings, ABLATIONS[combination.ablation])
    settings = changed(settings, {"segmenter.name": combination.segmenter})
    return replace(settings, seed=combination.seed)


def labelled_of(cohort: Cohort, count: int, seed: int) -> list[str]:
    """Names of ``count`` labelled cases; each seed begins with another one.

    Raises:
        RunError: there are fewer.
    """
    names = [case.name for case in cohort.with_role("labelled")]
    if count > len(names):
        raise RunError(f"{count} labelled cases are asked for and {len(names)} are there.", "Ask for fewer.")
    return [names[(seed + i) % len(names)] for i in range(count)]


def run_experiment(
    experiment: Experiment,
    folder: str | Path,
    train: Callable[[RunFolder], None],
    device: str = "auto",
    told: Callable[[str], None] = print,
    open_crops: OpenCrops = crops_of_files,
) -> list[RunFolder]:
    """Do what is not done yet, then write the tables and curves.

    Args:
        train: works on a run to its end. told: hears what begins, and which training failed.
        open_crops: gives the crops of the cases, as :func:`GASNetLib.cohort.crop_cache.open_crops`.

    Raises:
        RunError: the cohort does not fit, or a test case is among the cases to learn from.
        CohortError: a table cannot be read, or a test case cannot be used.
    """
    folder, cohort = Path(folder), read_cohort(experiment.cohort)
    wanted = combinations(experiment)
    for combination in wanted:  # all faults before the first hour of computing
        names = labelled_of(cohort, combination.labels, combination.seed)
        check_roles(with_labelled(cohort, names), settings_of(experiment, combination))
    test = _test_crops(experiment, cohort, folder, told, open_crops)
    done: dict[Combination, RunFolder] = {}
    for number, combination in enumerate(wanted, start=1):
        told(f"{number} of {len(wanted)}: {combination.folder}")
        run = RunFolder(folder / combination.folder)
        try:
            if not run.config_file.exists():
                run = prepare_run(
                    run.path,
                    cohort,
                    settings_of(experiment, combination),
                    device=device,
                    labelled=labelled_of(cohort, combination.labels, combination.seed),
                )
            if run.state().state != "done":
                train(run)
        except GASNetError as error:
            told(f"{combination.folder}: {error}")
        done[combination] = run
        write_results(folder, done, test)
    return list(done.values())


def _test_crops(
    experiment: Experiment,
    cohort: Cohort,
    folder: Path,
    told: Callable[[str], None],
    open_crops: OpenCrops,
) -> Crops | None:
    if experiment.test is None:
        return None

    def opened(cases: Cohort) -> Crops:
        told(f"Preparing {len(cases)} CTs")
        return open_crops(
            cases, folder / "cache", progress=lambda what, fraction: None, cancelled=lambda: False
        )

    return open_held_out(cohort, read_cohort(experiment.test), opened)
