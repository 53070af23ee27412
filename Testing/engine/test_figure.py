"""The picture of a case: the planes lie where they should in the patient, and the file shows the lesions."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from GASNetLib.errors import InputError, ResourceError
from GASNetLib.figure import LESION_COLOUR, WIDTH, case_figure
from GASNetLib.geometry import Geometry
from GASNetLib.lungs import Lungs
from GASNetLib.model import ModelInfo
from GASNetLib.patient_view import COLUMN, ROW, SLICE, PatientView
from GASNetLib.phantom import make_phantom
from GASNetLib.segment import Segmentation
from GASNetLib.volume import Volume

SLOPE = np.array([1.3, -2.1, 0.9])  # HU per mm along left, posterior, superior


def turned_chest(seed: int) -> tuple[Volume, np.ndarray, Lungs, np.ndarray]:
    """HU that are linear in the patient's frame, and a lesion ball in the left lung, on a turned grid."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    size, spacing = np.array([50, 44, 40]), np.array([4.0, 4.5, 5.0])
    origin = rng.uniform(-50, 50, 3) - axes @ (spacing * (size - 1) / 2)
    geometry = Geometry(tuple(size.tolist()), tuple(spacing), tuple(origin), tuple(axes.ravel()))
    z, y, x = np.indices(geometry.shape)
    places = np.stack([x, y, z], axis=-1) * spacing @ axes.T + origin
    middle = geometry.corners().mean(axis=0)
    hu = (places @ SLOPE).astype(np.float32)
    left = middle + np.array([30.0, 0.0, 0.0])
    lungs = np.zeros(geometry.shape, np.uint8)
    lungs[np.linalg.norm(places - (middle - [30.0, 0.0, 0.0]), axis=-1) < 25] = 1
    lungs[np.linalg.norm(places - left, axis=-1) < 25] = 2
    lesions = (np.linalg.norm(places - left, axis=-1) < 18).astype(np.uint8)
    return Volume(hu, geometry), lesions, Lungs(lungs, geometry), left


def pixel_places(plane, axis: int, point) -> np.ndarray:
    """LPS mm of the pixels of a plane, shape (rows, columns, 3)."""
    axes = [a for a in (SLICE, ROW, COLUMN) if a != axis]
    places = np.zeros((*plane.hu.shape, 3)) + point
    for position, (a, ends) in enumerate(zip(axes, (plane.rows, plane.columns), strict=True)):
        count = plane.hu.shape[position]
        steps = ends[0] + (np.arange(count) + 0.5) * (ends[1] - ends[0]) / count
        places[..., 2 - a] = steps[:, None] if position == 0 else steps[None]
    return places


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32 - 1), st.sampled_from([SLICE, ROW, COLUMN]))
def test_planes_show_what_lies_there_whatever_the_axes_of_the_ct(seed, axis):
    volume, lesions, lungs, left = turned_chest(seed)
    plane = PatientView(volume, lesions, lungs).plane(axis, tuple(left))
    places = pixel_places(plane, axis, left)
    # Within the ball surely nothing is cut by the border of the CT.
    near = np.linalg.norm(places - left, axis=-1) < 30
    assert near.sum() > 100
    np.testing.assert_allclose(plane.hu[near], (places @ SLOPE)[near], atol=0.5)
    distance = np.linalg.norm(places - left, axis=-1)
    assert (plane.lesion[distance < 12] > 0.9).all()
    assert (plane.lesion[distance > 24] < 0.1).all()


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_the_projection_adds_up_to_the_volume_of_the_lesions(seed):
    volume, lesions, lungs, left = turned_chest(seed)
    front = PatientView(volume, lesions, lungs).front()
    height, width = (
        (ends[1] - ends[0]) / n for ends, n in zip((front.rows, front.columns), front.hu.shape, strict=True)
    )
    projected = front.thickness_mm.sum() * height * width / 1000
    assert projected == pytest.approx(lesions.sum() * volume.geometry.voxel_ml, rel=0.03)
    rows, columns = np.nonzero(front.thickness_mm > 20)
    assert front.rows[0] + (rows.mean() + 0.5) * height == pytest.approx(left[2], abs=3)
    assert front.columns[0] + (columns.mean() + 0.5) * width == pytest.approx(left[0], abs=3)


def test_padding_outside_the_field_of_view_is_no_darker_than_air_in_the_projection():
    volume, lesions, lungs, _ = turned_chest(1)
    padded = replace(volume, hu=np.where(volume.hu < -100, -3024, volume.hu).astype(np.int16))
    assert PatientView(padded, lesions, lungs).front().hu.min() >= -1024


def result_of(phantom) -> Segmentation:
    return Segmentation(
        Volume(phantom.hu, phantom.geometry, name="Fräulein $x_1$ Ö"),
        phantom.lesions * np.float32(0.9),
        Lungs(phantom.lungs, phantom.geometry),
        ModelInfo("a model with $ in its name", {"name": "unet"}, sha256="ab" * 32),
        0.5,
        "cpu",
    )


def picture(path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[..., :3].astype(int)


def pixels_of(image: np.ndarray, colour: str) -> np.ndarray:
    """Places (row, column) of the pixels that have very nearly that colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.argwhere(np.abs(image - wanted).max(axis=-1) <= 12)


def with_lesion_in(side: int) -> Segmentation:
    """One lesion deep in the right (1) or the left (2) lung."""
    phantom = make_phantom(5, (24, 48, 48))
    z, y, x = np.argwhere(phantom.lungs == side).mean(axis=0).round().astype(int)
    lesions = np.zeros_like(phantom.lesions)
    lesions[z - 2 : z + 3, y - 3 : y + 4, x - 3 : x + 4] = 1
    return result_of(replace(phantom, lesions=lesions))


@pytest.fixture(scope="module")
def ill():
    return with_lesion_in(2)


def test_the_picture_shows_the_left_lung_on_the_right(ill, tmp_path):
    middle = []
    for one in (with_lesion_in(1), ill):
        image = picture(case_figure(one, tmp_path / "neuer Ordner" / "Bild ü.png", "case"))
        assert image.shape[1] == WIDTH
        red = pixels_of(image, LESION_COLOUR)
        axial = red[(red[:, 0] < image.shape[0] / 2) & (red[:, 1] < 640)]
        assert len(axial) > 50
        middle.append(axial[:, 1].mean())
    assert middle[1] > middle[0] + 100


def test_without_lesions_there_is_a_picture_without_outline(ill, tmp_path):
    nothing = replace(ill, probability=ill.probability * 0)
    with_lesion, without = (
        len(pixels_of(picture(case_figure(one, tmp_path / "a.png"))[:, :1250], LESION_COLOUR))
        for one in (ill, nothing)
    )
    assert with_lesion > 300
    assert without == 0


def test_other_formats_follow_the_ending(ill, tmp_path):
    assert case_figure(ill, tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert case_figure(ill, tmp_path / "a.jpg").read_bytes().startswith(b"\xff\xd8")
    with pytest.raises(InputError, match="no picture"):
        case_figure(ill, tmp_path / "a.nrrd")


def test_a_folder_that_is_none_is_said_in_plain_words(ill, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceError, match="cannot be written"):
        case_figure(ill, tmp_path / "file" / "a.png")


LEAVES_THE_BACK_END = """
import sys
from test_figure import make_phantom, result_of
from GASNetLib.figure import case_figure
case_figure(result_of(make_phantom(1, (16, 32, 32))), sys.argv[1])
print("matplotlib.pyplot" in sys.modules)
"""


def test_the_back_end_of_the_host_program_stays_as_it_is(tmp_path):
    paths = [*filter(None, sys.path), str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-c", LEAVES_THE_BACK_END, str(tmp_path / "a.png")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["False"], done.stderr
