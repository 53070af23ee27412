"""Digests of images: of all files they consist of, read again only when a file changed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from GASNetLib.cohort.content import KnownContent, content_digest, files_of, voxel_digest
from GASNetLib.phantom import make_phantom, write_phantom
from GASNetLib.volume import read_volume, volume_from_array

LONG_AGO = time.time() - 3600


@pytest.fixture
def image() -> sitk.Image:
    values = np.random.default_rng(0).integers(-1000, 1000, (4, 5, 6)).astype(np.int16)
    return sitk.GetImageFromArray(values)


def settle(path: Path) -> None:
    """Give a file times of long ago; ctime cannot be set, so wait until it counts as settled."""
    os.utime(path, (LONG_AGO, LONG_AGO))
    while time.time() - path.stat().st_ctime < 2.1:
        time.sleep(0.1)


def test_name_and_place_do_not_matter_but_content_does(tmp_path, image):
    first, second = tmp_path / "a.nrrd", tmp_path / "sub" / "b.nrrd"
    second.parent.mkdir()
    sitk.WriteImage(image, str(first))
    shutil.copy(first, second)
    assert content_digest(first) == content_digest(second)
    sitk.WriteImage(image + 1, str(second))
    assert content_digest(first) != content_digest(second)


@pytest.mark.parametrize("ending", [".mhd", ".nhdr"])
def test_a_detached_header_brings_its_data(tmp_path, image, ending):
    header = tmp_path / f"a{ending}"
    sitk.WriteImage(image, str(header))
    before, bytes_before = content_digest(header), header.read_bytes()
    assert len(files_of(header)) == 2
    sitk.WriteImage(image + 1, str(header))
    assert header.read_bytes() == bytes_before
    assert content_digest(header) != before


def test_a_dicom_series_is_all_its_files(tmp_path, image):
    for index in range(image.GetDepth()):
        sitk.WriteImage(image[:, :, index], str(tmp_path / f"{index}.dcm"), imageIO="GDCMImageIO")
    before = content_digest(tmp_path)
    assert content_digest(tmp_path / "2.dcm") == before
    (tmp_path / "3.dcm").rename(tmp_path / "renamed.dcm")
    assert content_digest(tmp_path) == before
    (tmp_path / "renamed.dcm").unlink()
    assert content_digest(tmp_path) != before


def test_only_what_changed_is_read_again(tmp_path):
    path, known = tmp_path / "Müller.nrrd", KnownContent(tmp_path / "known")
    path.write_bytes(b"first")
    assert known.recall(path) is None
    settle(path)
    digest = known.digest(path)
    assert known.recall(path) == digest == content_digest(path)
    path.write_bytes(b"other")
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert known.recall(path) is None
    assert known.digest(path) == content_digest(path) != digest
    names = [str(note.relative_to(tmp_path)) for note in (tmp_path / "known").rglob("*.json")]
    assert names and not [name for name in names if "ller" in name]


def test_a_file_just_written_is_not_trusted_to_stay(tmp_path):
    path, known = tmp_path / "a.nrrd", KnownContent(tmp_path / "known")
    path.write_bytes(b"first")
    known.digest(path)
    assert known.recall(path) is None


def test_a_damaged_memory_is_no_memory(tmp_path):
    path, known = tmp_path / "a.nrrd", KnownContent(tmp_path / "known")
    path.write_bytes(b"first")
    settle(path)
    digest = known.digest(path)
    for note in (tmp_path / "known").rglob("*.json"):
        note.write_bytes(note.read_bytes()[:-7])
    assert known.recall(path) is None
    assert known.digest(path) == digest
    assert known.recall(path) == digest


@pytest.mark.parametrize(
    "copy", ["copy.nii.gz", "copy.mha", "series", "flipped.nrrd", "float.nrrd", "padded.nrrd"]
)
def test_a_ct_is_the_same_in_any_format(tmp_path, copy):
    phantom = make_phantom(seed=3, shape=(16, 40, 40))
    image = phantom.geometry.image(phantom.hu)
    if copy == "flipped.nrrd":
        sitk.WriteImage(
            sitk.PermuteAxes(sitk.Flip(image, [True, False, True]), [1, 2, 0]), str(tmp_path / copy)
        )
    elif copy == "float.nrrd":
        sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32) + 0.25, str(tmp_path / copy))
    elif copy == "padded.nrrd":
        write_phantom(phantom, tmp_path / "padded.nrrd", padding=True)
        values = phantom.hu.copy()
        values[sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "padded.nrrd"))) < -1024] = -1024
        image = phantom.geometry.image(values)
    else:
        write_phantom(phantom, tmp_path / copy)
    original = volume_from_array(sitk.GetArrayFromImage(image), phantom.geometry)
    assert voxel_digest(read_volume(tmp_path / copy)) == voxel_digest(original)


def test_one_voxel_makes_another_ct():
    phantom = make_phantom(seed=3, shape=(16, 40, 40))
    changed = phantom.hu.copy()
    changed[8, 20, 20] += 1
    digests = {voxel_digest(volume_from_array(hu, phantom.geometry)) for hu in (phantom.hu, changed)}
    assert len(digests) == 2
