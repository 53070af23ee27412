"""``gasnet evaluate``: a model, or predictions that are there already, against reference masks."""

from __future__ import annotations

import argparse
import csv
import io
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..atomic import check_writable, write_atomically
from ..cohort import ROLES, read_cohort
from ..cohort.tree import find_cases
from ..device import DEVICES
from ..errors import InputError
from ..export import SEGMENTATION_ENDINGS
from ..folder_run import tried
from ..geometry import Geometry
from ..metrics import overlap, summary, surface_distances
from ..volume import case_name, read_mask, read_volume
from .inputs import open_model
from .terminal import number, print_table, progress_bar, threshold

FIGURES = ("dice", "sensitivity", "specificity", "volume_error_ml", "surface_mm", "hausdorff95_mm")


Predict = Callable[["Reference"], tuple[np.ndarray, Geometry]]
"""Gives the predicted mask of a case and the grid it lies on."""


@dataclass(frozen=True)
class Reference:
    """A case with its reference mask; None for a healthy case, in which nothing is to be found."""

    name: str
    ct: Path
    mask: Path | None


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add ``evaluate`` to the command line."""
    parser = subparsers.add_parser(
        "evaluate",
        help="compare a model or predictions with reference masks",
        description="Dice, sensitivity, specificity, volume error and surface distances for each case, and "
        "mean ± SD over the cases (sample SD; undefined values are left out, n says how many count). "
        "Cases with the role healthy count as empty references. Specificity counts the whole volume, not "
        "only the lungs. Predictions and references are label images or .seg.nrrd; DICOM SEG is not read.",
    )
    parser.add_argument(
        "cases",
        type=Path,
        metavar="CASES",
        help="cohort table, or folder with CTs and their masks beside them (NAME_ct.*, NAME_lesion.*)",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--model",
        type=Path,
        metavar="M",
        help="model package to segment the CTs with (default: the starter model)",
    )
    source.add_argument(
        "--predictions", type=Path, metavar="DIR", help="folder of predictions named as the cases"
    )
    parser.add_argument(
        "--threshold", type=threshold, metavar="T", help="for --model, between 0 and 1 (default: the model's)"
    )
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="default: a GPU that works, else CPU"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="CSV", help="write the figures of each case")
    parser.set_defaults(run=run, refuse=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Print and write the figures; 1 if a case could not be evaluated."""
    if arguments.predictions and arguments.threshold is not None:
        arguments.refuse("--threshold goes with --model: predictions are masks already")
    if arguments.output:
        check_writable(arguments.output)
    references, faults = _references(arguments.cases, arguments.predictions)
    predict = _predictor(arguments)
    seen = traceback.print_exception if arguments.traceback else None
    found = {}
    with progress_bar() as progress:
        for position, reference in enumerate(references):
            progress(reference.name, position / len(references))
            found[reference.name] = tried(reference.name, partial(_figures, reference, predict), seen)
    rows = {name: row for name, row in found.items() if "error" not in row}
    failed = faults + [[name, row["error"]] for name, row in found.items() if "error" in row]
    for name, why in failed:
        print(f"{name}: {why}", file=sys.stderr)
    if not rows:
        raise InputError("No case could be evaluated.", "See the reasons above.")
    _print(rows)
    if arguments.output:
        write_atomically(arguments.output, _csv(rows).encode())
    return 1 if failed else 0


def _predictor(arguments: argparse.Namespace) -> Predict:
    if arguments.predictions:
        return lambda reference: _stored_prediction(arguments.predictions, reference)
    model, device = open_model(arguments.model, arguments.device)
    from ..segment import segment

    def predict(reference: Reference) -> tuple[np.ndarray, Geometry]:
        volume = read_volume(reference.ct)
        result = segment(volume, model, device=device, threshold=arguments.threshold)
        return result.lesions, volume.geometry

    return predict


def _stored_prediction(folder: Path, reference: Reference) -> tuple[np.ndarray, Geometry]:
    stems = (reference.name, case_name(reference.ct))
    found = [p for stem in stems for e in SEGMENTATION_ENDINGS[:-1] if (p := folder / f"{stem}{e}").exists()]
    if not found:
        raise InputError(f"There is no prediction of {reference.name} in {folder}.")
    return read_mask(found[0], read_volume(reference.ct).geometry)


def _references(path: Path, predictions: Path | None) -> tuple[list[Reference], list[list[str]]]:
    """The cases with a reference, and what in a folder cannot be used: its place and the reason."""
    if path.is_dir() and not any((path / role).is_dir() for role in ROLES):
        cases, faults = find_cases(path, [predictions] if predictions else [])
        unmarked = [case.name for case in cases if not case.mask]
    else:
        cases, faults = read_cohort(path).cases, []
        unmarked = [case.name for case in cases if not case.mask and case.role != "healthy"]
    found = [Reference(case.name, case.ct, case.mask) for case in cases if case.name not in unmarked]
    if unmarked:
        print(f"Left out, as they have no mask: {', '.join(unmarked)}.", file=sys.stderr)
    if not found:
        raise InputError(
            " ".join([f"{path} holds no CT with a reference mask.", *(f"{fault}." for fault in faults)]),
            "Name masks like their CTs, with _lesion at the end.",
        )
    return found, [[str(path), f"{fault}."] for fault in faults]


def _figures(reference: Reference, predict: Predict) -> dict[str, float | None]:
    """Dice is left undefined where nothing is to be found: there the false volume tells all."""
    prediction, geometry = predict(reference)
    mask = np.zeros_like(prediction)
    if reference.mask is not None:
        mask, _ = read_mask(reference.mask, geometry)
    counted = overlap(prediction, mask)
    distances = surface_distances(prediction, mask, geometry)
    return {
        "dice": counted.dice if mask.any() else None,
        "sensitivity": counted.sensitivity,
        "specificity": counted.specificity,
        "volume_error_ml": counted.volume_error_ml(geometry),
        "surface_mm": distances.mean,
        "hausdorff95_mm": distances.hausdorff95,
    }


def _print(rows: dict[str, dict[str, float | None]]) -> None:
    columns = [
        "Case",
        "Dice",
        "Sensitivity",
        "Specificity",
        "Volume error ml",
        "Surface mm",
        "95 % Hausdorff mm",
    ]
    digits = (3, 3, 4, 1, 1, 1)
    table = [
        [name, *(number(row[key], n) for key, n in zip(FIGURES, digits, strict=True))]
        for name, row in rows.items()
    ]
    means = []
    for key, n in zip(FIGURES, digits, strict=True):
        over = summary(row[key] for row in rows.values())
        means.append(
            f"{number(over.mean, n)} ± {number(over.sd, n)}" + (f" (n={over.n})" if over.undefined else "")
        )
    print_table(f"{len(rows)} cases", columns, [*table, ["mean ± SD", *means]])


def _csv(rows: dict[str, dict[str, float | None]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["case", *FIGURES])
    for name, row in rows.items():
        writer.writerow([name, *("" if row[key] is None else f"{row[key]:.6g}" for key in FIGURES)])
    return text.getvalue()
