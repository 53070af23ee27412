"""Phantoms as files: what is read back is what was made, in every format and intensity kind."""

from __future__ import annotations

import csv

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from GASNetLib.geometry import Geometry
from GASNetLib.phantom import make_phantom, write_labels, write_phantom
from make_samples import write_cohort_folder, write_demo

SHAPE = (12, 40, 48)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(4, SHAPE, lesions="moderate")


def read_series(folder) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nrrd", "ct.mha", "mit Leerzeichen/Ä ct.nii.gz"])
def test_files_hold_the_same_voxels_and_geometry(phantom, tmp_path, name):
    path = write_phantom(phantom, tmp_path / name)
    image = sitk.ReadImage(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), phantom.hu)
    assert Geometry.of(image).same_as(phantom.geometry, 0.01)


@pytest.mark.parametrize("compressed", [False, True])
def test_dicom_series_holds_the_same_voxels_and_geometry(phantom, tmp_path, compressed):
    folder = write_phantom(phantom, tmp_path / "series", compressed=compressed)
    assert len(list(folder.iterdir())) == SHAPE[0]
    image = read_series(folder)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), phantom.hu)
    assert Geometry.of(image).same_as(phantom.geometry, 0.01)


def test_oblique_dicom_series_keeps_its_place(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    phantom = make_phantom(4, SHAPE, direction=(1, 0, 0, 0, c, -s, 0, s, c), centre=(11.5, -7.25, 130.0))
    image = read_series(write_phantom(phantom, tmp_path / "series"))
    assert Geometry.of(image).same_as(phantom.geometry, 0.01)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), phantom.hu)


def test_dicom_tags_say_ct_and_name_nobody(phantom, tmp_path):
    files = sorted(write_phantom(phantom, tmp_path / "series").iterdir())
    first, second = (pydicom.dcmread(f) for f in files[:2])
    assert first.Modality == "CT"
    assert first.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert first.SOPClassUID == first.file_meta.MediaStorageSOPClassUID
    assert (first.RescaleSlope, first.RescaleIntercept) == (1, -1024)
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.FrameOfReferenceUID == second.FrameOfReferenceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert str(first.PatientName) == "PHANTOM^4"
    assert int(first.pixel_array[0, 0]) - 1024 == phantom.hu[0, 0, 0]


def test_uids_follow_from_the_voxels(phantom, tmp_path):
    def series(of, name):
        return pydicom.dcmread(write_phantom(of, tmp_path / name) / "0001.dcm").SeriesInstanceUID

    assert series(phantom, "a") == series(make_phantom(4, SHAPE, lesions="moderate"), "b")
    assert series(phantom, "a") != series(make_phantom(4, SHAPE), "c")


def test_0_255_is_the_window(phantom, tmp_path):
    values = sitk.GetArrayFromImage(sitk.ReadImage(write_phantom(phantom, tmp_path / "ct.nrrd", "0-255")))
    assert values.dtype == np.uint8
    back = values / 255 * 1500 - 1250
    np.testing.assert_allclose(back, np.clip(phantom.hu, -1250, 250), atol=3)


def test_unrescaled_values_lack_1024(phantom, tmp_path):
    values = sitk.GetArrayFromImage(
        sitk.ReadImage(write_phantom(phantom, tmp_path / "ct.nrrd", "unrescaled"))
    )
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values.astype(int) - 1024, phantom.hu)


@pytest.mark.parametrize(("name", "storage"), [("ct.nii.gz", "hu"), ("series", "hu"), ("ct.mha", "0-255")])
def test_padding_lies_outside_a_circle(phantom, tmp_path, name, storage):
    path = write_phantom(phantom, tmp_path / name, storage, padding=True)
    values = sitk.GetArrayFromImage(read_series(path) if path.is_dir() else sitk.ReadImage(path))
    padded = values == (-3024 if storage == "hu" else 0)
    assert padded[:, 0, 0].all()
    assert not padded[:, 20, 24].any()
    assert padded.mean() == pytest.approx(1 - np.pi / 4, abs=0.05)


def test_unknown_storage_is_refused(phantom, tmp_path):
    with pytest.raises(ValueError, match="storage"):
        write_phantom(phantom, tmp_path / "ct.nii.gz", "12-bit")


def test_labels_come_back(phantom, tmp_path):
    image = sitk.ReadImage(write_labels(phantom.lungs, phantom.geometry, tmp_path / "lungs.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), phantom.lungs)


def test_cohort_table_names_files_that_exist(tmp_path):
    table = write_cohort_folder(tmp_path / "cohort", diseased=2, healthy=1, validation=1, shape=SHAPE)
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["role"] for r in rows] == ["labelled", "diseased", "diseased", "healthy", "validation"]
    for row in rows:
        assert (table.parent / row["ct"]).is_file()
        assert bool(row["mask"]) == (row["role"] in ("labelled", "validation"))
        if row["mask"]:
            assert sitk.GetArrayFromImage(sitk.ReadImage(table.parent / row["mask"])).any()


def test_demo_has_its_truth_beside_it(tmp_path):
    ct = write_demo(tmp_path / "demo", shape=SHAPE)
    assert ct.name == "synthetic_ct.nii.gz"
    lesions, lungs = (
        sitk.GetArrayFromImage(sitk.ReadImage(ct.parent / f"{n}.nii.gz")) for n in ("lesions", "lungs")
    )
    assert (lungs[lesions > 0] > 0).all()
    assert lesions.any()
