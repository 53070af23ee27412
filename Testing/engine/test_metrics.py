"""Overlap, surface distances and their summary, against definitions worked out by hand or brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GASNetLib.geometry import Geometry
from GASNetLib.metrics import overlap, summary, surface_distances

GEOMETRY = Geometry((20, 16, 10), (0.7, 0.7, 3.0))


def masks(*slices):
    found = []
    for part in slices:
        mask = np.zeros(GEOMETRY.shape, np.uint8)
        mask[part] = 1
        found.append(mask)
    return found


def test_measures_of_a_known_overlap():
    prediction, reference = masks(np.s_[2, 2, 0:6], np.s_[2, 2, 4:8])
    counted = overlap(prediction, reference)
    assert (counted.true_positives, counted.false_positives, counted.false_negatives) == (2, 4, 2)
    assert counted.dice == pytest.approx(0.4)
    assert counted.sensitivity == pytest.approx(0.5)
    assert counted.precision == pytest.approx(2 / 6)
    assert counted.specificity == pytest.approx(1 - 4 / (3200 - 4))
    assert counted.volume_error_ml(GEOMETRY) == pytest.approx(2 * 0.7 * 0.7 * 3 / 1000)


def test_only_the_region_counts():
    prediction, reference, region = masks(np.s_[2, 2, 0:6], np.s_[2, 2, 4:8], np.s_[2, 2, 4:10])
    counted = overlap(prediction, reference, region)
    assert (counted.true_positives, counted.false_positives, counted.false_negatives) == (2, 0, 2)
    assert (counted.true_negatives, counted.specificity) == (2, 1.0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_dice_is_the_harmonic_mean_of_precision_and_sensitivity(seed):
    rng = np.random.default_rng(seed)
    prediction, reference = (rng.random((2, 4, 5, 6)) < rng.uniform(0.1, 0.9)).astype(np.uint8)
    counted = overlap(prediction, reference)
    if counted.precision and counted.sensitivity:
        harmonic = 2 / (1 / counted.precision + 1 / counted.sensitivity)
        assert counted.dice == pytest.approx(harmonic)
    assert overlap(reference, prediction).dice == counted.dice


def test_undefined_is_none_and_a_false_alarm_is_zero():
    empty, one = masks(np.s_[0:0], np.s_[2, 2, 0:6])
    nothing = overlap(empty, empty)
    assert (nothing.dice, nothing.sensitivity, nothing.precision, nothing.specificity) == (
        None,
        None,
        None,
        1.0,
    )
    alarm = overlap(one, empty)
    assert (alarm.dice, alarm.sensitivity, alarm.precision) == (0.0, None, 0.0)
    assert overlap(one, one, one).specificity is None


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        overlap(np.ones((2, 3, 4)), np.ones((2, 3, 5)))
    with pytest.raises(ValueError, match="cannot be compared"):
        overlap(np.ones((2, 3, 4)), np.ones((2, 3, 4)), np.ones((1, 3, 4)))


def test_summary_gives_mean_sample_sd_and_how_many():
    found = summary([0.2, None, 0.4, 0.9])
    assert found.mean == pytest.approx(0.5)
    assert found.sd == pytest.approx(np.std([0.2, 0.4, 0.9], ddof=1))
    assert (found.n, found.undefined) == (3, 1)


def test_summary_of_few_and_of_broken_values():
    assert summary([0.3]).sd is None and summary([0.3]).mean == 0.3
    assert (summary([None]).mean, summary([]).n, summary([None]).undefined) == (None, 0, 1)
    with pytest.raises(ValueError, match="finite"):
        summary([0.3, float("nan")])


def test_distance_of_two_shifted_boxes():
    prediction, reference = masks(np.s_[3:6, 4:9, 4:9], np.s_[3:6, 4:9, 6:11])
    found = surface_distances(prediction, reference, GEOMETRY)
    assert found.hausdorff == pytest.approx(2 * 0.7, rel=1e-5)
    assert 0 < found.mean < found.hausdorff95 <= found.hausdorff + 1e-6


def test_equal_masks_are_zero_apart_even_at_the_border_of_the_image():
    (whole,) = masks(np.s_[:, :, :])
    found = surface_distances(whole, whole, GEOMETRY)
    assert (found.mean, found.hausdorff95, found.hausdorff) == pytest.approx((0, 0, 0), abs=1e-4)


def test_slices_apart_by_the_slice_distance():
    prediction, reference = masks(np.s_[2, 3:9, 3:9], np.s_[5, 3:9, 3:9])
    found = surface_distances(prediction, reference, GEOMETRY)
    assert (found.mean, found.hausdorff95, found.hausdorff) == pytest.approx((9.0, 9.0, 9.0), rel=1e-5)


def test_without_a_surface_there_is_no_distance():
    empty, one = masks(np.s_[0:0], np.s_[2, 2, 0:6])
    for pair in ((empty, one), (one, empty), (empty, empty)):
        found = surface_distances(*pair, GEOMETRY)
        assert (found.mean, found.hausdorff95, found.hausdorff) == (None, None, None)


def surface_points(mask: np.ndarray) -> np.ndarray:
    """Positions in mm of the voxels that have one of 26 neighbours outside, found by looking at each."""
    padded = np.pad(mask, 1)
    points = [
        index for index in np.argwhere(padded) if not padded[tuple(slice(i - 1, i + 2) for i in index)].all()
    ]
    return np.array(points) * GEOMETRY.spacing[::-1]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_distances_agree_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    pair = []
    for _ in range(2):
        mask = np.zeros(GEOMETRY.shape, np.uint8)
        for _ in range(3):
            start, size = rng.integers(0, (6, 10, 14)), rng.integers(1, 7, 3)
            mask[tuple(slice(a, a + b) for a, b in zip(start, size, strict=True))] = 1
        pair.append(mask)
    points = [surface_points(mask) for mask in pair]
    apart = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
    forth, back = apart.min(axis=1), apart.min(axis=0)
    found = surface_distances(*pair, GEOMETRY)
    assert found.mean == pytest.approx(np.concatenate([forth, back]).mean(), abs=1e-4)
    expected = max(np.percentile(forth, 95), np.percentile(back, 95))
    assert found.hausdorff95 == pytest.approx(expected, abs=1e-4)
    assert found.hausdorff == pytest.approx(max(forth.max(), back.max()), abs=1e-4)
