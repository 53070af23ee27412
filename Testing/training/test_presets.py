"""Presets are data: the paper's numbers, and changes by name."""

from __future__ import annotations

import json

import pytest

from GASNetLib.run.errors import RunError
from GASNetLib.training.presets import ABLATIONS, PRESETS, preset
from GASNetLib.training.settings import Terms, as_data, changed, checked, from_data


def test_paper_has_the_papers_numbers():
    paper = preset("paper")
    assert (paper.iterations, paper.theta, paper.batch, paper.lambda_s, paper.xi) == (14000, 5, 4, 100, 0.3)
    assert (paper.optimisation.rate_s, paper.optimisation.rate_g, paper.optimisation.rate_d) == (
        1e-4,
        1e-5,
        1e-5,
    )
    assert paper.segmenter == {"name": "unet", "channels": 16}
    assert paper.patch == (40, 160, 160)
    assert paper.terms == Terms(0, 0, 0, 0, 0, 0, 0, ps=7000)
    assert (paper.mil_voxels, paper.dice, paper.optimisation.ema, paper.calibrate) == (1, False, None, False)
    assert (paper.discriminator_view.floor_hu, paper.discriminator_view.ceiling_hu) == (-1250, 250)


def test_pseudo_labels_wait_for_half_of_the_papers_run():
    terms = preset("paper").terms
    assert "ps" not in terms.active(6999)
    assert "ps" in terms.active(7000)


def test_without_the_discriminator_its_auxiliary_terms_rest():
    assert Terms(gan=None).active(10**6) == {"segmentation", "healthy", "recons", "mil", "ps"}


@pytest.mark.parametrize("name", PRESETS)
def test_settings_survive_json(name):
    assert from_data(json.loads(json.dumps(as_data(preset(name))))) == checked(preset(name))


@pytest.mark.parametrize("name", PRESETS)
def test_settings_of_before_results_had_a_reach_of_their_own_mean_what_they_meant(name):
    older = as_data(preset(name))
    del older["result_reach_mm"]
    assert from_data(older) == changed(preset(name), {"result_reach_mm": preset(name).reach_mm})


@pytest.mark.parametrize("name", ["improved", "finetune", "quick"])
@pytest.mark.parametrize("ablation", ["without L_ps", "supervised", "MIL", "L_GAN and L_S only"])
def test_an_ablation_leaves_nothing_of_ours_that_would_stand_in(name, ablation):
    assert not changed(preset(name), ABLATIONS[ablation]).terms.ever_active() & {"transplant", "ps"}


@pytest.mark.parametrize("ablation", [a for a in ABLATIONS if a != "all"])
def test_each_ablation_switches_something_off_and_leaves_a_training(ablation):
    full, ablated = preset("paper"), changed(preset("paper"), ABLATIONS[ablation])
    assert ablated.terms.active(9999) < full.terms.active(9999)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": 3, "micro_batch": 2},
        {"patch": [8, 32, 32]},
        {"precision": "half"},
        {"optimisation.rate_s": 0},
        {"terms.segmentation": None, "terms.healthy": None, "terms.mil": None, "terms.ps": None},
        {"optimisation.speed": 1},
        {"colour": "red"},
        {"batch.size": 1},
        {"iterations": 0},
    ],
)
def test_settings_that_cannot_be_trained_with_are_refused_in_words(changes):
    with pytest.raises(RunError) as error:
        changed(preset("paper"), changes)
    assert error.value.advice


def test_unknown_preset_names_the_known():
    with pytest.raises(RunError, match="paper"):
        preset("fast")
