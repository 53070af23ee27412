"""The synthetic chest CT: same seed same voxels, masks that are true, densities like those of real CTs."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from GASNetLib.phantom import make_phantom
from GASNetLib.phantom.texture import ct_noise

TINY = (24, 64, 64)
SMALL = (48, 96, 96)
BANDS = {"mild": (0.01, 0.05), "moderate": (0.10, 0.25), "severe": (0.40, 0.60)}


@pytest.fixture(scope="module")
def healthy():
    return make_phantom(3, SMALL)


@pytest.fixture(scope="module")
def severe():
    return make_phantom(3, SMALL, lesions="severe")


def fraction_of_lungs(phantom) -> float:
    return phantom.lesions.sum() / (phantom.lungs > 0).sum()


def connected(mask: np.ndarray) -> np.ndarray:
    """Sizes of the connected parts of a mask, largest first."""
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))
    return np.sort(np.bincount(labels.ravel())[1:])[::-1]


def test_types_and_shapes(severe):
    assert severe.hu.dtype == np.int16
    assert severe.lesions.dtype == severe.lungs.dtype == np.uint8
    assert severe.hu.shape == severe.lesions.shape == severe.lungs.shape == severe.geometry.shape == SMALL
    assert set(np.unique(severe.lungs)) == {0, 1, 2}
    assert set(np.unique(severe.lesions)) == {0, 1}


def test_same_arguments_give_the_same_voxels():
    first, second = (make_phantom(5, TINY, lesions="moderate") for _ in range(2))
    for name in ("hu", "lesions", "lungs"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_another_seed_is_another_patient():
    first, second = make_phantom(5, TINY), make_phantom(6, TINY)
    assert (first.lungs != second.lungs).mean() > 0.01


def test_a_seed_ill_and_well_is_one_patient(healthy, severe):
    np.testing.assert_array_equal(healthy.lungs, severe.lungs)
    far = sitk.GetArrayFromImage(
        sitk.BinaryDilate(sitk.GetImageFromArray(severe.lesions), [3, 3, 3], sitk.sitkBall)
    )
    # A lesion may fade into the partial volume of a lung's edge beyond its mask; nothing else may change.
    changed = (healthy.hu != severe.hu)[far == 0]
    assert changed.mean() < 1e-4
    assert healthy.lesions.sum() == 0


@pytest.mark.parametrize("severity", BANDS)
@pytest.mark.parametrize("seed", range(4))
def test_severity_is_reached(severity, seed):
    low, high = BANDS[severity]
    assert low <= fraction_of_lungs(make_phantom(seed, (40, 80, 80), lesions=severity)) <= high


@pytest.mark.parametrize("fraction", [0.002, 0.1, 0.5])
def test_a_fraction_is_reached(fraction):
    assert fraction_of_lungs(make_phantom(1, (80, 128, 128), lesions=fraction)) == pytest.approx(
        fraction, rel=0.15
    )


def test_lesions_lie_in_the_lungs_and_reach_the_pleura(severe):
    assert (severe.lungs[severe.lesions > 0] > 0).all()
    inner = sitk.GetArrayFromImage(
        sitk.BinaryErode(sitk.GetImageFromArray((severe.lungs > 0).astype(np.uint8)))
    )
    assert (severe.lesions[(severe.lungs > 0) & (inner == 0)] > 0).mean() > 0.2


@pytest.mark.parametrize("seed", range(6))
def test_lungs_are_two_whole_lungs_of_human_size(seed):
    phantom = make_phantom(seed, (40, 80, 80))
    x = phantom.geometry.origin[0] + phantom.geometry.spacing[0] * np.nonzero(phantom.lungs == 1)[2]
    assert x.mean() < -40  # right is −x in LPS
    for label in (1, 2):
        sizes = connected(phantom.lungs == label)
        assert sizes[0] > 0.98 * sizes.sum()
        assert 1000 < sizes[0] * phantom.geometry.voxel_ml < 4500
    edges = [phantom.lungs[k] for k in (0, -1)] + [phantom.lungs[:, k] for k in (0, -1)]
    assert not any(edge.any() for edge in edges)


@pytest.mark.parametrize("seed", range(3))
def test_densities_are_those_of_real_chests(seed):
    phantom = make_phantom(seed, (64, 128, 128), lesions="moderate")
    well = phantom.hu[(phantom.lungs > 0) & (phantom.lesions == 0)]
    # medseg, imlab: mean −856 … −783, SD 134 … 177, median −890 … −827 within the lungs outside lesions.
    assert -870 < well.mean() < -770
    assert 110 < well.std() < 200
    assert -915 < np.median(well) < -820
    ill = phantom.hu[phantom.lesions > 0]
    assert -700 < ill.mean() < -200
    assert ill.mean() > well.mean() + 200
    corner = phantom.hu[:, :6, :6]
    assert corner.mean() == pytest.approx(-1000, abs=15)
    soft = phantom.hu[(phantom.hu > 0) & (phantom.hu < 120)]
    assert 35 < np.median(soft) < 65


def test_trachea_is_air_and_no_lung(healthy):
    air = (healthy.hu < -920) & (healthy.lungs == 0)
    index = np.linalg.inv(healthy.geometry.index_to_physical)
    counts = []
    for z in (70, 85, 100):
        k, row, column = np.rint((index @ [0, -2, z, 1])[2::-1]).astype(int)
        counts.append(air[k, row - 8 : row + 9, column - 6 : column + 7].sum())
    assert min(counts) > 5


def test_lesion_mask_is_given_back_exactly_within_the_lungs(healthy):
    mask = np.zeros(SMALL, bool)
    mask[10:24, 40:70, 15:40] = True
    phantom = make_phantom(3, SMALL, lesions=mask)
    np.testing.assert_array_equal(phantom.lesions > 0, mask & (healthy.lungs > 0))
    assert phantom.hu[phantom.lesions > 0].mean() > healthy.hu[phantom.lesions > 0].mean() + 150


def test_lesion_mask_of_another_shape_is_stretched(healthy):
    small = np.zeros((12, 24, 24), bool)
    small[3:6, 10:17, 4:10] = True
    phantom = make_phantom(3, SMALL, lesions=small)
    expected = np.kron(small, np.ones((4, 4, 4), bool)) & (healthy.lungs > 0)
    overlap = 2 * (expected & (phantom.lesions > 0)).sum() / (expected.sum() + phantom.lesions.sum())
    assert overlap > 0.9


def test_an_empty_mask_makes_no_lesions(healthy):
    phantom = make_phantom(3, SMALL, lesions=np.zeros(SMALL, np.uint8))
    assert phantom.lesions.sum() == 0
    np.testing.assert_array_equal(phantom.hu, healthy.hu)


@pytest.fixture(scope="module")
def upright():
    return make_phantom(2, (44, 88, 88), (5.0, 5.0, 8.0), lesions="severe")


@settings(max_examples=6, deadline=None)
@given(
    axes=st.permutations((0, 1, 2)),
    signs=st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3),
    angle=st.floats(-0.4, 0.4),
)
def test_any_orientation_samples_the_same_patient(upright, axes, signs, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    direction = turn @ (np.eye(3)[:, list(axes)] * np.array(signs))
    other = make_phantom(
        2, (64, 64, 64), (7.0, 7.0, 7.0), lesions="severe", direction=tuple(direction.ravel().tolist())
    )
    for name, least in (("lungs", 0.93), ("lesions", 0.85)):
        there = other.geometry.image((getattr(other, name) > 0).astype(np.float32))
        here = upright.geometry.image((getattr(upright, name) > 0).astype(np.float32))
        back = sitk.GetArrayFromImage(sitk.Resample(there, here, sitk.Transform(), sitk.sitkLinear)) > 0.5
        truth = sitk.GetArrayFromImage(here) > 0.5
        assert 2 * (back & truth).sum() / (back.sum() + truth.sum()) > least


def test_grid_is_the_one_asked_for():
    phantom = make_phantom(0, (10, 40, 50), (4.0, 5.0, 6.0), centre=(10.0, -20.0, 30.0))
    assert phantom.geometry.size == (50, 40, 10)
    assert phantom.geometry.spacing == (4.0, 5.0, 6.0)
    np.testing.assert_allclose(phantom.geometry.corners().mean(0), [10, -20, 30], atol=1e-6)


def test_sharp_kernel_has_finer_noise():
    def likeness_of_neighbours(kernel):
        noise = ct_noise(np.random.default_rng(0), (128, 160), (0.7, 0.7), kernel)
        assert noise.std() == pytest.approx(1, abs=1e-3)
        return (noise[:, 1:] * noise[:, :-1]).mean()

    assert likeness_of_neighbours("soft") > likeness_of_neighbours("sharp") + 0.15


def test_kernel_shows_in_the_edges():
    soft, sharp = (
        make_phantom(0, TINY, kernel=kernel, noise_hu=0.0).hu.astype(float) for kernel in ("soft", "sharp")
    )
    assert np.abs(np.diff(sharp, axis=2)).max() >= np.abs(np.diff(soft, axis=2)).max()
    assert (sharp != soft).any()


@pytest.mark.parametrize(
    "arguments",
    [
        {"lesions": "awful"},
        {"lesions": 1.5},
        {"kernel": "b70"},
        {"shape": (1, 64, 64)},
        {"spacing": (1.0, 0.0, 1.0)},
    ],
)
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=r"must|needs"):
        make_phantom(0, **{"shape": TINY, **arguments})
