"""Tables and curves of an experiment (:mod:`.experiment`), from its run folders."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import write_atomically
from ..metrics import summary
from ..run.folder import RunFolder
from .batches import Crops
from .held_out import figures_on_test

if TYPE_CHECKING:
    from .experiment import Combination

FIGURES = ("dice", "sensitivity", "specificity")
KEY = ("labels", "segmenter", "ablation")
BASELINE = "supervised"
"""What the margins are over, seed by seed."""


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
