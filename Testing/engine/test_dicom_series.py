"""DICOM series that are not one clean stack: repaired with a note or refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from bad_inputs import edit_dicom
from GASNetLib.errors import InputError
from GASNetLib.phantom import make_phantom, write_phantom
from GASNetLib.volume import read_volume


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(seed=3, shape=(16, 32, 32))


@pytest.fixture
def folder(phantom, tmp_path):
    return write_phantom(phantom, tmp_path / "series")


def files(folder: Path) -> list[Path]:
    """Files of the series, lowest slice first."""
    return sorted(folder.iterdir(), key=lambda p: float(pydicom.dcmread(p).ImagePositionPatient[2]))


def place(path: Path, x_mm: float = 0.0, z_mm: float = 0.0) -> None:
    x, y, z = (float(v) for v in pydicom.dcmread(path).ImagePositionPatient)
    edit_dicom(path, ImagePositionPatient=[x + x_mm, y, z + z_mm])


def test_interleaved_acquisitions_are_refused(folder):
    for number, path in enumerate(files(folder)):
        edit_dicom(path, AcquisitionNumber=1 + number % 2)
    with pytest.raises(InputError, match="mixes 2 acquisitions"):
        read_volume(folder)


def test_acquisitions_one_after_the_other_are_one_scan(phantom, folder):
    for number, path in enumerate(files(folder)):
        edit_dicom(path, AcquisitionNumber=1 + number // 8)
    np.testing.assert_array_equal(read_volume(folder).hu, phantom.hu)


def test_a_change_of_the_slice_distance_is_refused(phantom, folder):
    step = phantom.geometry.spacing[2]
    for number, path in enumerate(files(folder)):
        place(path, z_mm=0.45 * step * max(0, number - 8))
    with pytest.raises(InputError, match="slice distance changes"):
        read_volume(folder)


def test_a_single_displaced_slice_is_only_noted(phantom, folder):
    place(files(folder)[5], z_mm=0.2 * phantom.geometry.spacing[2])
    assert "slice distance varies" in read_volume(folder).notes[0]


def test_each_slice_keeps_its_own_rescale(phantom, folder):
    for path in files(folder)[1::2]:
        dataset = pydicom.dcmread(path)
        intercept = float(dataset.RescaleIntercept)
        stored = dataset.pixel_array.astype(np.int32) + int(intercept) + 2000
        dataset.PixelData = stored.astype(dataset.pixel_array.dtype).tobytes()
        dataset.RescaleIntercept = -2000
        dataset.save_as(path)
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.hu, phantom.hu)
    assert "Rescale" in volume.notes[0]


def test_a_rescale_missing_in_some_slices_is_refused(folder):
    path = files(folder)[4]
    dataset = pydicom.dcmread(path)
    del dataset.RescaleIntercept
    dataset.save_as(path)
    with pytest.raises(InputError, match="missing in 1 of 16 slices"):
        read_volume(folder)


def test_of_equal_series_the_original_is_taken_and_the_note_says_so(phantom, tmp_path):
    derived = write_phantom(make_phantom(seed=9, shape=phantom.hu.shape), tmp_path / "ct" / "a")
    original = write_phantom(phantom, tmp_path / "ct" / "b")
    for folder, kind, uid, number in (derived, "DERIVED", "1.2.1", 1), (original, "ORIGINAL", "1.2.2", 2):
        for path in files(folder):
            edit_dicom(path, ImageType=[kind, "PRIMARY", "AXIAL"], SeriesInstanceUID=uid, SeriesNumber=number)
    volume = read_volume(tmp_path / "ct")
    np.testing.assert_array_equal(volume.hu, phantom.hu)
    assert "of the 2 with most slices the first by image type and series number" in volume.notes[0]


def test_of_equal_series_the_smaller_number_is_taken(phantom, tmp_path):
    later = write_phantom(make_phantom(seed=9, shape=phantom.hu.shape), tmp_path / "ct" / "a")
    first = write_phantom(phantom, tmp_path / "ct" / "b")
    for folder, uid, number in (later, "1.2.1", 10), (first, "1.2.2", 9):
        for path in files(folder):
            edit_dicom(path, SeriesInstanceUID=uid, SeriesNumber=number)
    np.testing.assert_array_equal(read_volume(tmp_path / "ct").hu, phantom.hu)


@pytest.mark.parametrize(("pixels", "refused"), [(0.4, False), (0.7, True)])
def test_the_tilt_is_judged_by_the_shear_over_the_stack(phantom, folder, pixels, refused):
    for number, path in enumerate(files(folder)):
        place(path, x_mm=pixels * phantom.geometry.spacing[0] * number / 15)
    if not refused:
        np.testing.assert_array_equal(read_volume(folder).hu, phantom.hu)
        return
    with pytest.raises(InputError, match="gantry was tilted"):
        read_volume(folder)


def test_a_slice_stored_twice_counts_once(phantom, folder):
    edit_dicom(files(folder)[4], copy_to=folder / "again.dcm")
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.hu, phantom.hu)
    assert volume.notes == ("Left out 1 file(s) that repeat a slice of the series.",)


@pytest.mark.parametrize(
    "tags",
    [
        {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
    ],
)
def test_a_localizer_in_the_series_is_left_out(phantom, folder, tags):
    edit_dicom(files(folder)[4], copy_to=folder / "scout.dcm", SOPInstanceUID="1.2.3.4", **tags)
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.hu, phantom.hu)
    assert volume.notes == ("Left out 1 localizer image(s) of the series.",)
