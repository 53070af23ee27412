"""A CT volume as Hounsfield units with its geometry, whatever the file, the orientation or the storage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .dicom_series import is_dicom_file, read_dicom_folder
from .errors import InputError, NotAChestCT
from .file_integrity import refuse_damaged
from .geometry import Geometry

WINDOW_HU = (-1250.0, 250.0)
"""The window of the paper (Xu et al. 2020, Preprocessing); volumes stored as 0–255 are this window scaled."""

IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Of image files that are read, DICOM apart."""

AIR_HU = -1024
STORED_OFFSET = 1024  # what scanners add to HU when they store unsigned pixels
PADDING_AT_MOST = -500  # programs fill what was not scanned with −1000, −1024, −2000, −3024, −32768, …
DARKER_THAN_TISSUE = -100  # in HU all of air and lung, and most of fat; nothing in 0–255 and stored values
TRUE_AIR_HU = -700  # of what is dark, air and aerated lung; 66 % and more in every chest CT seen
LEAST_TRUE_AIR = 0.05
SHORTEST_SCAN = 8  # slices
MOST_LISTED = 8  # labels of an image that a sentence names
SMALLEST_FIELD_MM = 80.0
LARGEST_FIELD_MM = (1000.0, 1000.0, 2000.0)  # sorted: a table is 2 m long, a bore below 1 m wide


@dataclass(frozen=True)
class Volume:
    """A CT.

    Attributes:
        hu: Hounsfield units, int16 or float32, shape (z, y, x). Not to be written to.
        geometry: its grid.
        intensities: what the file held: ``hu``; ``window`` (0–255, taken as [−1250, 250] HU scaled);
            ``unrescaled`` (stored values, rescale intercept missing: 1024 was subtracted).
        name: for people: file or series name, no patient data.
        notes: sentences about what was assumed or repaired on reading. A padding of HU stays as it is.
    """

    hu: np.ndarray
    geometry: Geometry
    intensities: str = "hu"
    name: str = ""
    notes: tuple[str, ...] = ()

    @property
    def density(self) -> np.ndarray | None:
        """``hu`` where it is density; None of a 0–255 image, whose grey levels only stand for it."""
        return None if self.intensities == "window" else self.hu


def read_volume(path: str | Path) -> Volume:
    """Read a CT from a NIfTI, NRRD or MetaImage file, a DICOM folder, or one file of a DICOM series.

    Of several DICOM series the CT series with the most slices is taken, and a note says which.

    Raises:
        InputError: missing, corrupt, not 3-D, colour, broken geometry, intensities that are no CT's, a pair
            of files (.hdr and .img), or X.nii.gz beside X.nii.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file or folder {path}.", "Check the path.")
    if path.is_dir():
        image, notes = read_dicom_folder(path)
    elif is_dicom_file(path):
        image, notes = read_dicom_folder(path.parent, series_of=path)
    else:
        image = _read_image(path)
        notes = _orientation_notes(image)
    array, geometry = _array_and_geometry(image, path)
    volume = volume_from_array(array, geometry, case_name(path))
    return replace(volume, notes=notes + volume.notes)


def read_mask(path: str | Path, geometry: Geometry | None = None) -> tuple[np.ndarray, Geometry]:
    """Read a label image as a mask: 1 where its one label is, uint8 (z, y, x), and its grid.

    Of a ``.seg.nrrd`` with several segments the one whose name contains "lesion" counts.

    Args:
        geometry: the grid the mask must lie on. A mask that Slicer cropped to its content is padded back.

    Raises:
        InputError: unreadable, not 3-D, fractions instead of labels, several labels, several segments and
            none called lesion, or another grid.
    """
    path = Path(path)
    image = _read_image(path)
    if path.name.lower().endswith(".seg.nrrd"):
        array, mask_geometry = _lesion_segment(image, path)
    else:
        labels, mask_geometry = _array_and_geometry(image, path)
        array = _only_label(labels, path)
    if geometry is None:
        return array, mask_geometry
    return _on_grid(array, mask_geometry, geometry, path), geometry


def volume_from_array(array: np.ndarray, geometry: Geometry, name: str = "") -> Volume:
    """Volume of an array (z, y, x) of any real type: tells what its intensities are and makes them HU.

    A padding far below zero is set aside for that; in data that are not HU it then becomes air.

    Raises:
        InputError: shape and geometry disagree, empty, or intensities that are no CT's.
    """
    if array.ndim != 3 or array.shape != geometry.shape:
        raise InputError(f"The image has shape {array.shape} where {geometry.shape} is expected.")
    if array.size == 0:
        raise InputError("The image is empty.")
    _check_spacing(geometry)
    array, notes = _without_nan(array)
    intensities, padding = _intensity_kind(array)
    if padding is not None:
        array = np.maximum(array, 0)
    if intensities == "window":
        low, high = WINDOW_HU
        array = array.astype(np.float32) * ((high - low) / 255.0) + low
        notes += (f"Stored as 0–255: taken as the window {low:.0f} to {high:.0f} HU.",)
    elif intensities == "unrescaled":
        array = np.rint(array).astype(np.int32) - STORED_OFFSET
        notes += ("The rescale intercept is missing: 1024 was subtracted to get HU.",)
    if padding is not None:
        notes += (f"The voxels of {padding:g} were taken for padding, and made air.",)
    return Volume(_compact(array), geometry, intensities, name, notes)


def check_chest_ct(volume: Volume) -> None:
    """Refuse what cannot be a chest CT, before anything is computed. Lungs are looked for later.

    Raises:
        NotAChestCT: too few slices, too small or too large a field of view, no air, nothing as
            dark as air should be, or no soft tissue.
    """
    size_mm = np.multiply(volume.geometry.size, volume.geometry.spacing)
    if min(volume.geometry.size) < SHORTEST_SCAN:
        shape = "×".join(str(n) for n in volume.geometry.size)
        raise NotAChestCT(
            f"The image has only {min(volume.geometry.size)} slices along one axis ({shape}).",
            f"A chest CT needs at least {SHORTEST_SCAN}; load the whole series.",
        )
    if size_mm.min() < SMALLEST_FIELD_MM:
        extent = " × ".join(f"{mm:.0f}" for mm in size_mm)
        raise NotAChestCT(
            f"The image covers only {extent} mm, too little for a chest.",
            "Check its voxel spacing, or load the whole scan.",
        )
    if np.any(np.sort(size_mm) > LARGEST_FIELD_MM):
        extent = " × ".join(f"{mm:.0f}" for mm in size_mm)
        raise NotAChestCT(
            f"The image covers {extent} mm, more than any CT scanner does.", "Check its voxel spacing."
        )
    sample = volume.hu[::2, ::4, ::4]
    if np.mean(sample < -400) < 0.01:
        raise NotAChestCT(
            "The image holds almost no air, so it has no lungs in it.", "Choose a chest CT in HU or 0–255."
        )
    dark = sample[(sample > -1500) & (sample < -300)]
    if np.count_nonzero(dark < TRUE_AIR_HU) <= LEAST_TRUE_AIR * dark.size:
        raise NotAChestCT(
            "Hardly anything in the image is as dark as air (−1000 HU) or lung.",
            "The intensities seem to be scaled: export the CT again with its rescale slope and intercept.",
        )
    if np.mean((sample > -200) & (sample < 1500)) < 0.02:
        raise NotAChestCT("The image holds almost no soft tissue.", "Choose a chest CT in HU or 0–255.")


def case_name(path: Path) -> str:
    """Name of a case from its file or folder, without the image endings."""
    name = path.name
    for ending in (".seg.nrrd", *IMAGE_ENDINGS, ".dcm"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _read_image(path: Path) -> sitk.Image:
    if not path.exists():
        raise InputError(f"There is no file {path}.", "Check the path.")
    _refuse_mistakable(path)
    try:
        refuse_damaged(path)
        return sitk.ReadImage(str(path))
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"{path.name} cannot be read as an image: {_reason(error)}.",
            "It may be damaged or of an unknown format; NIfTI, NRRD, MetaImage and DICOM are read.",
        ) from error


def _refuse_mistakable(path: Path) -> None:
    """ITK's NIfTI reader looks for voxels by the name without its ending, and takes the first it finds."""
    name = path.name.lower()
    if name.endswith((".hdr", ".img", ".hdr.gz", ".img.gz")):
        raise InputError(f"{path.name} is one of a pair of files.", "Save the image as one file, .nii.gz.")
    if name.endswith(".nii.gz") and path.with_suffix("").exists():
        raise InputError(
            f"{path.name} lies beside {path.stem}, whose voxels would be read in its place.",
            "Rename one of the two, or move it into another folder.",
        )


def _reason(error: Exception) -> str:
    """The last sentence of ITK's message, without its source positions."""
    if "Unable to determine ImageIO" in str(error):
        return "its format is not known"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].split("): ")[-1].rstrip(". ") if lines else "unknown reason"


def _orientation_notes(image: sitk.Image) -> tuple[str, ...]:
    codes = [image.GetMetaData(key) for key in ("qform_code", "sform_code") if image.HasMetaDataKey(key)]
    if len(codes) == 2 and all(code.strip() == "0" for code in codes):
        return ("The file does not say which side is right: check left and right.",)
    return ()


def _array_and_geometry(image: sitk.Image, path: Path) -> tuple[np.ndarray, Geometry]:
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise InputError(
            f"{path.name} has {image.GetNumberOfComponentsPerPixel()} values per voxel (colour or vectors).",
            "A CT has one; choose the original series.",
        )
    image = _three_dimensional(image, path)
    return sitk.GetArrayFromImage(image), Geometry.of(image)


def _three_dimensional(image: sitk.Image, path: Path) -> sitk.Image:
    size = image.GetSize()
    if image.GetDimension() == 4 and size[3] == 1:
        return image[:, :, :, 0]
    if image.GetDimension() != 3:
        shape = "×".join(str(n) for n in size)
        raise InputError(
            f"{path.name} has {image.GetDimension()} dimensions ({shape}) where three are needed.",
            "Save one 3-D volume of it.",
        )
    return image


def _check_spacing(geometry: Geometry) -> None:
    if not np.all(np.isfinite(geometry.spacing)) or min(geometry.spacing) <= 0:
        raise InputError(
            f"The voxel spacing {geometry.spacing} mm is not positive.", "Repair the header of the image."
        )


def _without_nan(array: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if array.dtype.kind not in "iuf":
        raise InputError(f"Voxels of type {array.dtype} are no CT's.", "Choose a grey-scale CT.")
    if array.dtype.kind != "f":
        return array, ()
    broken = ~np.isfinite(array)
    share = float(broken.mean())
    if share == 0.0:
        return array, ()
    if share > 0.6:
        raise InputError(f"{share:.0%} of the voxels are not numbers.", "The image is damaged.")
    filled = np.where(broken, np.min(array, where=~broken, initial=np.inf), array)
    return filled, (f"{broken.sum()} voxels that are not numbers were taken as air.",)


def _intensity_kind(array: np.ndarray) -> tuple[str, float | None]:
    """``hu``, ``window`` or ``unrescaled``, by what a chest must contain: air, and soft tissue at 0–80 HU.

    Also the value of a padding that lies outside the range of ``window`` and ``unrescaled``.
    """
    low, high = float(array.min()), float(array.max())
    if low == high:
        raise InputError(f"All voxels have the value {low:g}.", "The image is empty.")
    sample = array[:: max(1, array.shape[0] // 64), ::4, ::4]
    padding = _padding(sample, low)
    if padding is not None:
        sample = sample[sample >= DARKER_THAN_TISSUE]
        low = float(sample.min())
    if high - low <= 8:
        raise InputError(
            f"The intensities lie between {low:g} and {high:g}: a mask or a normalised image, not HU.",
            "Choose the CT itself, in HU or 0–255.",
        )
    # Interpolation may overshoot 0–255 a little, and more beside a padding.
    if high <= 265 and (low >= -10 or padding is not None):
        return "window", padding
    if np.mean((sample > -1100) & (sample < -300)) >= 0.005:
        return "hu", None
    air = np.mean((sample > -100) & (sample < 350))
    soft = np.mean((sample > STORED_OFFSET - 100) & (sample < STORED_OFFSET + 150))
    if air >= 0.02 and soft >= 0.03:
        return "unrescaled", padding
    if low >= 0 and padding is None:
        raise InputError(
            f"The intensities ({low:g} to {high:g}) are neither HU nor 0–255 nor stored CT values.",
            "Export the CT again with its rescale slope and intercept.",
        )
    return "hu", None


def _padding(sample: np.ndarray, low: float) -> float | None:
    """The lowest value, if it stands for what was not scanned and the rest is not in HU; else None.

    In HU much lies between the lowest value and soft tissue. In 0–255 and in stored values nothing does but
    what interpolation left at the border of the padding.
    """
    if low > PADDING_AT_MOST:
        return None
    scanned = sample[sample > low]
    between = np.count_nonzero(scanned < DARKER_THAN_TISSUE)
    return low if between < 0.1 * scanned.size else None


def _compact(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        return array.astype(np.float32, copy=False)
    return np.clip(array, -32768, 32767).astype(np.int16, copy=False)


def _only_label(labels: np.ndarray, path: Path) -> np.ndarray:
    """Mask of the one label of an image; empty where it has none."""
    if not np.array_equal(labels, np.rint(labels)):
        raise InputError(
            f"{path.name} holds fractions, such as probabilities: it is no mask.",
            "Choose the label image, or save the probabilities above a threshold as one.",
        )
    mask = labels != 0
    found = np.unique(labels[mask])
    if found.size > 1:
        listed = ", ".join(f"{label:g}" for label in found[:MOST_LISTED]) + ", …" * (found.size > MOST_LISTED)
        raise InputError(
            f"{path.name} holds the labels {listed}: which of them is the lesion is not clear.",
            "Save an image with the lesion alone, or a .seg.nrrd with a segment that is named Lesion.",
        )
    return mask.astype(np.uint8)


def _lesion_segment(image: sitk.Image, path: Path) -> tuple[np.ndarray, Geometry]:
    """The lesion segment of a Slicer segmentation file (layers are vector components)."""
    index = _lesion_segment_index(image, path)
    label = int(image.GetMetaData(f"Segment{index}_LabelValue"))
    if image.GetNumberOfComponentsPerPixel() > 1:
        layer = int(image.GetMetaData(f"Segment{index}_Layer"))
        image = sitk.VectorIndexSelectionCast(image, layer)
    image = _three_dimensional(image, path)
    return (sitk.GetArrayFromImage(image) == label).astype(np.uint8), Geometry.of(image)


def _lesion_segment_index(image: sitk.Image, path: Path) -> int:
    names = {}
    while f"Segment{len(names)}_LabelValue" in image.GetMetaDataKeys():
        key = f"Segment{len(names)}_Name"
        names[len(names)] = image.GetMetaData(key) if image.HasMetaDataKey(key) else ""
    found = [i for i, name in names.items() if "lesion" in name.lower()] if len(names) > 1 else list(names)
    if len(found) != 1:
        listed = ", ".join(names.values()) or "none"
        raise InputError(
            f"{path.name} holds the segments {listed}: which one is the lesion is not clear.",
            'Name exactly one of them "Lesion".',
        )
    return found[0]


def _on_grid(array: np.ndarray, own: Geometry, wanted: Geometry, path: Path) -> np.ndarray:
    """The mask on the wanted grid; only shifts by whole voxels are made, nothing is interpolated."""
    if own.same_as(wanted, tolerance_mm=0.1):
        return array
    offset = np.linalg.solve(wanted.index_to_physical, np.append(own.origin, 1.0))[:3]
    start = np.rint(offset).astype(int)
    shifted = Geometry(own.size, wanted.spacing, _position(wanted, start), wanted.direction)
    if not own.same_as(shifted, tolerance_mm=0.1):
        raise InputError(
            f"The mask {path.name} has another geometry than the CT.",
            "Export it again with the CT as reference volume.",
        )
    padded = np.zeros(wanted.shape, np.uint8)
    begin, end = np.maximum(start, 0), np.minimum(start + own.size, wanted.size)
    if np.all(end > begin):
        target = tuple(slice(a, b) for a, b in zip(begin[::-1], end[::-1], strict=True))
        first = begin - start
        origin = tuple(
            slice(a, a + b - c) for a, b, c in zip(first[::-1], end[::-1], begin[::-1], strict=True)
        )
        padded[target] = array[origin]
    if padded.sum() != array.sum():
        raise InputError(
            f"The mask {path.name} reaches beyond the CT.", "Export it with the CT as reference volume."
        )
    return padded


def _position(geometry: Geometry, index: np.ndarray) -> tuple[float, float, float]:
    return tuple(float(v) for v in (geometry.index_to_physical @ np.append(index, 1.0))[:3])
