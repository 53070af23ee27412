"""Lungs of synthetic and real CTs: both sides, in every orientation, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from GASNetLib.errors import NotAChestCT, ResourceError
from GASNetLib.geometry import Geometry
from GASNetLib.lungs import LEFT, RIGHT, Lungs, find_lungs, lung_box
from GASNetLib.phantom import Phantom, make_phantom
from GASNetLib.volume import Volume, read_volume, volume_from_array

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def chest() -> Phantom:
    return make_phantom(seed=0, shape=(54, 96, 96))


@pytest.fixture(scope="module")
def found(chest: Phantom) -> Lungs:
    return find_lungs(volume_from_array(chest.hu, chest.geometry))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * float((a & b).sum()) / float(a.sum() + b.sum())


def missed_mm(found: Lungs, reference: Lungs) -> float:
    """How far the reference reaches beyond the box found, on the worst side."""
    ours, theirs = lung_box(found, 0.0), lung_box(reference, 0.0)
    return float(
        max(np.subtract(ours.lower, theirs.lower).max(), np.subtract(theirs.upper, ours.upper).max())
    )


def changed(phantom: Phantom, hu: np.ndarray) -> Volume:
    return Volume(hu.astype(np.int16), phantom.geometry)


def _as_0_to_255(hu: np.ndarray) -> np.ndarray:
    return np.clip(np.rint((hu + 1250.0) * 255.0 / 1500.0), 0, 255).astype(np.uint8)


def test_both_lungs_are_found_each_on_its_side(chest, found):
    for side in (RIGHT, LEFT):
        assert dice(found.labels == side, chest.lungs == side) > 0.95
    assert missed_mm(found, Lungs(chest.lungs, chest.geometry)) < 6.0


def test_labels_lie_on_the_native_grid(chest, found):
    assert found.labels.shape == chest.hu.shape
    assert found.labels.dtype == np.uint8
    assert set(np.unique(found.labels)) == {0, RIGHT, LEFT}


def test_right_lung_lies_at_smaller_x(found):
    x = [np.nonzero(found.labels == side)[2].mean() for side in (RIGHT, LEFT)]
    assert x[0] < x[1]


def test_lesions_stay_inside():
    ill = make_phantom(seed=0, shape=(54, 96, 96), lesions="moderate")
    lungs = find_lungs(volume_from_array(ill.hu, ill.geometry))
    lesions = ill.lesions > 0
    assert (lungs.labels[lesions] > 0).mean() > 0.85
    assert dice(lungs.labels > 0, ill.lungs > 0) > 0.95


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(0,), (1, 2)])
def test_storage_order_changes_nothing_in_the_patient(chest, found, axes, flips):
    image = sitk.Flip(
        sitk.PermuteAxes(chest.geometry.image(chest.hu), axes), [axis in flips for axis in range(3)]
    )
    stored = volume_from_array(sitk.GetArrayFromImage(image), Geometry.of(image))
    again = find_lungs(stored)
    back = sitk.Resample(
        again.geometry.image(again.labels),
        chest.geometry.image(chest.hu),
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
    )
    assert dice(sitk.GetArrayFromImage(back) == RIGHT, found.labels == RIGHT) > 0.99
    assert dice(sitk.GetArrayFromImage(back) == LEFT, found.labels == LEFT) > 0.99


def test_oblique_scan_is_seen_in_the_patient_axes():
    angle = np.radians(20.0)
    turn = (np.cos(angle), -np.sin(angle), 0.0, np.sin(angle), np.cos(angle), 0.0, 0.0, 0.0, 1.0)
    oblique = make_phantom(seed=0, shape=(54, 96, 96), direction=tuple(map(float, turn)))
    lungs = find_lungs(volume_from_array(oblique.hu, oblique.geometry))
    for side in (RIGHT, LEFT):
        assert dice(lungs.labels == side, oblique.lungs == side) > 0.93


def test_padding_outside_the_field_of_view(chest, found):
    rows, columns = np.mgrid[-1:1:96j, -1:1:96j]
    padded = np.where(np.hypot(rows, columns) > 1.0, -3024, chest.hu)
    lungs = find_lungs(changed(chest, padded))
    assert dice(lungs.labels > 0, found.labels > 0) > 0.98


def test_body_that_fills_the_image_without_outer_air(chest):
    where = np.nonzero(chest.lungs)
    y, x = (slice(int(w.min()) - 3, int(w.max()) + 4) for w in where[1:])
    hu = chest.hu[:, y, x]
    volume = volume_from_array(hu, Geometry(hu.shape[::-1], chest.geometry.spacing))
    lungs = find_lungs(volume)
    assert dice(lungs.labels > 0, chest.lungs[:, y, x] > 0) > 0.93


def test_lungs_cut_off_are_found_and_noted(chest):
    z = np.flatnonzero(chest.lungs.any(axis=(1, 2)))
    middle = slice(int(z[0]) + 8, int(z[-1]) - 8)
    hu = chest.hu[middle]
    lungs = find_lungs(volume_from_array(hu, Geometry(hu.shape[::-1], chest.geometry.spacing)))
    assert dice(lungs.labels > 0, chest.lungs[middle] > 0) > 0.95
    assert [("bottom" in note, "top" in note) for note in lungs.notes] == [(True, False), (False, True)]


def test_single_lung_keeps_its_side(chest):
    lungs = find_lungs(changed(chest, np.where(chest.lungs == LEFT, 40, chest.hu)))
    assert dice(lungs.labels == RIGHT, chest.lungs == RIGHT) > 0.93
    assert (lungs.labels == LEFT).sum() < 0.02 * (lungs.labels == RIGHT).sum()
    assert any("left lung" in note for note in lungs.notes)


def test_volume_stored_as_0_to_255(chest):
    lungs = find_lungs(volume_from_array(_as_0_to_255(chest.hu), chest.geometry))
    assert dice(lungs.labels > 0, chest.lungs > 0) > 0.95


def test_noise_is_survived(chest):
    noise = np.random.default_rng(0).normal(0.0, 80.0, chest.hu.shape)
    lungs = find_lungs(changed(chest, np.clip(chest.hu + noise, -1024, 3000)))
    assert dice(lungs.labels > 0, chest.lungs > 0) > 0.93


def test_bowel_gas_is_no_lung(chest):
    lowest = int(np.flatnonzero(chest.lungs.any(axis=(1, 2)))[0])
    hu = np.concatenate([np.repeat(chest.hu[:1], 12, axis=0), chest.hu])
    body = np.argwhere(hu[4] > -200).mean(axis=0).astype(int)
    gas = np.s_[1:9, body[0] - 12 : body[0] - 2, body[1] - 10 : body[1] + 10]
    hu[gas] = -1000
    lungs = find_lungs(volume_from_array(hu, Geometry(hu.shape[::-1], chest.geometry.spacing)))
    assert not lungs.labels[gas].any()
    assert not lungs.labels[: lowest + 8].any()


@pytest.mark.parametrize("storage", ["hu", "0-255"])
@pytest.mark.parametrize("seed, lesions", [(0, "severe"), (2, "none")])
def test_gas_in_the_stomach_is_no_lung(seed, lesions, storage):
    phantom = make_phantom(seed=seed, shape=(64, 96, 96), lesions=lesions)
    hu = phantom.hu if storage == "hu" else _as_0_to_255(phantom.hu)
    lungs = find_lungs(volume_from_array(hu, phantom.geometry))
    truth = Lungs(phantom.lungs, phantom.geometry)
    slice_mm = phantom.geometry.spacing[2]
    beyond_feet = lung_box(truth, 0.0).lower[2] - lung_box(lungs, 0.0).lower[2]
    assert beyond_feet <= 1.01 * slice_mm


@pytest.fixture(scope="module")
def ill() -> Phantom:
    return make_phantom(seed=3, shape=(72, 112, 112), lesions="severe")


@pytest.mark.parametrize("storage", ["hu", "0-255"])
def test_the_network_brings_back_consolidation_that_a_threshold_loses(ill, storage):
    volume = volume_from_array(ill.hu if storage == "hu" else _as_0_to_255(ill.hu), ill.geometry)
    classical, corrected = (find_lungs(volume, method).labels > 0 for method in ("classical", "network"))
    lesions, lungs = ill.lesions > 0, ill.lungs > 0
    assert corrected[lesions].mean() > classical[lesions].mean() + 0.03
    assert dice(corrected, lungs) > dice(classical, lungs) + 0.01


def test_the_network_adds_nothing_far_from_air(ill):
    """A diaphragm that stands high looks like a consolidated base."""
    volume = volume_from_array(ill.hu, ill.geometry)
    classical, corrected = (find_lungs(volume, method).labels > 0 for method in ("classical", "network"))
    added = corrected & ~classical
    assert added.any()
    distance = sitk.SignedMaurerDistanceMap(
        ill.geometry.image(classical.astype(np.uint8)), False, False, True
    )
    assert sitk.GetArrayFromImage(distance)[added].max() < 10.0 + 2 * 2.5  # and two voxels of its coarse grid


def _cylinder(shape=(40, 64, 64)) -> np.ndarray:
    rows, columns = np.mgrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    return np.broadcast_to(np.where(np.hypot(rows, columns) < 0.7, 0, -1000), shape).astype(np.int16)


def _hollow() -> np.ndarray:
    hollow = _cylinder().copy()
    hollow[10:30, 22:42, 22:42] = -1000  # a bottle of air: no lung
    return hollow


def _head() -> np.ndarray:
    head = _cylinder().copy()
    head[15:22, 14:20, 28:36] = -990  # sinuses
    return head


@pytest.mark.parametrize(
    "hu",
    [
        pytest.param(np.full((40, 64, 64), -1000, np.int16), id="air"),
        pytest.param(np.full((40, 64, 64), 40, np.int16), id="constant"),
        pytest.param(_cylinder(), id="water-cylinder"),
        pytest.param(_hollow(), id="cylinder-with-air"),
        pytest.param(_head(), id="head"),
        pytest.param(np.full((4, 64, 64), -1000, np.int16), id="four-slices"),
    ],
)
def test_images_without_lungs_are_refused_in_a_sentence(hu):
    volume = Volume(hu, Geometry(hu.shape[::-1], (5.0, 5.0, 5.0)))
    with pytest.raises(NotAChestCT) as refusal:
        find_lungs(volume)
    assert refusal.value.cause.endswith(".") and refusal.value.advice


def test_abdomen_is_refused(chest):
    lowest = int(np.flatnonzero(chest.lungs.any(axis=(1, 2)))[0])
    hu = np.repeat(chest.hu[: max(1, lowest - 1)], 20, axis=0)[:40]
    with pytest.raises(NotAChestCT):
        find_lungs(volume_from_array(hu, Geometry(hu.shape[::-1], chest.geometry.spacing)))


def test_progress_ends_at_one(chest):
    stages = []
    find_lungs(volume_from_array(chest.hu, chest.geometry), progress=lambda *step: stages.append(step))
    fractions = [fraction for _, fraction in stages]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_unknown_method_is_refused(chest):
    with pytest.raises(ValueError, match="classical"):
        find_lungs(volume_from_array(chest.hu, chest.geometry), method="magic")


def test_lungmask_without_weights_downloads_nothing(chest, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ResourceError) as missing:
        find_lungs(volume_from_array(chest.hu, chest.geometry), method="lungmask")
    assert "built in" in missing.value.advice
    assert not list(tmp_path.rglob("*.pth"))


@settings(max_examples=30, deadline=None)
@given(
    degrees=st.floats(-180, 180),
    spacing=st.tuples(*[st.floats(0.5, 6.0)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    margin=st.floats(0, 20),
)
def test_box_holds_every_corner_of_every_lung_voxel(degrees, spacing, origin, margin):
    c, s = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    geometry = Geometry((9, 8, 7), spacing, origin, (c, -s, 0.0, s, c, 0.0, 0.0, 0.0, -1.0))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[2:5, 3:6, 1:8] = RIGHT
    box = lung_box(Lungs(labels, geometry), margin)
    z, y, x = np.nonzero(labels)
    edges = np.array([[x + a, y + b, z + d] for a in (-0.5, 0.5) for b in (-0.5, 0.5) for d in (-0.5, 0.5)])
    points = np.einsum("ij,kjn->kni", geometry.index_to_physical[:3, :3], edges) + origin
    flat = points.reshape(-1, 3)
    np.testing.assert_allclose(flat.min(axis=0) - margin, box.lower, atol=1e-6)
    np.testing.assert_allclose(flat.max(axis=0) + margin, box.upper, atol=1e-6)


def test_box_of_no_lung_is_refused():
    with pytest.raises(NotAChestCT, match="No lungs are marked"):
        lung_box(Lungs(np.zeros((3, 3, 3), np.uint8), Geometry((3, 3, 3), (1.0, 1.0, 1.0))))


REAL = {
    # case: (least Dice, most mm of the lungs beyond the box)
    "medseg/medseg_01": (0.96, 5.0),
    "medseg/medseg_02": (0.965, 5.0),
    "medseg/medseg_07": (0.965, 5.0),
    "medseg/medseg_09": (0.96, 5.0),
    "noncovid/imlab_id001": (0.98, 5.0),
    "noncovid/imlab_id002": (0.97, 5.0),
    "noncovid/imlab_id003": (0.98, 5.0),
    "noncovid/imlab_id004": (0.98, 5.0),
    "noncovid/cip": (0.97, 5.0),
    "covid19_ct_seg_8bit/run01": (0.96, 5.0),
    "covid19_ct_seg_8bit/run02": (0.96, 5.0),
    "covid19_ct_seg_8bit/run03": (0.945, 5.0),
    "covid19_ct_seg_8bit/run04": (0.97, 5.0),
}


def _file_of(case: str, kinds: tuple[str, ...]) -> Path:
    """The case's file of the first kind there is."""
    candidates = [SHARED / f"{case}_{kind}" for kind in kinds]
    return next(path for path in candidates if path.is_file())


@pytest.mark.skipif(not SHARED.is_dir(), reason="real CTs are not here (../shared/data)")
@pytest.mark.parametrize("case", REAL)
def test_real_ct(case):
    least, most = REAL[case]
    lungs = find_lungs(read_volume(_file_of(case, ("ct.nii.gz", "ct8bit.nii.gz", "ct.nrrd"))))
    mask = _file_of(case, ("lung.nii.gz", "lung_labels.nrrd"))
    reference = sitk.GetArrayFromImage(sitk.ReadImage(str(mask))) & 0xFF  # low byte: region
    assert dice(lungs.labels > 0, reference > 0) >= least
    substantial = _without_specks(reference > 0, lungs.geometry)
    assert missed_mm(lungs, Lungs(substantial, lungs.geometry)) <= most


def _without_specks(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The mask less slices, rows and columns at its ends that hold below 20 mm² of it."""
    kept = mask.copy()
    for axis in range(3):
        others = [s for k, s in enumerate(reversed(geometry.spacing)) if k != axis]
        area = mask.sum(axis=tuple(k for k in range(3) if k != axis)) * np.prod(others)
        np.moveaxis(kept, axis, 0)[area < 20.0] = False
    return kept.astype(np.uint8)
