"""What a training measures is what a user will get; where it cuts the probability without masks to go by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from GASNetLib.cohort import Cohort
from GASNetLib.cohort.network_crop import crop_to_lungs
from GASNetLib.crop import from_network
from GASNetLib.lungs import find_lungs
from GASNetLib.model import load_model
from GASNetLib.phantom import make_phantom
from GASNetLib.segment import segment
from GASNetLib.training.packages import write_package
from GASNetLib.training.preparation import prepare_run
from GASNetLib.training.presets import preset
from GASNetLib.training.session import work_on
from GASNetLib.training.settings import changed
from GASNetLib.training.state import new_state
from GASNetLib.training.validation import (
    CALIBRATION,
    HEALTHY_SHARE,
    LEAST_BY_HEALTHY,
    predicted,
    threshold_by_healthy,
)
from GASNetLib.volume import WINDOW_HU, Volume, volume_from_array
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


def stored_as(intensities: str) -> Volume:
    """A phantom in HU, or as 0–255."""
    phantom = make_phantom(seed=4, shape=(28, 72, 72), lesions="moderate")
    low, high = WINDOW_HU
    grey = np.rint((phantom.hu.clip(low, high) - low) * (255 / (high - low))).astype(np.uint8)
    volume = volume_from_array({"hu": phantom.hu, "window": grey}[intensities], phantom.geometry)
    assert volume.intensities == intensities
    return volume


@pytest.mark.parametrize("intensities", ["hu", "window"])
def test_a_validation_case_is_seen_as_a_result_sees_it(tmp_path, intensities):
    small = {"segmenter.channels": 4, "segmenter.levels": 2, "patch": [24, 96, 96]}
    settings, volume = changed(SETTINGS, small), stored_as(intensities)
    state, lungs = new_state(settings, CPU), find_lungs(volume)
    write_package(tmp_path / "model.safetensors", state, settings, {}, None)
    result = segment(volume, load_model(tmp_path / "model.safetensors"), device="cpu", lungs=lungs)

    def on_the_ct(crop) -> np.ndarray:
        return from_network(predicted(state.averaged, crop, settings, CPU), crop.grid, volume.geometry)

    # A crop is rounded to whole HU.
    crop = crop_to_lungs(volume, lungs)
    np.testing.assert_allclose(on_the_ct(crop), result.probability, atol=1e-3)
    otherwise = {"hu": "window", "window": "hu"}[intensities]
    differently = on_the_ct(replace(crop, intensities=otherwise))
    assert np.abs(differently - result.probability).max() > 5e-3


def test_a_training_without_validation_cases_saves_it_with_the_model(tmp_path):
    cases = tuple(case for case in tiny_cohort().cases if case.role != "validation")
    settings = changed(preset("smoke"), {"calibrate": True, "iterations": 2, "theta": 1, "terms.gan": None})
    run = prepare_run(tmp_path / "run", Cohort(cases), settings, device="cpu")
    assert work_on(run.path, open_crops=open_tiny_crops) == 0
    model = load_model(run.last_model)
    healthy = [case.name for case in cases if case.role == "healthy"]
    wanted = threshold_by_healthy(model.segmenter, tiny_crops(), healthy, settings, CPU)
    assert model.info.threshold == wanted != 0.5
