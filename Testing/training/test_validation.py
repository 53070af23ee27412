"""Where a training cuts the probability, when there are no masks to validate on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from GASNetLib.cohort import Cohort
from GASNetLib.model import load_model
from GASNetLib.training.preparation import prepare_run
from GASNetLib.training.presets import preset
from GASNetLib.training.session import work_on
from GASNetLib.training.settings import changed
from GASNetLib.training.validation import (
    CALIBRATION,
    HEALTHY_SHARE,
    LEAST_BY_HEALTHY,
    threshold_by_healthy,
)
from GASNetLib.volume import WINDOW_HU
from training.tiny_cohort import open_tiny_crops, tiny_cohort, tiny_crop, tiny_crops

SETTINGS = changed(preset("quick"), {"precision": "float32"})
CPU = torch.device("cpu")


def marks_density(steepness: float = 8.0) -> nn.Module:
    """A segmenter whose probability rises with HU and is 0.5 in the middle of the window (−500 HU)."""
    network = nn.Conv3d(1, 1, 1)
    nn.init.constant_(network.weight, steepness)
    nn.init.zeros_(network.bias)
    return network


def probability(hu: float, steepness: float = 8.0) -> float:
    low, high = WINDOW_HU
    return 1 / (1 + np.exp(-steepness * ((hu - low) * 2 / (high - low) - 1)))


def healthy_with(share: float, hu: float):
    """Lungs of −850 HU of which a share is denser."""
    crop = tiny_crop(0, diseased=False, with_mask=False)
    inside = np.argwhere(crop.lungs > 0)
    crop.hu[crop.lungs > 0] = -850
    crop.hu[tuple(inside[: int(share * len(inside))].T)] = hu
    return crop


def chosen(*crops) -> float:
    cases = {str(number): crop for number, crop in enumerate(crops)}
    return threshold_by_healthy(marks_density(), cases, tuple(cases), SETTINGS, CPU)


def test_it_is_the_lowest_that_leaves_the_vessels_of_healthy_lungs_alone():
    wanted = next(t for t in CALIBRATION if t >= probability(-560))
    assert chosen(healthy_with(0.05, -560)) == wanted
    assert LEAST_BY_HEALTHY < wanted < CALIBRATION[-1]


def test_what_fills_less_than_the_share_does_not_count():
    assert chosen(healthy_with(HEALTHY_SHARE / 2, -300)) == LEAST_BY_HEALTHY
    assert chosen(healthy_with(HEALTHY_SHARE * 2, -300)) > 0.8


def test_one_case_that_is_not_healthy_after_all_does_not_move_it():
    sound = [healthy_with(0.05, -700) for _ in range(2)]
    assert chosen(*sound, healthy_with(0.3, 0)) == chosen(*sound)


def test_a_network_that_marks_everything_gets_the_highest():
    assert chosen(healthy_with(0.5, 200)) == CALIBRATION[-1]


def test_without_healthy_cases_it_is_the_papers():
    assert chosen() == pytest.approx(0.5)


def test_a_training_without_validation_cases_saves_it_with_the_model(tmp_path):
    cases = tuple(case for case in tiny_cohort().cases if case.role != "validation")
    settings = changed(preset("smoke"), {"calibrate": True, "iterations": 2, "theta": 1, "terms.gan": None})
    run = prepare_run(tmp_path / "run", Cohort(cases), settings, device="cpu")
    assert work_on(run.path, open_crops=open_tiny_crops) == 0
    model = load_model(run.last_model)
    healthy = [case.name for case in cases if case.role == "healthy"]
    wanted = threshold_by_healthy(model.segmenter, tiny_crops(), healthy, settings, CPU)
    assert model.info.threshold == wanted != 0.5
