"""Inputs that are no usable chest CT, made from a phantom; printed as a table with what GASNet says to each.

python Testing/bad_inputs.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk

from GASNetLib.errors import GASNetError
from GASNetLib.geometry import Geometry
from GASNetLib.lungs import find_lungs
from GASNetLib.phantom import Phantom, make_phantom, write_phantom
from GASNetLib.volume import read_volume

SHAPE = (40, 64, 64)


def written(image: sitk.Image, folder: Path, name: str = "ct.nrrd") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(folder / name))
    return folder / name


def with_voxels(phantom: Phantom, hu: np.ndarray, folder: Path) -> Path:
    return written(phantom.geometry.image(hu), folder)


def with_geometry(phantom: Phantom, spacing: tuple, hu: np.ndarray, folder: Path) -> Path:
    return written(Geometry(hu.shape[::-1], spacing).image(hu), folder)


def missing_file(phantom: Phantom, folder: Path) -> Path:
    return folder / "nothing.nrrd"


def truncated(phantom: Phantom, folder: Path) -> Path:
    path = written(phantom.geometry.image(phantom.hu), folder, "ct.nii.gz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def text(phantom: Phantom, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ct.nrrd").write_text("this is no image")
    return folder / "ct.nrrd"


def empty_folder(phantom: Phantom, folder: Path) -> Path:
    (folder / "series").mkdir(parents=True)
    return folder / "series"


def four_dimensional(phantom: Phantom, folder: Path) -> Path:
    image = phantom.geometry.image(phantom.hu)
    return written(sitk.JoinSeries([image, image]), folder)


def colour(phantom: Phantom, folder: Path) -> Path:
    image = sitk.Cast(phantom.geometry.image(phantom.hu), sitk.sitkUInt8)
    return written(sitk.Compose(image, image, image), folder)


def single_slice(phantom: Phantom, folder: Path) -> Path:
    return written(phantom.geometry.image(phantom.hu)[:, :, 20], folder)


def constant(phantom: Phantom, folder: Path) -> Path:
    return with_voxels(phantom, np.full(SHAPE, 7, np.int16), folder)


def normalised(phantom: Phantom, folder: Path) -> Path:
    return with_voxels(phantom, ((phantom.hu + 1024.0) / 4000.0).astype(np.float32), folder)


def mask(phantom: Phantom, folder: Path) -> Path:
    return with_voxels(phantom, phantom.lungs, folder)


def mostly_nan(phantom: Phantom, folder: Path) -> Path:
    hu = phantom.hu.astype(np.float32)
    hu[:, :, :50] = np.nan
    return with_voxels(phantom, hu, folder)


def other_intensities(phantom: Phantom, folder: Path) -> Path:
    return with_voxels(phantom, ((phantom.hu + 1024.0) * 20).clip(0, 60000).astype(np.uint16), folder)


def zero_spacing(phantom: Phantom, folder: Path) -> Path:
    path = written(phantom.geometry.image(phantom.hu), folder, "ct.mhd")
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join("ElementSpacing = 0 1 1" if "Spacing" in line else line for line in lines) + "\n"
    )
    return path


def few_slices(phantom: Phantom, folder: Path) -> Path:
    return with_geometry(phantom, phantom.geometry.spacing, phantom.hu[18:23], folder)


def wrong_units(phantom: Phantom, folder: Path) -> Path:
    return with_geometry(phantom, tuple(s / 10 for s in phantom.geometry.spacing), phantom.hu, folder)


def no_air(phantom: Phantom, folder: Path) -> Path:
    noise = np.random.default_rng(0).normal(40, 20, SHAPE)
    return with_voxels(phantom, noise.astype(np.int16), folder)


def half_scale(phantom: Phantom, folder: Path) -> Path:
    return with_voxels(phantom, phantom.hu // 2, folder)


def no_lungs(phantom: Phantom, folder: Path) -> Path:
    """A solid cylinder in air, like a head or an abdomen."""
    _, y, x = np.indices(SHAPE)
    body = (y - 32) ** 2 + (x - 32) ** 2 < 500
    noise = np.random.default_rng(0).normal(0, 15, SHAPE)
    return with_voxels(phantom, (np.where(body, 40, -1000) + noise).astype(np.int16), folder)


def series_with_gap(phantom: Phantom, folder: Path) -> Path:
    series = write_phantom(phantom, folder / "series")
    sorted(series.iterdir())[8].unlink()
    return series


def series_with_doubles(phantom: Phantom, folder: Path) -> Path:
    series = write_phantom(phantom, folder / "series")
    edit_dicom(sorted(series.iterdir())[4], copy_to=series / "again.dcm", SOPInstanceUID="1.2.3.4")
    return series


def tilted_series(phantom: Phantom, folder: Path) -> Path:
    series = write_phantom(phantom, folder / "series")
    for path in series.iterdir():
        x, y, z = (float(v) for v in pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient)
        edit_dicom(path, ImagePositionPatient=[x, y + z * 0.3, z])
    return series


def other_modality(phantom: Phantom, folder: Path) -> Path:
    series = write_phantom(phantom, folder / "series")
    for path in series.iterdir():
        edit_dicom(path, Modality="MR")
    return series


def damaged_slice(phantom: Phantom, folder: Path) -> Path:
    series = write_phantom(phantom, folder / "series")
    path = sorted(series.iterdir())[0]  # at the end of the stack no gap would tell
    path.write_bytes(path.read_bytes()[:-2000])
    return series


def edit_dicom(path: Path, copy_to: Path | None = None, **tags) -> None:
    dataset = pydicom.dcmread(path)
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.save_as(copy_to or path)


BAD_INPUTS: dict[str, tuple[Callable[[Phantom, Path], Path], str]] = {
    "no such file": (missing_file, "There is no file"),
    "file cut off": (truncated, "is damaged"),
    "no image at all": (text, "cannot be read as an image"),
    "folder without DICOM": (empty_folder, "holds no DICOM images"),
    "4-D": (four_dimensional, "has 4 dimensions"),
    "colour": (colour, "has 3 values per voxel"),
    "one slice": (single_slice, "has 2 dimensions"),
    "empty": (constant, "All voxels have the value 7"),
    "scaled to 0–1": (normalised, "a mask or a normalised image"),
    "a mask": (mask, "a mask or a normalised image"),
    "mostly NaN": (mostly_nan, "of the voxels are not numbers"),
    "neither HU nor 0–255": (other_intensities, "neither HU nor 0–255"),
    "zero spacing": (zero_spacing, "spacing"),
    "too few slices": (few_slices, "only 5 slices"),
    "spacing in cm": (wrong_units, "too little for a chest"),
    "no air in it": (no_air, "no air"),
    "HU at half scale": (half_scale, "is as dark as air"),
    "no lungs in it": (no_lungs, "lungs"),
    "DICOM: slices missing": (series_with_gap, "slice is missing after slice 8 of 39"),
    "DICOM: two images at one place": (series_with_doubles, "same position"),
    "DICOM: gantry tilt": (tilted_series, "tilted by 17°"),
    "DICOM: another modality": (other_modality, "no CT series, only MR"),
    "DICOM: a damaged file": (damaged_slice, "is damaged"),
}
"""What it is: how it is made, and words that the answer must hold."""


def answer(path: Path) -> str:
    """What a person reads when this input is segmented."""
    try:
        find_lungs(read_volume(path))
    except GASNetError as error:
        return str(error)
    return "accepted"


def main() -> None:
    phantom = make_phantom(seed=1, shape=SHAPE, lesions="moderate")
    print("| input | what it says |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (make, _)) in enumerate(BAD_INPUTS.items()):
            path = make(phantom, Path(folder) / str(number))
            print(f"| {name} | {answer(path).replace(str(path.parent) + '/', '')} |")


if __name__ == "__main__":
    main()
