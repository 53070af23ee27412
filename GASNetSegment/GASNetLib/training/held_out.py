"""The best parameters of a training on cases that it neither learned from nor was chosen by."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import torch

from ..atomic import write_atomically
from ..cohort import Cohort
from ..device import choose_device
from ..model import load_model, read_model_info
from ..run.errors import RunError
from ..run.folder import RunFolder
from .batches import Crops
from .settings import from_data
from .validation import validate

FILE = "test.json"


def open_held_out(cohort: Cohort, test: Cohort, open_crops: Callable[[Cohort], Crops]) -> Crops:
    """The crops of test cases; none may be a CT of the cohort, under whatever name and in whatever format.

    Raises:
        RunError: one is, or a test case has no mask. CohortError: a case gives no crop.
    """
    bare = [case.name for case in test if case.mask is None]
    if bare:
        raise RunError(f"The test case {bare[0]} has no mask.", "Give it one, or take it out of the table.")
    learned = {crop.voxels: name for name, crop in open_crops(cohort).items()}
    crops = open_crops(test)
    for name, crop in crops.items():
        twin = learned.get(crop.voxels)
        if twin is not None:
            cause = f"The test case {name} is the CT of {twin} in the cohort."
            raise RunError(cause, "Take it out of one of them.")
    return crops


def figures_on_test(run: RunFolder, crops: Crops) -> dict[str, Any] | None:
    """Figures of the run's best model on test cases, at the model's own threshold, on the network's grid.

    They are kept in the run folder with the model's hash and worked out again for another model.

    Args:
        crops: the test cases.

    Returns:
        ``dice``, ``sensitivity``, ``specificity`` each {``mean``, ``sd``, ``n``}, ``cases`` {name: dice},
        ``threshold``, ``model`` (SHA-256); None without a model.

    Raises:
        ModelError: the model cannot be used. InputError: a crop cannot be read.
    """
    if not run.best_model.exists():
        return None
    names, kept = sorted(crops), _kept(run)
    digest = read_model_info(run.best_model).sha256
    if kept is not None and (kept["model"], sorted(kept["cases"])) == (digest, names):
        return dict(kept)
    model, config = load_model(run.best_model), run.config()
    device = torch.device(choose_device(config["device"]))
    # The precision is that of the training: the same rounding as on the validation cases.
    settings = replace(from_data(config["settings"]), calibrate=False)
    found = validate(model.segmenter.to(device), crops, names, settings, device, model.info.threshold)
    figures = {**asdict(found), "model": digest}
    write_atomically(run.path / FILE, json.dumps(figures, indent=2).encode())
    return figures


def _kept(run: RunFolder) -> Mapping[str, Any] | None:
    try:
        kept = json.loads((run.path / FILE).read_text(encoding="utf-8"))
        return kept if {"model", "cases"} <= kept.keys() else None
    except (OSError, ValueError, AttributeError):
        return None
