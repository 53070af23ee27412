"""CTs of every storage, orientation and file format become the same HU; what is no CT is refused in words."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from bad_inputs import BAD_INPUTS
from bad_inputs import SHAPE as BAD_SHAPE
from GASNetLib.errors import InputError, NotAChestCT
from GASNetLib.geometry import Geometry
from GASNetLib.lungs import find_lungs
from GASNetLib.metrics import overlap
from GASNetLib.phantom import make_phantom, write_phantom
from GASNetLib.volume import check_chest_ct, read_mask, read_volume, volume_from_array

SHAPE = (24, 48, 48)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(seed=3, shape=SHAPE, lesions="moderate")


def write(image: sitk.Image, path: Path) -> Path:
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_reads_the_same_hu_and_geometry_from_each_format(phantom, tmp_path, ending):
    path = write(phantom.geometry.image(phantom.hu), tmp_path / f"ct{ending}")
    volume = read_volume(path)
    assert volume.intensities == "hu"
    assert volume.name == "ct"
    np.testing.assert_array_equal(volume.hu, phantom.hu)
    assert volume.geometry.same_as(phantom.geometry, tolerance_mm=0.01)


def test_a_packed_nifti_is_not_taken_for_the_unpacked_one_beside_it(phantom, tmp_path):
    write(phantom.geometry.image(phantom.lesions), tmp_path / "a.nii")
    packed = write(phantom.geometry.image(phantom.hu), tmp_path / "a.nii.gz")
    for read in (read_volume, read_mask):
        with pytest.raises(InputError, match=r"a\.nii\.gz lies beside a\.nii, .* Rename"):
            read(packed)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.nii")[0], phantom.lesions != 0)


@pytest.mark.parametrize("ending", [".hdr", ".img", ".hdr.gz", ".img.gz"])
def test_a_pair_of_files_is_refused(phantom, tmp_path, ending):
    write(phantom.geometry.image(phantom.hu), tmp_path / f"a{ending.replace('hdr', 'img')}")
    with pytest.raises(InputError, match=r"one of a pair .* Save the image as one file"):
        read_volume(tmp_path / f"a{ending}")


def test_reads_paths_with_spaces_and_foreign_letters(phantom, tmp_path):
    folder = tmp_path / "Größe 像 ü"
    folder.mkdir()
    path = write(phantom.geometry.image(phantom.hu), folder / "CT Müller ß.nrrd")
    np.testing.assert_array_equal(read_volume(path).hu, phantom.hu)


def test_0_to_255_is_the_papers_window(phantom):
    stored = np.clip((phantom.hu + 1250.0) / 1500.0 * 255.0, 0, 255).round().astype(np.uint8)
    volume = volume_from_array(stored, phantom.geometry)
    assert volume.intensities == "window"
    expected = np.clip(phantom.hu, -1250, 250)
    assert np.abs(volume.hu - expected).max() <= 3.0  # half of a grey level
    assert "0–255" in volume.notes[0]


@pytest.mark.parametrize("padding", [None, -2000])
def test_missing_rescale_is_repaired_and_said(phantom, padding):
    stored = np.clip(phantom.hu + 1024, 0, 4095).astype(np.int16)
    expected = stored - 1024
    if padding is not None:
        stored[:, :3] = padding
    volume = volume_from_array(stored, phantom.geometry)
    assert volume.intensities == "unrescaled"
    np.testing.assert_array_equal(volume.hu[:, 3:], expected[:, 3:])
    assert "rescale" in volume.notes[0]


def test_fractions_of_stored_values_are_rounded(phantom):
    stored = np.clip(phantom.hu + 1024, 0, 4095)
    volume = volume_from_array(stored + np.float32(0.75) - np.float32(1.0), phantom.geometry)
    assert volume.intensities == "unrescaled"
    np.testing.assert_array_equal(volume.hu, stored - 1024)


PADDINGS = (-1000, -1024, -2000, -3024, -32768)


@pytest.mark.parametrize("padding", PADDINGS)
def test_padding_outside_the_field_of_view_stays_hu(phantom, padding):
    padded = np.where(outside_view(), np.int16(padding), phantom.hu)
    volume = volume_from_array(padded, phantom.geometry)
    assert volume.intensities == "hu"
    assert volume.notes == ()
    np.testing.assert_array_equal(volume.hu, padded)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("intensities", "darkest"), [("window", -1250), ("unrescaled", -1024)])
def test_padding_of_other_intensities_is_air_and_said(phantom, intensities, darkest, padding):
    stored = stored_as(intensities, phantom.hu)
    volume = volume_from_array(np.where(outside_view(), np.int16(padding), stored), phantom.geometry)
    assert volume.intensities == intensities
    assert (volume.hu[outside_view()] == darkest).all()
    plain = volume_from_array(stored, phantom.geometry)
    np.testing.assert_array_equal(volume.hu[~outside_view()], plain.hu[~outside_view()])
    assert volume.notes == (*plain.notes, f"The voxels of {padding} were taken for padding, and made air.")


@pytest.mark.parametrize("intensities", ["window", "unrescaled"])
def test_a_padding_blurred_by_interpolation_is_seen(phantom, intensities):
    padded = np.where(outside_view(), np.int16(-1024), stored_as(intensities, phantom.hu))
    image = phantom.geometry.image(padded.astype(np.float32))
    finer = sitk.Expand(image, [2, 2, 1], sitk.sitkLinear)
    volume = volume_from_array(sitk.GetArrayFromImage(finer), Geometry.of(finer))
    assert volume.intensities == intensities
    assert volume.hu.min() == (-1250 if intensities == "window" else -1024)


def test_a_padded_chest_stored_as_0_to_255_has_the_lungs_of_the_unpadded():
    chest = larger_phantom()
    stored = stored_as("window", chest.hu)
    padded = np.where(outside_view(chest.hu.shape), np.int16(-3024), stored)
    expected, found = (find_lungs(volume_from_array(a, chest.geometry)).labels for a in (stored, padded))
    assert overlap(found, expected).dice > 0.98


def test_a_padded_mask_is_no_ct(phantom):
    with pytest.raises(InputError, match="between 0 and 2: a mask"):
        volume_from_array(np.where(outside_view(), np.int16(-1024), phantom.lungs), phantom.geometry)


def outside_view(shape=SHAPE) -> np.ndarray:
    """What a circular field of view leaves out of the slices."""
    rows, columns = (np.abs(np.linspace(-1, 1, n)) for n in shape[1:])
    return np.broadcast_to(np.hypot(rows[:, None], columns) > 1, shape)


def stored_as(intensities: str, hu: np.ndarray) -> np.ndarray:
    if intensities == "unrescaled":
        return np.clip(hu + 1024, 0, 4095).astype(np.int16)
    return np.clip((hu + 1250.0) / 1500.0 * 255.0, 0, 255).round().astype(np.int16)


def test_fractions_of_hu_are_kept(phantom):
    volume = volume_from_array(phantom.hu + np.float32(0.25), phantom.geometry)
    assert volume.hu.dtype == np.float32
    np.testing.assert_allclose(volume.hu, phantom.hu + 0.25)


def test_nan_is_taken_as_air_and_said(phantom):
    damaged = phantom.hu.astype(np.float32)
    damaged[0, :5, :5] = np.nan
    damaged[1, 0, 0] = np.inf
    volume = volume_from_array(damaged, phantom.geometry)
    assert (volume.hu[0, :5, :5] == phantom.hu.min()).all()
    assert volume.notes == ("26 voxels that are not numbers were taken as air.",)


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_what_is_no_chest_ct_is_refused_with_the_reason(phantom, tmp_path, name):
    make, says = BAD_INPUTS[name]
    path = make(larger_phantom(), tmp_path)
    with pytest.raises(InputError, match=re.escape(says)) as refusal:
        find_lungs(read_volume(path))
    assert refusal.value.advice
    assert "\n" not in str(refusal.value)


@functools.cache
def larger_phantom():
    return make_phantom(seed=1, shape=BAD_SHAPE, lesions="moderate")


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (float("nan"), 1.0, 1.0)])
def test_spacing_that_is_not_positive_is_refused(phantom, spacing):
    with pytest.raises(InputError, match="not positive"):
        volume_from_array(phantom.hu, Geometry(phantom.geometry.size, spacing))


def chest(phantom, **changes):
    return replace(volume_from_array(phantom.hu, phantom.geometry), **changes)


def test_a_chest_is_accepted(phantom):
    check_chest_ct(chest(phantom))


def test_air_alone_is_no_chest(phantom):
    air = np.full(SHAPE, -1000, np.int16)
    with pytest.raises(NotAChestCT, match="no soft tissue"):
        check_chest_ct(chest(phantom, hu=air))


@pytest.mark.parametrize("factors", [(10, 1, 1), (10, 10, 1), (1, 1, 20)])
def test_a_field_no_scanner_has_is_refused(phantom, factors):
    spacing = tuple(s * f for s, f in zip(phantom.geometry.spacing, factors, strict=True))
    with pytest.raises(NotAChestCT, match="more than any CT scanner"):
        check_chest_ct(chest(phantom, geometry=replace(phantom.geometry, spacing=spacing)))


def test_a_nifti_without_orientation_is_noted(phantom, tmp_path):
    path = write(phantom.geometry.image(phantom.hu), tmp_path / "ct.nii")
    assert read_volume(path).notes == ()
    header = bytearray(path.read_bytes())
    header[252:256] = bytes(4)  # qform_code and sform_code
    path.write_bytes(header)
    assert "which side is right" in read_volume(path).notes[0]


class TestDicom:
    @pytest.fixture
    def folder(self, phantom, tmp_path):
        return write_phantom(phantom, tmp_path / "series")

    def test_a_series_gives_hu_and_geometry(self, phantom, folder):
        volume = read_volume(folder)
        np.testing.assert_array_equal(volume.hu, phantom.hu)
        assert volume.geometry.same_as(phantom.geometry, tolerance_mm=0.05)
        assert volume.notes == ()

    def test_one_file_stands_for_its_series(self, phantom, folder):
        volume = read_volume(sorted(folder.iterdir())[7])
        np.testing.assert_array_equal(volume.hu, phantom.hu)

    def test_one_file_of_another_modality_is_refused_beside_a_ct(self, phantom, folder, tmp_path):
        import pydicom

        other = write_phantom(phantom, folder / "MR")
        for path in other.iterdir():
            dataset = pydicom.dcmread(path)
            dataset.Modality, dataset.SeriesInstanceUID = "MR", "1.2.3"
            dataset.save_as(path)
        with pytest.raises(InputError, match=r"0008\.dcm is of no CT series, only MR"):
            read_volume(other / "0008.dcm")
        np.testing.assert_array_equal(read_volume(folder / "0008.dcm").hu, phantom.hu)

    def test_the_order_of_the_file_names_does_not_matter(self, phantom, folder):
        files = sorted(folder.iterdir())
        shuffled = np.random.default_rng(0).permutation(len(files))
        for number, path in zip(shuffled, files, strict=True):
            path.rename(folder / f"x{number:03}")
        np.testing.assert_array_equal(read_volume(folder).hu, phantom.hu)

    def test_of_several_series_the_longest_is_taken_and_named(self, phantom, folder, tmp_path):
        other = make_phantom(seed=9, shape=(10, 48, 48))
        write_phantom(other, folder / "short")
        volume = read_volume(folder)
        np.testing.assert_array_equal(volume.hu, phantom.hu)
        assert "2 CT series found" in volume.notes[0] and "(24)" in volume.notes[0]

    @pytest.mark.parametrize("syntax", ["JPEGLSLossless", "JPEG2000Lossless", "RLELossless"])
    def test_compressed_pixels_are_read(self, phantom, folder, syntax):
        import pydicom
        from pydicom import uid

        for path in folder.iterdir():
            dataset = pydicom.dcmread(path)
            dataset.compress(getattr(uid, syntax))
            dataset.save_as(path)
        np.testing.assert_array_equal(read_volume(folder).hu, phantom.hu)

    def test_missing_rescale_is_repaired(self, phantom, folder):
        import pydicom

        for path in folder.iterdir():
            dataset = pydicom.dcmread(path)
            stored = dataset.pixel_array * dataset.RescaleSlope + dataset.RescaleIntercept + 1024
            dataset.PixelData = stored.clip(0).astype(np.int16).tobytes()
            dataset.PixelRepresentation = 1
            del dataset.RescaleSlope, dataset.RescaleIntercept
            dataset.save_as(path)
        volume = read_volume(folder)
        assert volume.intensities == "unrescaled"
        np.testing.assert_array_equal(volume.hu, phantom.hu.clip(-1024))


class TestMasks:
    @pytest.mark.parametrize("label", [1, 2, 255])
    def test_the_label_may_have_any_value(self, phantom, tmp_path, label):
        labels = (phantom.lungs > 0) * np.uint8(label)
        array, geometry = read_mask(
            write(phantom.geometry.image(labels), tmp_path / "m.nii.gz"), phantom.geometry
        )
        np.testing.assert_array_equal(array, phantom.lungs > 0)
        assert geometry == phantom.geometry

    def test_several_labels_are_named_and_refused(self, phantom, tmp_path):
        labels = np.where(phantom.lesions, np.uint8(3), phantom.lungs)
        path = write(phantom.geometry.image(labels), tmp_path / "m.nii.gz")
        with pytest.raises(InputError, match=r"m\.nii\.gz holds the labels 1, 2, 3: .* lesion alone"):
            read_mask(path)

    def test_the_ending_of_a_segmentation_may_be_in_capitals(self, phantom, tmp_path):
        image = phantom.geometry.image(phantom.lesions.astype(np.uint8))
        image = sitk.Compose(image, sitk.Cast(phantom.geometry.image(phantom.lungs), image.GetPixelID()))
        for number, name in enumerate(("Lesion", "Right lung")):
            for key, value in (("Name", name), ("LabelValue", "1"), ("Layer", str(number))):
                image.SetMetaData(f"Segment{number}_{key}", value)
        array, _ = read_mask(write(image, tmp_path / "X.SEG.NRRD"), phantom.geometry)
        np.testing.assert_array_equal(array, phantom.lesions != 0)

    def test_probabilities_are_no_mask(self, phantom, tmp_path):
        image = phantom.geometry.image(phantom.lungs.astype(np.float32) * 0.4)
        with pytest.raises(InputError, match="no mask"):
            read_mask(write(image, tmp_path / "m.nrrd"), phantom.geometry)

    def test_a_cropped_mask_is_padded_to_the_ct(self, phantom, tmp_path):
        part = phantom.geometry.image((phantom.lungs > 0).astype(np.uint8))[2:40, 3:45, 1:22]
        expected = np.zeros_like(phantom.lungs)
        expected[1:22, 3:45, 2:40] = phantom.lungs[1:22, 3:45, 2:40] > 0
        array, _ = read_mask(write(part, tmp_path / "m.nrrd"), phantom.geometry)
        np.testing.assert_array_equal(array, expected)

    def test_another_grid_is_refused(self, phantom, tmp_path):
        image = phantom.geometry.image(phantom.lesions)
        image.SetOrigin([v + 0.4 * s for v, s in zip(image.GetOrigin(), image.GetSpacing(), strict=True)])
        with pytest.raises(InputError, match="another geometry"):
            read_mask(write(image, tmp_path / "m.nrrd"), phantom.geometry)

    def test_a_mask_beyond_the_ct_is_refused(self, phantom, tmp_path):
        image = phantom.geometry.image(np.ones(SHAPE, np.uint8))
        image.SetOrigin(image.TransformIndexToPhysicalPoint([4, 0, 0]))
        with pytest.raises(InputError, match="beyond the CT"):
            read_mask(write(image, tmp_path / "m.nrrd"), phantom.geometry)
