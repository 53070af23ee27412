"""The objective: every term against the paper's formula, and the pseudo-labels."""

from __future__ import annotations

import math

import pytest
import torch

from GASNetLib.training import terms
from GASNetLib.training.augmentation import UNITS_PER_HU, WATER
from GASNetLib.training.pseudo_labels import (
    changed_density,
    pseudo_labelled,
    synthetic_healthy,
    transplanted,
)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def volume(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, 1, -1)


def test_discriminator_terms_are_the_papers_logarithms():
    d_s, d_h, d_g, d_d = (torch.tensor([logit(p)] * 2) for p in (0.7, 0.2, 0.6, 0.9))
    assert terms.gan_discriminator(d_s, d_h).item() == pytest.approx(-math.log(0.7) - math.log(0.8))
    assert terms.ig_to_d_discriminator(d_g).item() == pytest.approx(-math.log(0.6))
    assert terms.id_to_d(d_d).item() == pytest.approx(-math.log(0.9))


def test_deceiving_terms_push_towards_healthy_without_saturating():
    sure = torch.tensor([8.0], requires_grad=True)
    loss = terms.gan_deceive(sure)
    assert loss.item() == pytest.approx(-math.log(1 - 1 / (1 + math.exp(-8))), rel=1e-3)
    loss.backward()
    assert sure.grad.item() > 0.99
    assert terms.ig_to_d_deceive(torch.tensor([logit(0.6)])).item() == pytest.approx(-math.log(0.4))


def test_segmentation_is_cross_entropy_and_takes_soft_masks():
    logits = volume(logit(0.9), logit(0.3))
    assert terms.segmentation(logits, volume(1, 0)).item() == pytest.approx(
        -(math.log(0.9) + math.log(0.7)) / 2, rel=1e-5
    )
    soft = terms.segmentation(logits, volume(0.5, 0)).item()
    assert soft == pytest.approx(-(0.5 * math.log(0.9) + 0.5 * math.log(0.1) + math.log(0.7)) / 2, rel=1e-5)


def test_dice_part_rewards_overlap():
    mask = volume(1, 1, 0, 0)
    right, wrong = volume(9, 9, -9, -9), volume(-9, -9, 9, 9)
    assert terms.soft_dice(right, mask).item() < 0.01
    assert terms.soft_dice(wrong, mask).item() > 0.7
    assert terms.segmentation(wrong, mask, dice=True) > terms.segmentation(wrong, mask)


def test_healthy_is_cross_entropy_to_nothing():
    assert terms.healthy(volume(logit(0.25))).item() == pytest.approx(-math.log(0.75), rel=1e-5)


def test_recons_is_the_mean_square():
    assert terms.recons(volume(0.5, -0.5), volume(0.5, 0.5)).item() == pytest.approx(0.5)


def test_mil_takes_the_highest_voxel_within_the_lungs_only():
    logits = volume(logit(0.99), logit(0.6), logit(0.2)).requires_grad_()
    loss = terms.mil(logits, volume(0, 2, 1))
    assert loss.item() == pytest.approx(-math.log(0.6), rel=1e-5)
    loss.backward()
    assert [g != 0 for g in logits.grad.flatten().tolist()] == [False, True, False]


def test_mil_over_several_voxels_moves_several():
    logits = volume(1.0, 0.5, 0.2, -3.0).requires_grad_()
    terms.mil(logits, volume(1, 1, 1, 1), voxels=3).backward()
    assert (logits.grad.flatten() != 0).tolist() == [True, True, True, False]


def test_mil_is_finite_with_few_or_no_lung_voxels():
    logits = volume(1.0, 0.5, 0.2)
    assert terms.mil(logits, volume(0, 0, 0)).isfinite()
    assert terms.mil(logits, volume(0, 1, 0), voxels=3).item() == pytest.approx(
        terms.mil(logits, volume(0, 1, 0)).item()
    )


def test_pseudo_label_term_leaves_ignored_voxels_out():
    logits, mask = volume(logit(0.8), 99.0, logit(0.1)), volume(1, 0, 0)
    expected = -(math.log(0.8) + math.log(0.9)) / 2
    assert terms.ps(logits, mask, volume(1, 0, 1)).item() == pytest.approx(expected, rel=1e-5)
    assert terms.ps(logits, mask, volume(0, 0, 0)).item() == 0


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_every_term_is_the_mean_of_its_micro_batches(parts):
    torch.manual_seed(0)
    logits, other = torch.randn(2, 4, 1, 3, 4, 5)
    mask, known = (torch.rand(2, 4, 1, 3, 4, 5) > 0.6).float()
    all_terms = {
        "segmentation": lambda i: terms.segmentation(logits[i], mask[i], dice=True),
        "healthy": lambda i: terms.healthy(logits[i]),
        "recons": lambda i: terms.recons(logits[i], other[i]),
        "repair": lambda i: terms.repair(logits[i], other[i], mask[i]),
        "mil": lambda i: terms.mil(logits[i], mask[i], 3),
        "ps": lambda i: terms.ps(logits[i], mask[i], known[i]),
        "gan": lambda i: terms.gan_discriminator(logits[i, 0, 0, 0, 0], other[i, 0, 0, 0, 0]),
    }
    for name, term in all_terms.items():
        pieces = torch.stack([term(i) for i in torch.arange(4).chunk(parts)]).mean()
        assert pieces.item() == pytest.approx(term(torch.arange(4)).item(), rel=1e-5), name


def test_synthetic_healthy_takes_the_lesion_from_g_and_the_rest_from_the_ct():
    i_s = synthetic_healthy(volume(0.8, 0.8, 0.8), volume(-0.6, -0.6, -0.6), volume(1, 0, 0.5))
    assert i_s.flatten().tolist() == pytest.approx([-0.6, 0.8, 0.1])


def test_pseudo_labels_follow_xi_and_the_healthy_lungs():
    m_hat = volume(0.95, 0.5, 0.1, 0.95).requires_grad_()
    made = pseudo_labelled(volume(1, 1, 1, 1), volume(-1, -1, -1, -1), m_hat, volume(1, 2, 1, 0), xi=0.3)
    assert made.mask.flatten().tolist() == [1, 0, 0, 0]
    assert made.known.flatten().tolist() == [1, 0, 1, 1]
    assert made.image.flatten().tolist() == pytest.approx([0.9, 0.0, -0.8, -1.0])
    assert not made.image.requires_grad


def test_a_transplanted_lesion_is_known_everywhere_and_stays_within_the_healthy_lungs():
    made = transplanted(volume(1, 1, 1, 1), volume(-1, -1, -1, -1), volume(1, 0.5, 0, 1), volume(1, 2, 1, 0))
    assert made.image.flatten().tolist() == [1, 0, -1, -1]
    assert made.mask.flatten().tolist() == [1, 0.5, 0, 0]
    assert made.known.min() == 1


def test_repair_weighs_what_was_set_in_beside_the_whole_volume():
    generated, before, mask = volume(0.5, 0.2, 0, 0), volume(0, 0, 0, 0), volume(1, 0, 0, 0)
    assert terms.repair(generated, before, mask).item() == pytest.approx(0.5 / 2 + 0.7 / 4)
    assert terms.repair(before, before, mask).item() == 0


def test_half_of_the_lesions_become_denser_up_to_soft_tissue_and_vessels_stay():
    hu = [-900.0, -500.0, -100.0, 200.0]
    image = volume(*(WATER + value * UNITS_PER_HU for value in hu))
    for move, expected in ((300.0, [-600, -200, 35, 200]), (900.0, [-45, -5, 35, 200])):
        changed = [changed_density(image, [seed], (move, move)) for seed in range(40)]
        denser = [c for c in changed if not torch.equal(c, image)]
        assert 10 < len(denser) < 30
        for volumes in denser:
            found = ((volumes - WATER) / UNITS_PER_HU).flatten().tolist()
            assert found == pytest.approx(expected, abs=0.1)


def test_the_change_of_density_is_that_of_the_volumes_seed():
    image = torch.full((2, 1, 2, 2, 2), -0.5)
    seeds = [
        seed for seed in range(20) if not torch.equal(changed_density(image[:1], [seed], (9, 99)), image[:1])
    ]
    together = changed_density(image, seeds[:2], (-100.0, 400.0))
    assert torch.equal(together[1:], changed_density(image[1:], seeds[1:2], (-100.0, 400.0)))
    assert not torch.equal(together[0], together[1])
