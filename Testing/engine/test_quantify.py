"""Lesion and lung volumes, sides, density and foci, and the report that carries them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from GASNetLib.errors import InputError, ResourceError
from GASNetLib.geometry import Geometry
from GASNetLib.lung_sides import STEP_MM, LungSides
from GASNetLib.lungs import LEFT, RIGHT, Lungs
from GASNetLib.mask_box import box_around
from GASNetLib.model import ModelInfo
from GASNetLib.phantom import make_phantom
from GASNetLib.quantify import MINIMAL_FOCUS_ML, measure, quantify, report, write_report
from GASNetLib.segment import Segmentation
from GASNetLib.version import VERSION
from GASNetLib.volume import Volume

GEOMETRY = Geometry((40, 20, 10), (1.0, 2.0, 5.0), (-20.0, 7.0, 100.0))
VOXEL_ML = 0.01
FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)


def chest(geometry=GEOMETRY):
    """HU, no lesions, and two lungs of 10×10×10 voxels with 20 columns between them."""
    lungs = np.zeros(geometry.shape, np.uint8)
    lungs[:, 5:15, 0:10] = RIGHT
    lungs[:, 5:15, 30:40] = LEFT
    return np.full(geometry.shape, -800, np.int16), np.zeros(geometry.shape, np.uint8), lungs


def segmentation(phantom, lesions, seconds=None) -> Segmentation:
    return Segmentation(
        Volume(phantom.hu, phantom.geometry, name="phantom"),
        np.where(lesions, 0.9, 0.1).astype(np.float32),
        Lungs(phantom.lungs, phantom.geometry),
        ModelInfo("a model", {"name": "unet"}, sha256="ab" * 32),
        0.5,
        "cpu",
        seconds or {"lungs": 1.0, "network": 2.0},
        ("Stored as 0–255.", "Second note."),
    )


@pytest.fixture(scope="module")
def ill():
    return make_phantom(4, (24, 64, 64), lesions="moderate")


def test_a_box_with_a_margin_ends_where_the_array_does():
    mask = np.zeros((5, 6, 7), bool)
    mask[0, 2:4, 6] = True
    assert box_around(mask) == np.s_[0:1, 2:4, 6:7]
    assert box_around(mask, 2) == np.s_[0:3, 0:6, 4:7]
    assert box_around(~mask & mask, 2) == np.s_[0:5, 0:6, 0:7]


def test_volumes_and_share_of_each_lung():
    hu, lesions, lungs = chest()
    lesions[0:2, 5:15, 0:5] = 1  # 100 voxels of the right lung
    lesions[4, 5:10, 30:40] = 1  # 50 of the left
    q = quantify(hu, lesions, lungs, GEOMETRY)
    assert (q.right.lesion_ml, q.left.lesion_ml, q.lesion_ml) == pytest.approx((1.0, 0.5, 1.5))
    assert (q.right.lung_ml, q.left.lung_ml, q.lung_ml) == pytest.approx((10.0, 10.0, 20.0))
    assert (q.right.lesion_percent, q.left.lesion_percent, q.lesion_percent) == pytest.approx((10, 5, 7.5))


def test_lesion_outside_the_lung_mask_is_lung_of_the_nearer_side():
    hu, lesions, lungs = chest()
    lesions[:, 8, 10:13] = 1  # beside the right lung
    lesions[:, 8, 25:30] = 1  # beside the left
    q = quantify(hu, lesions, lungs, GEOMETRY)
    assert (q.right.lesion_ml, q.left.lesion_ml) == pytest.approx((0.3, 0.5))
    assert (q.right.lung_ml, q.left.lung_ml) == pytest.approx((10.3, 10.5))
    assert q.lesion_percent == pytest.approx(100 * 0.8 / 20.8)


def test_no_share_exceeds_100_percent():
    hu, lesions, lungs = chest()
    q = quantify(hu, np.ones_like(lesions), lungs, GEOMETRY)
    assert q.lesion_percent == q.left.lesion_percent == q.right.lesion_percent == 100.0


def test_the_sides_are_the_labels_not_the_array_halves():
    flipped = Geometry(GEOMETRY.size, GEOMETRY.spacing, (20.0, 7.0, 100.0), FLIPPED)
    hu, lesions, lungs = chest(flipped)
    lesions[3, 6:12, 31:38] = 1
    q = quantify(hu, lesions, lungs, flipped)
    assert q.left.lesion_ml > 0 and q.right.lesion_ml == 0
    assert [focus.side for focus in q.foci] == ["left"]


def test_density_of_the_lesions():
    hu, lesions, lungs = chest()
    lesions[2, 6, 0:4] = 1
    hu[2, 6, 0:4] = [-700, -500, -500, -300]
    q = quantify(hu, lesions, lungs, GEOMETRY)
    assert q.hu.mean == pytest.approx(-500)
    assert q.hu.sd == pytest.approx(np.std([-700, -500, -500, -300]))


def test_without_lesions():
    hu, lesions, lungs = chest()
    q = quantify(hu, lesions, lungs, GEOMETRY)
    assert (q.lesion_ml, q.lesion_percent, q.lung_ml) == (0.0, 0.0, pytest.approx(20.0))
    assert (q.hu.mean, q.hu.sd, q.components, q.foci) == (None, None, 0, ())


def test_one_lung_only():
    hu, lesions, lungs = chest()
    lungs[lungs == LEFT] = 0
    lesions[2, 6:12, 20:38] = 1
    q = quantify(hu, lesions, lungs, GEOMETRY)
    assert q.left.lesion_percent is None and q.left.lung_ml == 0
    assert q.right.lesion_ml == pytest.approx(q.lesion_ml)


def test_without_lungs_there_is_no_share():
    hu, lesions, lungs = chest()
    with pytest.raises(InputError, match="No lungs"):
        quantify(hu, lesions + 1, lungs * 0, GEOMETRY)


def test_arrays_of_other_shapes_are_refused():
    hu, lesions, lungs = chest()
    with pytest.raises(ValueError, match="shapes differ"):
        quantify(hu, lesions[1:], lungs, GEOMETRY)


def test_foci_by_size_with_place_and_density():
    hu, lesions, lungs = chest()
    lesions[1:4, 6:9, 31:36] = 1
    hu[1:4, 6:9, 31:36] = -600
    lesions[6:9, 6:11, 1:6] = 1
    hu[6:9, 6:11, 1:6] = 20
    q = quantify(hu, lesions, lungs, GEOMETRY)
    assert [focus.volume_ml for focus in q.foci] == pytest.approx([0.75, 0.45])
    assert [focus.mean_hu for focus in q.foci] == pytest.approx([20, -600])
    assert [focus.side for focus in q.foci] == ["right", "left"]
    assert q.foci[0].centre == pytest.approx((-20 + 3 * 1.0, 7 + 8 * 2.0, 100 + 7 * 5.0))


def test_corners_connect_a_focus():
    hu, lesions, lungs = chest()
    lesions[2:4, 6:10, 1:5] = 1
    lesions[4:6, 10:14, 5:9] = 1
    assert quantify(hu, lesions, lungs, GEOMETRY).components == 1


def test_specks_count_as_volume_but_not_as_foci():
    hu, lesions, lungs = chest()
    lesions[1, 6, 1:6] = 1  # 0.05 ml
    lesions[5, 6, 0:10] = 1  # 0.1 ml
    q = quantify(hu, lesions, lungs, GEOMETRY)
    assert [focus.volume_ml for focus in q.foci] == pytest.approx([MINIMAL_FOCUS_ML])
    assert q.lesion_ml == pytest.approx(0.15)
    assert len(quantify(hu, lesions, lungs, GEOMETRY, minimal_focus_ml=0.0).foci) == 2


def test_the_centre_of_a_ring_lies_on_the_ring():
    hu, lesions, lungs = chest()
    lesions[5, 5:14, 0:9] = 1
    lesions[5, 7:12, 2:7] = 0
    (focus,) = quantify(hu, lesions, lungs, GEOMETRY).foci
    x, y, z = np.linalg.solve(GEOMETRY.index_to_physical, [*focus.centre, 1.0])[:3].round().astype(int)
    assert lesions[z, y, x] == 1


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.3))
def test_parts_add_up_and_every_centre_lies_in_its_lesion(seed, share):
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    geometry = Geometry((40, 20, 10), (1.0, 2.0, 5.0), tuple(rng.normal(0, 50, 3)), tuple(axes.ravel()))
    hu, lesions, lungs = chest(geometry)
    lesions[:] = rng.random(lesions.shape) < share
    q = quantify(hu, lesions, lungs, geometry, minimal_focus_ml=0.0)
    assert q.left.lesion_ml + q.right.lesion_ml == pytest.approx(q.lesion_ml)
    assert q.left.lung_ml + q.right.lung_ml == pytest.approx(q.lung_ml)
    assert sum(focus.volume_ml for focus in q.foci) == pytest.approx(lesions.sum() * VOXEL_ML)
    volumes = [focus.volume_ml for focus in q.foci]
    assert volumes == sorted(volumes, reverse=True)
    for focus in q.foci:
        x, y, z = np.linalg.solve(geometry.index_to_physical, [*focus.centre, 1.0])[:3].round().astype(int)
        assert lesions[z, y, x] == 1


def test_a_phantom_is_measured_as_it_was_made(ill):
    q = quantify(ill.hu, ill.lesions, ill.lungs, ill.geometry)
    assert q.lesion_ml == pytest.approx(ill.lesions.sum() * ill.geometry.voxel_ml)
    assert q.right.lung_ml == pytest.approx((ill.lungs == RIGHT).sum() * ill.geometry.voxel_ml, rel=0.02)
    assert -800 < q.hu.mean < 100


def test_report_has_the_agreed_keys(ill):
    made = report(segmentation(ill, ill.lesions), "case 1")
    assert list(made) == [
        "case",
        "model",
        "threshold",
        "lesion_ml",
        "lung_ml",
        "lesion_percent",
        "left",
        "right",
        "hu",
        "components",
        "device",
        "created",
        "seconds",
        "version",
        "notes",
    ]
    assert made["model"] == {"name": "a model", "sha256": "ab" * 32}
    assert set(made["left"]) == set(made["right"]) == {"lesion_ml", "lung_ml", "lesion_percent"}
    assert (made["case"], made["threshold"], made["device"], made["version"]) == (
        "case 1",
        0.5,
        "cpu",
        VERSION,
    )
    assert made["lesion_ml"] == pytest.approx(
        made["left"]["lesion_ml"] + made["right"]["lesion_ml"], abs=0.002
    )
    assert made["seconds"] == {"lungs": 1.0, "network": 2.0}
    assert datetime.fromisoformat(made["created"]).tzinfo is not None


def test_grey_levels_of_0_to_255_are_no_density(ill, tmp_path):
    of_hu = segmentation(ill, ill.lesions)
    grey = replace(of_hu, volume=replace(of_hu.volume, intensities="window"))
    made = report(grey, "c")
    assert made["hu"] == {"mean": None, "sd": None}
    same = {key: value for key, value in report(of_hu, "c").items() if key not in ("hu", "created")}
    assert {key: made[key] for key in same} == same
    rows = write_report(tmp_path / "r.csv", made).read_text(encoding="utf-8").splitlines()
    assert next(csv.DictReader(rows))["hu.mean"] == ""
    foci = quantify(None, ill.lesions, ill.lungs, ill.geometry).foci
    assert foci and {focus.mean_hu for focus in foci} == {None}


def test_report_follows_the_threshold(ill):
    one = segmentation(ill, ill.lesions)
    assert report(one.with_threshold(0.95), "c")["lesion_ml"] == 0
    assert report(one.with_threshold(0.05), "c")["lesion_percent"] == 100.0


def test_json_reads_back_with_null_where_there_is_no_lesion(ill, tmp_path):
    made = report(segmentation(ill, ill.lesions * 0), "Fräulein Ö")
    path = write_report(tmp_path / "new folder" / "r.json", made)
    assert json.loads(path.read_text(encoding="utf-8")) == made
    assert made["hu"] == {"mean": None, "sd": None}
    write_report(path, [made, made])
    assert json.loads(path.read_text(encoding="utf-8")) == [made, made]


def test_csv_has_a_row_a_case_and_flat_columns(ill, tmp_path):
    first = report(segmentation(ill, ill.lesions), 'a "quoted", case')
    second = report(segmentation(ill, ill.lesions * 0, {"lungs": 1.0, "restore": 3.0}), "b")
    path = write_report(tmp_path / "r.csv", [first, second])
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == ['a "quoted", case', "b"]
    assert float(rows[0]["left.lesion_ml"]) == first["left"]["lesion_ml"]
    assert (rows[1]["hu.mean"], rows[0]["seconds.restore"], rows[1]["seconds.network"]) == ("", "", "")
    assert rows[0]["model.sha256"] == "ab" * 32 and rows[0]["notes"] == "Stored as 0–255. Second note."


def test_other_endings_and_unwritable_places_are_refused(ill, tmp_path):
    made = report(segmentation(ill, ill.lesions), "c")
    with pytest.raises(InputError, match=r"\.json"):
        write_report(tmp_path / "r.xlsx", made)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceError, match="cannot be written"):
        write_report(tmp_path / "file" / "r.json", made)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_what_the_lungs_tell_is_kept_while_the_lesion_changes(seed):
    rng = np.random.default_rng(seed)
    hu, _, lungs = chest()
    hu[:] = rng.integers(-900, 100, hu.shape)
    sides = LungSides.of(lungs, GEOMETRY.spacing)
    for _ in range(3):
        lesions = (rng.random(hu.shape) < 0.05).astype(np.uint8)
        lesions[:, : rng.integers(0, 15)] = 0
        box = box_around(lesions)
        measured = measure(hu, lesions[box], box, lungs, sides, GEOMETRY)
        assert measured == quantify(hu, lesions, lungs, GEOMETRY)


def test_the_nearer_lung_is_exact_to_a_cell(ill):
    spacing = np.asarray(ill.geometry.spacing[::-1])
    distances = [distance_transform_edt(ill.lungs != side, spacing) for side in (RIGHT, LEFT)]
    index = np.nonzero(np.ones(ill.lungs.shape, bool))
    labels = LungSides.of(ill.lungs, ill.geometry.spacing).given(ill.lungs[index], index)
    right, left = (distance[index] for distance in distances)
    clear = np.abs(right - left) > 4 * np.linalg.norm(np.maximum(STEP_MM, spacing))
    assert clear.mean() > 0.3
    assert np.array_equal(labels[clear] == RIGHT, (right < left)[clear])
    assert np.array_equal(labels[ill.lungs[index] != 0], ill.lungs[ill.lungs != 0])
