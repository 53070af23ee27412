"""Train the starter model with GASNet, and the cross-validation over patients that gives its figures.

    python Resources/Models/train_starter.py tables DATA WORK
    python Resources/Models/train_starter.py train WORK RECIPE 0|1|final      (a parent before its children)
    python Resources/Models/train_lungs.py DATA 0|1 WORK/lungs-0|1.safetensors
    python Resources/Models/train_starter.py measure WORK 0|1 RECIPE...
    python Resources/Models/train_starter.py report WORK                      (writes and prints the tables)
    python Resources/Models/train_starter.py publish WORK RECIPE OUT.safetensors

DATA is the folder that the model card describes. Each of two folds leaves out half of the patients. Nothing
is chosen by what is left out: lengths are fixed, the last weights count, and the threshold of a model is the
one of its recipe, or that its training chose on its healthy cases
(:func:`GASNetLib.training.validation.threshold_by_healthy`).
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from GASNetLib.cohort import Case, Cohort, read_cohort, write_cohort
from GASNetLib.lungs import find_lungs
from GASNetLib.metrics import Overlap, summary
from GASNetLib.model import load_model, save_model
from GASNetLib.run.folder import RunFolder
from GASNetLib.segment import segment
from GASNetLib.training.preparation import prepare_run
from GASNetLib.training.presets import preset
from GASNetLib.training.settings import changed
from GASNetLib.volume import read_mask, read_volume

LESIONS = {
    **{f"medseg_{n}": f"medseg/medseg_{n}" for n in ("01", "02", "07", "09")},
    **{f"run{n}": f"covid19_ct_seg_8bit/run{n}" for n in ("01", "02", "03", "04")},
}
LESION_FREE = {
    **{name: f"noncovid/{name}" for name in ("lidc0001", "dsb00cba", "lctscS1104", "cip")},
    **{f"imlab_id00{n}": f"noncovid/imlab_id00{n}" for n in (1, 2, 3, 4)},
}
DISEASED = {"ricord_001012": "ricord/ricord1a_001012"}
"""Volume label only; no mask."""

FOLDS = {
    "0": ("medseg_01", "medseg_07", "run01", "run03", "lidc0001", "lctscS1104", "imlab_id001", "imlab_id003"),
    "1": ("medseg_02", "medseg_09", "run02", "run04", "dsb00cba", "cip", "imlab_id002", "imlab_id004"),
    "final": (),
}
"""Cases left out."""

ONE_LABEL = {"0": "medseg_09", "1": "medseg_01"}
"""The only labelled case of the recipes with one; the other training cases count as diseased."""

HU_THRESHOLD = "hu-threshold"
"""The baseline: all denser voxels of the lungs, above the HU that is best on the cases trained on."""

LICENCE = "CC BY-NC 4.0; see the model card"
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
HU_THRESHOLDS = tuple(range(-850, -295, 25))
OFF = None


@dataclass(frozen=True)
class Recipe:
    """Changes of the preset ``quick``; ``labels`` "one" or "all"; ``parent`` is the recipe it starts from.

    ``iterations`` of a fold, and of the training on all cases, of which there are twice as many.
    ``threshold`` None: by the healthy cases of the training.
    """

    labels: str
    changes: dict = field(default_factory=dict)
    parent: str | None = None
    iterations: tuple[int, int] = (350, 1000)
    threshold: float | None = None


ADVERSARIAL_ITERATIONS = (40, 40)
LONGER_ITERATIONS = (1000, 1500)

BASE = {"val_every": 10_000, "preview_every": 100}
SUPERVISED = {**BASE, "terms.healthy": OFF, "terms.ps": OFF, "terms.transplant": OFF}
LABELS = {**BASE, "terms.ps": 200}
LONGER = {**BASE, "seed": 1, "terms.ps": 0, "optimisation.rate_s": 1e-3}
"""All terms from the start, in another order of the cases, with rates that rise and fall once more."""

DENSER = {"transplant_hu": (-100.0, 900.0)}
"""A fifth of the transplanted lesions becomes a consolidation throughout."""

FINAL = {"terms.ps": 600, "terms.repair": 500, "optimisation.rate_g": 1e-3}
FINAL_LONGER = {"terms.repair": 0, "optimisation.rate_g": 1e-3}
"""G learns beside S, which it does not touch; the folds are about S and do without."""

WITHOUT_PS = {"terms.ps": OFF, "terms.transplant": OFF}
ADVERSARIAL = {
    **BASE,
    **dict.fromkeys(("terms.gan", "terms.ig_to_d", "terms.id_to_d", "terms.recons", "terms.mil"), 0),
    **{"terms.ps": 0, "terms.repair": 0, "theta": 2},
    "optimisation.warm_up": 5,
    **{"optimisation.rate_s": 3e-4, "optimisation.rate_g": 1e-3, "optimisation.rate_d": 2e-4},
}
"""All terms, from a parent that learned from labels and pseudo-labels; D begins here."""


def _adversarial(labels: str, parent: str, **changes: object) -> Recipe:
    return Recipe(labels, {**ADVERSARIAL, **changes}, parent, ADVERSARIAL_ITERATIONS)


RECIPES = {
    "supervised-one": Recipe("one", SUPERVISED),
    "supervised-all": Recipe("all", SUPERVISED),
    "labels-one": Recipe("one", LABELS),
    "labels-all": Recipe("all", LABELS),
    "supervised-longer-all": Recipe("all", {**LONGER, **SUPERVISED}, "supervised-all", LONGER_ITERATIONS),
    "longer-one": Recipe("one", LONGER, "labels-one", (400, 400)),
    "longer-all": Recipe("all", LONGER, "labels-all", LONGER_ITERATIONS),
    "longer-all-2": Recipe("all", {**LONGER, "seed": 2}, "labels-all", LONGER_ITERATIONS),
    "dense-one": Recipe("one", {**LABELS, **DENSER}),
    "dense-all": Recipe("all", {**LONGER, **DENSER, "seed": 4}, "longer-all", (400, 600), 0.4),
    "gasnet-one": _adversarial("one", "labels-one"),
    "gasnet-all": _adversarial("all", "labels-all"),
    "gasnet-one-without-L_IdToD": _adversarial("one", "labels-one", **{"terms.id_to_d": OFF}),
    "labels-one-without-L_ps": Recipe("one", {**LABELS, **WITHOUT_PS}),
    "gasnet-one-without-L_ps": _adversarial("one", "labels-one-without-L_ps", **WITHOUT_PS),
}


@dataclass(frozen=True)
class Counts:
    """Voxels of one case at one threshold, and the volume of a voxel."""

    overlap: Overlap
    voxel_ml: float


def tables(data: Path, work: Path) -> None:
    """Cohort tables: what each fold trains on, and what it leaves out."""
    work.mkdir(parents=True, exist_ok=True)
    for fold, held_out in FOLDS.items():
        trained = [_case(data, name) for name in (LESIONS | LESION_FREE | DISEASED) if name not in held_out]
        write_cohort(Cohort(tuple(trained)), work / f"train-{fold}.csv")
        if held_out:
            left_out = [_case(data, name) for name in held_out]
            left_out = [replace(c, role="validation") if c.mask else c for c in left_out]
            write_cohort(Cohort(tuple(left_out)), work / f"held-out-{fold}.csv")


def _case(data: Path, name: str) -> Case:
    stem = (LESIONS | LESION_FREE | DISEASED)[name]
    (ct,) = data.glob(f"{stem}_ct*")
    if name in LESIONS:
        return Case(name, ct.absolute(), (data / f"{stem}_lesion.nii.gz").absolute(), "labelled")
    return Case(name, ct.absolute(), None, "healthy" if name in LESION_FREE else "diseased")


def train(work: Path, name: str, fold: str) -> None:
    """One training, in a process of its own; one that was interrupted goes on."""
    recipe, run = RECIPES[name], _run(work, name, fold)
    if not run.config_file.exists():
        iterations = recipe.iterations[fold == "final"]
        settings = changed(preset("quick"), {**recipe.changes, "iterations": iterations})
        if fold == "final":
            settings = changed(settings, FINAL if recipe.parent is None else FINAL_LONGER)
        prepare_run(
            run.path,
            read_cohort(work / f"train-{fold}.csv"),
            replace(settings, name=name),
            device="cpu",
            parent=_run(work, recipe.parent, fold).last_model if recipe.parent else None,
            labelled=[ONE_LABEL[fold]] if recipe.labels == "one" else (),
            cache=work / "cache",
            licence=LICENCE,
        )
    if run.state().state != "done":
        subprocess.run([sys.executable, "-m", "GASNetLib.training", str(run.path)], check=True)


def _run(work: Path, name: str, fold: str) -> RunFolder:
    return RunFolder(work / "runs" / f"{name}-{fold}")


def measure(work: Path, fold: str, names: list[str]) -> None:
    """Count voxels of the cases that a fold left out, at every threshold, on their own grids.

    The lungs' network is one that left them out, too.
    """
    models = {name: load_model(_run(work, name, fold).last_model) for name in names}
    lungs_network = load_model(work / f"lungs-{fold}.safetensors")
    found: dict[str, dict] = {name: {} for name in [*models, HU_THRESHOLD]}
    for case in read_cohort(work / f"held-out-{fold}.csv"):
        volume = read_volume(case.ct)
        lungs = find_lungs(volume, network=lungs_network)
        reference = np.zeros(volume.hu.shape, bool)
        if case.mask is not None:
            reference = read_mask(case.mask, volume.geometry)[0] > 0
        voxel_ml = volume.geometry.voxel_ml
        for name, model in models.items():
            probability = segment(volume, model, device="cpu", lungs=lungs).probability
            found[name][case.name] = _counts(probability, reference, THRESHOLDS, voxel_ml)
        inside = np.where(lungs.labels > 0, volume.hu, -2000)
        found[HU_THRESHOLD][case.name] = _counts(inside, reference, HU_THRESHOLDS, voxel_ml)
        print(fold, case.name, flush=True)
    folder = work / "measured"
    folder.mkdir(exist_ok=True)
    for name, cases in found.items():
        threshold = models[name].info.threshold if name in models else None
        measured = {"threshold": threshold, "cases": cases}
        (folder / f"{name}-{fold}.json").write_text(json.dumps(measured))


def _counts(values: np.ndarray, reference: np.ndarray, thresholds: tuple, voxel_ml: float) -> dict:
    """By threshold: TP, FP, FN, TN of ``values > threshold``, and the ml of a voxel."""
    edges = np.array([-np.inf, *thresholds, np.inf], np.float32)
    # "right" puts a value equal to a threshold below it, as ">" does.
    ill, well = (
        np.bincount(np.searchsorted(edges[1:-1], values[part], side="left"), minlength=len(edges) - 1)
        for part in (reference, ~reference)
    )
    counts = {}
    for index, threshold in enumerate(thresholds, start=1):
        tp, fp = int(ill[index:].sum()), int(well[index:].sum())
        counts[str(threshold)] = [tp, fp, int(ill.sum()) - tp, int(well.sum()) - fp, voxel_ml]
    return counts


def report(work: Path) -> None:
    """``cases.csv`` and ``summary.csv``, and both printed as Markdown."""
    rows = []
    for name in [HU_THRESHOLD, *RECIPES]:
        paths = {fold: work / "measured" / f"{name}-{fold}.json" for fold in ("0", "1")}
        if all(path.exists() for path in paths.values()):
            measured = {fold: json.loads(path.read_text()) for fold, path in paths.items()}
            rows += _rows(name, measured)
    _write(work / "cases.csv", rows)
    _write(work / "summary.csv", _summaries(rows))


def _rows(name: str, measured: dict) -> list[dict]:
    rows = []
    for fold, own in measured.items():
        # What one fold leaves out is what the other one trained on.
        (trained_on,) = (other["cases"].values() for number, other in measured.items() if number != fold)
        chosen = RECIPES[name].threshold if name in RECIPES else None
        threshold = str(chosen or own["threshold"] or best_threshold(list(trained_on)))
        for case, counts in own["cases"].items():
            *voxels, voxel_ml = counts[threshold]
            overlap = Overlap(*voxels)
            rows.append(
                {
                    "recipe": name,
                    "case": case,
                    "threshold": float(threshold),
                    "dice": overlap.dice if case in LESIONS else None,
                    "sensitivity": overlap.sensitivity,
                    "specificity": overlap.specificity,
                    "volume error ml": (overlap.false_positives - overlap.false_negatives) * voxel_ml,
                }
            )
    return rows


def best_threshold(cases: list[dict]) -> str:
    """The threshold with the best mean Dice over the cases that have lesions."""

    def mean_dice(threshold: str) -> float:
        overlaps = [Overlap(*counts[threshold][:4]) for counts in cases]
        ill = [o.dice for o in overlaps if o.true_positives + o.false_negatives]
        return float(np.mean(ill))

    return max(cases[0], key=mean_dice)


def _summaries(rows: list[dict]) -> list[dict]:
    groups = {"medseg": "medseg", "8-bit": "run"}
    summaries = []
    for name in dict.fromkeys(row["recipe"] for row in rows):
        own = [row for row in rows if row["recipe"] == name]
        line = {"recipe": name}
        for group, start in {**groups, "all": ""}.items():
            line[f"Dice {group}"] = _mean_sd([r["dice"] for r in own if r["case"].startswith(start)])
        ill = [r for r in own if r["case"] in LESIONS]
        line["sensitivity"] = _mean_sd([r["sensitivity"] for r in ill])
        line["|volume error| ml"] = _mean_sd([abs(r["volume error ml"]) for r in ill], 0)
        line["false lesion ml"] = _mean_sd([r["volume error ml"] for r in own if r["case"] in LESION_FREE], 0)
        summaries.append(line)
    return summaries


def _mean_sd(values: list, digits: int = 3) -> str:
    figure = summary(values)
    return "–" if figure.mean is None else f"{figure.mean:.{digits}f} ± {figure.sd or 0:.{digits}f}"


def _write(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    def text(value: object) -> str:
        return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)

    lines = [list(rows[0]), ["---"] * len(rows[0]), *([text(v) for v in row.values()] for row in rows)]
    print("\n".join("| " + " | ".join(line) + " |" for line in lines), end="\n\n")


def publish(work: Path, name: str, out: Path) -> None:
    """The model trained on all cases, with the figures of the cross-validation."""
    model = load_model(_run(work, name, "final").last_model)
    with (work / "cases.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["recipe"] == name]
    metrics = {
        "what": "two-fold cross-validation over patients with the same recipe; see MODEL_CARD.md",
        "cases": {row["case"]: {k: float(v) for k, v in list(row.items())[2:] if v} for row in rows},
        "dice": asdict(summary(float(row["dice"]) for row in rows if row["dice"])),
    }
    threshold = RECIPES[name].threshold or model.info.threshold
    info = replace(model.info, name="GASNet starter", threshold=threshold, metrics=metrics, licence=LICENCE)
    print(save_model(out, info, model.segmenter, model.generator).sha256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("tables")
    command.add_argument("data", type=Path)
    command.add_argument("work", type=Path)
    command = commands.add_parser("train")
    command.add_argument("work", type=Path)
    command.add_argument("recipe", choices=RECIPES)
    command.add_argument("fold", choices=FOLDS)
    command = commands.add_parser("measure")
    command.add_argument("work", type=Path)
    command.add_argument("fold", choices=("0", "1"))
    command.add_argument("recipes", nargs="+", choices=RECIPES)
    command = commands.add_parser("report")
    command.add_argument("work", type=Path)
    command = commands.add_parser("publish")
    command.add_argument("work", type=Path)
    command.add_argument("recipe", choices=RECIPES)
    command.add_argument("out", type=Path)
    a = parser.parse_args()
    if a.command == "tables":
        tables(a.data, a.work)
    elif a.command == "train":
        train(a.work, a.recipe, a.fold)
    elif a.command == "measure":
        measure(a.work, a.fold, a.recipes)
    elif a.command == "report":
        report(a.work)
    else:
        publish(a.work, a.recipe, a.out)


if __name__ == "__main__":
    main()
