"""Damaged image files are refused; whole ones pass, however they are stored."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from GASNetLib.errors import InputError
from GASNetLib.file_integrity import refuse_damaged

COMPRESSED = ["a.nii.gz", "compressed.nrrd", "compressed.mha"]
ALL = [*COMPRESSED, "a.nii", "a.nrrd", "a.mha", "a.mhd"]


def write(path: Path, values: np.ndarray | None = None) -> Path:
    if values is None:
        values = np.random.default_rng(0).normal(-500, 300, (20, 60, 60)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path), useCompression="compressed" in path.name)
    return path


@pytest.mark.parametrize("name", ALL)
def test_whole_files_pass(tmp_path, name):
    refuse_damaged(write(tmp_path / name))


@pytest.mark.parametrize("name", [*COMPRESSED, "a.nii"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9999])
def test_a_file_cut_off_anywhere_is_refused(tmp_path, name, share):
    path = write(tmp_path / name)
    content = path.read_bytes()
    kept = int(share * len(content))
    if name.endswith((".nrrd", ".mha")):
        kept = max(kept, 1000)  # within the header ITK notices
    path.write_bytes(content[:kept])
    with pytest.raises(InputError, match="damaged"):
        refuse_damaged(path)


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_one_altered_byte_is_noticed(tmp_path, name, share):
    path = write(tmp_path / name)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        refuse_damaged(path)


def test_gzip_in_several_members_and_with_padding_passes(tmp_path):
    content = write(tmp_path / "a.nii").read_bytes()
    path = tmp_path / "members.nii.gz"
    path.write_bytes(gzip.compress(content[:1234]) + gzip.compress(content[1234:]) + bytes(512))
    refuse_damaged(path)


def test_what_packs_very_well_is_unpacked_to_its_end(tmp_path):
    refuse_damaged(write(tmp_path / "a.nii.gz", np.zeros((200, 300, 300), np.int16)))


@pytest.mark.parametrize("shape", [(5, 6, 7), (2, 5, 6, 7)])
def test_a_nifti_2_of_either_byte_order_passes(tmp_path, shape):
    nifti2 = np.zeros(
        1, [("size", ">i4"), ("magic", "S8"), ("type", ">i2"), ("bits", ">i2"), ("dim", ">i8", 8)]
    )
    nifti2["size"], nifti2["bits"], nifti2["dim"] = 540, 16, [len(shape), *shape, *[1] * (7 - len(shape))]
    header = nifti2.tobytes().ljust(168, b"\0") + np.array([544], ">i8").tobytes()
    path = tmp_path / "a.nii"
    path.write_bytes(header.ljust(544, b"\0") + bytes(2 * int(np.prod(shape))))
    refuse_damaged(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError):
        refuse_damaged(path)
