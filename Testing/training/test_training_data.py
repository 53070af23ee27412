"""Data order, reading ahead and augmentation: deterministic, complete, and true to the geometry."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from GASNetLib.training.augmentation import (
    Place,
    Placement,
    locally_equalised,
    random_placement,
    resampled,
    smoothed,
    thick_slices,
    vary_intensities,
)
from GASNetLib.training.batches import Loader, make_batches, read_sample
from GASNetLib.training.data_order import DataOrder, Draw, Request, requests_of
from GASNetLib.training.presets import STRONG_AUGMENTATION, preset
from GASNetLib.training.settings import Augmentation, changed
from training.tiny_cohort import SHAPE, names_by_role, tiny_crops

NONE = Augmentation(rotation_degrees=0, zoom=(1.0, 1.0), noise_hu=0)
CASES = {"labelled": ["a"], "diseased": ["b", "c", "d"], "healthy": ["e", "f"]}
CPU = torch.device("cpu")
ANYWHERE = Place(np.full(3, 0.5))


@given(st.integers(0, 2**31), st.integers(0, 50))
def test_every_case_comes_once_before_any_comes_again(seed, epoch):
    order = DataOrder(CASES, seed)
    drawn = [order.draw("healthy", 2 * epoch + i).case for i in range(2)]
    assert sorted(drawn) == ["e", "f"]


def test_the_order_depends_on_the_seed_alone_and_salt_changes_it():
    numbers = range(30)
    first, again, salted = (
        [DataOrder(CASES, 1, salt).draw("diseased", n) for n in numbers] for salt in (0, 0, 1)
    )
    assert first == again
    assert first != salted
    assert len({draw.seed for draw in first}) == 30


def test_an_update_never_sees_the_volumes_of_another_and_ranks_share_the_batch():
    smoke = changed(preset("smoke"), {"batch": 4, "micro_batch": 2})
    order, drawn = DataOrder(CASES, 0), Counter()
    for iteration in range(3):
        for request in requests_of(smoke, iteration):
            whole = order.draws(request, smoke)
            assert whole == [d for rank in (0, 1) for d in order.draws(request, smoke, rank, 2)]
            drawn.update((request.role, draw.seed) for draw in whole)
    assert set(drawn.values()) == {1}


def test_the_labelled_cases_count_among_the_diseased():
    drawn = {DataOrder(CASES, 0).draw("diseased", i).case for i in range(4)}
    assert drawn == {"a", "b", "c", "d"}
    assert DataOrder({"labelled": ["a"], "healthy": ["h"]}, 0).draw("diseased", 5).case == "a"


def test_the_loader_gives_what_is_asked_for_in_order_and_refuses_another_order():
    smoke, crops = preset("smoke"), tiny_crops()
    order = DataOrder(names_by_role(crops), 0)
    with Loader(crops, order, smoke, start=2) as loader:
        taken = loader.take(2, 0, ("diseased", "healthy"))
        expected = order.draws(Request(2, 0, "diseased"), smoke)
        assert [sample.seed for sample in taken["diseased"]] == [draw.seed for draw in expected]
        with pytest.raises(ValueError, match="comes next"):
            loader.take(2, 0, ("diseased",))


def test_without_augmentation_the_whole_grid_is_the_crop_itself():
    smoke = changed(preset("smoke"), {"patch": list(SHAPE), "lesion_centred": 0.0})
    smoke = type(smoke)(**{**vars(smoke), "augmentation": NONE})
    crop = tiny_crops()["labelled0"]
    batch = make_batches({"labelled": [read_sample({"x": crop}, Draw("x", 7))]}, smoke, CPU)["labelled"]
    expected = (np.clip(crop.hu, -1250, 250).astype(np.float32) + 1250) / 750 - 1
    assert np.allclose(batch.image[0, 0].numpy(), expected, atol=1e-5)
    assert np.array_equal(batch.lungs[0, 0].numpy() > 0, crop.lungs > 0)
    assert np.allclose(batch.lesions[0, 0].numpy(), crop.lesions / 255)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_a_sample_is_made_the_same_in_any_company(seed):
    smoke = changed(preset("smoke"), {"augmentation": vars(STRONG_AUGMENTATION)})
    crops = tiny_crops()
    samples = [read_sample(crops, Draw(name, seed + i)) for i, name in enumerate(("labelled0", "healthy0"))]
    together = make_batches({"healthy": samples}, smoke, CPU)["healthy"]
    torch.randn(3)
    alone = make_batches({"healthy": samples[1:]}, smoke, CPU)["healthy"]
    assert torch.equal(together.image[1:], alone.image)
    assert together.image.abs().max() <= 1
    assert together.image.shape == (2, 1, *smoke.patch)


def test_lesion_centred_patches_hold_lesion():
    smoke = changed(preset("smoke"), {"patch": [16, 16, 16], "lesion_centred": 1.0})
    crops = tiny_crops()
    samples = [read_sample(crops, Draw("labelled0", s)) for s in range(20)]
    batch = make_batches({"labelled": samples}, smoke, CPU)["labelled"]
    assert (batch.lesions.flatten(1).amax(1) > 0.4).all()


def test_the_patches_of_all_roles_lie_at_one_place():
    """So a lesion is transplanted to where it comes from: the same case gives the same patch in each role."""
    smoke = changed(preset("smoke"), {"patch": [16, 16, 16], "augmentation": vars(NONE)})
    sample = read_sample(tiny_crops(), Draw("labelled0", 3))
    elsewhere = replace(sample, seed=4)
    batches = make_batches({"diseased": [elsewhere], "labelled": [sample]}, smoke, CPU)
    assert torch.equal(batches["diseased"].image, batches["labelled"].image)
    alone = make_batches({"diseased": [elsewhere]}, smoke, CPU)
    assert not torch.equal(alone["diseased"].image, batches["diseased"].image)


def test_the_intensities_of_all_roles_change_alike():
    """So a transplanted lesion is not told from its surroundings by what augmentation did."""
    unmoved = {"noise_hu": 0, "rotation_degrees": 0, "zoom": (1.0, 1.0), "flips": 0}
    alike = {**vars(STRONG_AUGMENTATION), **unmoved}
    smoke = changed(preset("smoke"), {"patch": list(SHAPE), "augmentation": alike})
    sample = read_sample(tiny_crops(), Draw("labelled0", 3))
    other = replace(sample, seed=4)
    batches = make_batches({"labelled": [sample], "healthy": [other]}, smoke, CPU)
    assert torch.equal(batches["labelled"].image, batches["healthy"].image)
    alone = make_batches({"healthy": [other]}, smoke, CPU)
    assert not torch.equal(alone["healthy"].image, batches["healthy"].image)


def test_flipping_twice_and_turning_a_full_circle_bring_the_volume_back():
    channels = torch.rand(2, 6, 8, 10)
    middle = np.array([2.5, 3.5, 4.5])
    flipped = Placement(np.diag([1.0, -1.0, -1.0]), middle)
    once = resampled(channels, flipped, (6, 8, 10))
    assert torch.allclose(once, channels.flip(2, 3), atol=1e-5)
    assert torch.allclose(resampled(once, flipped, (6, 8, 10)), channels, atol=1e-5)


def test_a_patch_is_cut_where_the_placement_says_without_a_half_voxel_shift():
    ramp = torch.arange(10.0)[:, None, None].expand(10, 8, 8)[None].contiguous()
    patch = resampled(ramp, Placement(np.eye(3), np.array([5.5, 3.5, 3.5])), (4, 8, 8))
    assert patch[0, :, 0, 0].tolist() == pytest.approx([4, 5, 6, 7], abs=1e-4)


def test_rotations_are_those_of_a_body_whatever_the_spacing():
    """A rotation moves points in mm and keeps their distances."""
    rotating = Augmentation(rotation_degrees=40, zoom=(1.0, 1.0), noise_hu=0)
    spacing = np.array([6.0, 2.0, 2.0])
    placement = random_placement(
        np.random.default_rng(3), rotating, (40, 160, 160), (40, 160, 160), tuple(spacing), ANYWHERE
    )
    moved = placement.matrix @ np.diag([10.0, 20.0, 30.0])  # columns: offsets along each axis, in voxels
    lengths = np.linalg.norm(moved * spacing[:, None], axis=0)
    assert lengths == pytest.approx([60, 40, 60])


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_zoomed_patch_stays_within_the_volume(seed):
    cropping = Augmentation(rotation_degrees=0, zoom=(0.5, 1.0), noise_hu=0)
    shape, patch = (20, 30, 40), (16, 24, 40)
    random = np.random.default_rng(seed)
    place = Place(random.random(3), np.array([0, 29, 20]) if seed % 2 else None)
    placement = random_placement(random, cropping, shape, patch, (1, 1, 1), place)
    for sign in (-1, 1):
        corner = placement.matrix @ (sign * (np.array(patch) - 1) / 2) + placement.centre
        assert (corner >= -0.5 - 1e-9).all() and (corner <= np.array(shape) - 0.5 + 1e-9).all()


def test_smoothing_keeps_the_mean_and_takes_the_noise():
    noise = torch.randn(1, 20, 20, 20)
    soft = smoothed(noise, 1.0)
    assert soft.std() < 0.5 * noise.std()
    assert smoothed(torch.ones(1, 5, 5, 5), 0.7).sub(1).abs().max() < 1e-6
    assert thick_slices(noise).shape == noise.shape


def test_intensities_vary_within_the_window_and_by_seed_only():
    image = torch.linspace(-1, 1, 4 * 8 * 8).reshape(1, 4, 8, 8)
    made = [
        vary_intensities(image, STRONG_AUGMENTATION, np.random.default_rng(seed), seed) for seed in (1, 1, 2)
    ]
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
    assert all(one.abs().max() <= 1 for one in made)


def test_local_equalisation_keeps_the_order_of_flat_regions_and_lifts_faint_contrast():
    """A step of 60 HU in the lungs becomes a larger one; limits and shape stay."""
    faint = torch.full((1, 2, 96, 96), -0.6)
    faint[..., 48:] += 0.08
    noise = torch.rand(faint.shape, generator=torch.Generator().manual_seed(0)) * 0.04
    equalised = locally_equalised(faint + noise, clip=3.0)
    assert equalised.shape == faint.shape
    assert equalised.min() >= -1 and equalised.max() <= 1
    step = equalised[..., 44:48].mean() - equalised[..., 48:52].mean()
    assert step < -0.08
