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

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from ..atomic import write_atomically
from ..cohort import Cohort, read_cohort
from ..cohort.crop_cache import open_crops as crops_of_files
from ..errors import GASNetError
from ..metrics import summary
from ..run.errors import RunError
from ..run.folder import RunFolder
from .batches import Crops
from .held_out import figures_on_test, open_held_out
from .preparation import check_roles, prepare_run, with_labelled
from .presets import ABLATIONS, preset
from .session import OpenCrops
from .settings import Settings, changed
from .state import check_architectures

FIGURES = ("dice", "sensitivity", "specificity")
KEY = ("labels", "segmenter", "ablation")
TABLES = ("cohort", "test")
BASELINE = "supervised"
"""What the margins are over, seed by seed."""


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
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
        tables = {name: (path.parent / data[name]).absolute() for name in TABLES if name in data}
        experiment = Experiment(**{**values, "cohort": tables["cohort"], **tables})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(f"{path.name} is no experiment ({error}).", "See gasnet experiment --help.") from error
    unknown = [name for name in experiment.ablations if name not in ABLATIONS]
    if unknown:
        raise RunError(f"There is no ablation “{unknown[0]}”.", f"Choose from {', '.join(ABLATIONS)}.")
    for combination in combinations(experiment):
        check_architectures(settings_of(experiment, combination))
    return experiment


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


def write_results(folder: Path, runs: Mapping[Combination, RunFolder], test: Crops | None = None) -> None:
    """``cases.csv``, ``table.csv``, ``curves.csv`` and ``curves.png`` of the runs that have been validated.

    All figures are those of the best parameters on the network's grid. The validation cases *chose* these
    parameters: their figures are fair between the rows, and a little too good for cases never seen. The test
    cases chose nothing.
    """
    sets = {"validation": {key: best for key, run in runs.items() if (best := _best(run)) is not None}}
    if test is not None:
        found = {key: figures_on_test(runs[key], test) for key in sets["validation"]}
        sets["test"] = {key: figures for key, figures in found.items() if figures is not None}
    cases = [
        {**vars(key), "set": name, "case": case, "dice": dice}
        for name, judged in sets.items()
        for key, figures in judged.items()
        for case, dice in figures["cases"].items()
    ]
    _write_csv(folder / "cases.csv", [*KEY, "seed", "set", "case", "dice"], cases)
    rows = [row for name, judged in sets.items() for row in _table(name, judged)]
    _write_csv(folder / "table.csv", [*KEY, "set", "runs", *_columns()], rows)
    points = _points(runs)
    _write_csv(folder / "curves.csv", [*KEY, "seed", "iteration", "name", "value"], points)
    if points:
        _draw(folder / "curves.png", points)


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


def _best(run: RunFolder) -> dict | None:
    found = [event for event in run.events() if event["kind"] == "validation" and event["best"]]
    return found[-1] if found else None


def _columns() -> list[str]:
    figures = [f"{figure}_{part}" for figure in FIGURES for part in ("mean", "sd_of_cases", "sd_of_seeds")]
    return [*figures, "margin_mean", "margin_sd_of_seeds"]


def _table(name: str, judged: Mapping[Combination, Mapping[str, Any]]) -> list[dict]:
    """Rows of one set of cases; the margin is the mean Dice minus that of the baseline of the same seed."""
    groups: dict[tuple, dict[Combination, Mapping[str, Any]]] = {}
    for key, figures in judged.items():
        groups.setdefault((key.labels, key.segmenter, key.ablation), {})[key] = figures
    rows = []
    for group, found in groups.items():
        row: dict[str, Any] = {**dict(zip(KEY, group, strict=True)), "set": name, "runs": len(found)}
        for figure in FIGURES:
            means = summary(figures[figure]["mean"] for figures in found.values())
            row[f"{figure}_mean"], row[f"{figure}_sd_of_seeds"] = means.mean, means.sd
            row[f"{figure}_sd_of_cases"] = summary(f[figure]["sd"] for f in found.values()).mean
        pairs = [(found[key], judged.get(replace(key, ablation=BASELINE))) for key in found]
        margins = summary(_difference(ours, base) for ours, base in pairs)
        row["margin_mean"], row["margin_sd_of_seeds"] = margins.mean, margins.sd
        rows.append(row)
    return rows


def _difference(ours: Mapping[str, Any], base: Mapping[str, Any] | None) -> float | None:
    if base is None or ours["dice"]["mean"] is None or base["dice"]["mean"] is None:
        return None
    return ours["dice"]["mean"] - base["dice"]["mean"]


def _points(runs: Mapping[Combination, RunFolder]) -> list[dict]:
    points = []
    for key, run in runs.items():
        for event in run.events():
            values = {"validation Dice": event["dice"]["mean"]} if event["kind"] == "validation" else {}
            values |= event["losses"] if event["kind"] == "iteration" else {}
            points += [
                {**vars(key), "iteration": event["iteration"], "name": name, "value": value}
                for name, value in values.items()
                if value is not None
            ]
    return points


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def _draw(path: Path, points: Sequence[Mapping[str, Any]]) -> None:
    """One panel per value, one line per combination (mean over the seeds)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    names = sorted({point["name"] for point in points}, key=lambda name: (name != "validation Dice", name))
    columns = 3
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(5 * columns, 3.2 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    groups = sorted({tuple(point[key] for key in KEY) for point in points})
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for group, (iterations, values) in _lines(points, name).items():
            axes.plot(iterations, values, color=f"C{groups.index(group)}", linewidth=1)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("iteration", fontsize=8)
    handles = [Line2D([], [], color=f"C{number}") for number in range(len(groups))]
    names_of_groups = [" · ".join(map(str, group)) for group in groups]
    figure.legend(handles, names_of_groups, loc="outside lower center", ncols=columns)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomically(path, buffer.getvalue())


def _lines(points: Sequence[Mapping[str, Any]], name: str) -> dict[tuple, tuple[list[int], list[float]]]:
    """Iterations and mean values over the seeds, by combination."""
    gathered: dict[tuple, dict[int, list[float]]] = {}
    for point in points:
        if point["name"] == name:
            group = tuple(point[key] for key in KEY)
            gathered.setdefault(group, {}).setdefault(point["iteration"], []).append(point["value"])
    return {
        group: (sorted(values), [sum(values[i]) / len(values[i]) for i in sorted(values)])
        for group, values in gathered.items()
    }
