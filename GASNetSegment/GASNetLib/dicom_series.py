"""One CT series out of a DICOM folder: which one, whether it is whole, and its voxels in HU."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .errors import InputError

CT_MODALITY = "CT"
LARGEST_TILT_DEGREES = 1.0


@dataclass(frozen=True)
class Slice:
    """Header of one DICOM image: only what is needed to build the volume, nothing that identifies."""

    path: Path
    series: str
    modality: str
    description: str
    frames: int
    size: tuple[int, int]
    position: np.ndarray  # LPS mm of the first voxel
    direction: np.ndarray  # 3×3, columns: row axis, column axis, normal

    @property
    def height(self) -> float:
        """Position in mm along the slice normal."""
        return float(self.position @ self.direction[:, 2])


def is_dicom_file(path: Path) -> bool:
    """True if the file carries DICOM's mark, or ends in .dcm."""
    if path.suffix.lower() == ".dcm":
        return True
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_dicom_folder(folder: Path, series_of: Path | None = None) -> tuple[sitk.Image, tuple[str, ...]]:
    """Read one series of a folder tree, with rescale slope and intercept applied.

    The rule: the CT series with the most slices; of equals the one with the smaller series number (UID).

    Args:
        folder: searched with all its subfolders.
        series_of: take the series that this file belongs to instead.

    Returns:
        The 3-D image, slices ascending along their normal, and notes for the person.

    Raises:
        InputError: no CT series; slices missing, doubled, tilted or of different size; unreadable pixels.
    """
    slices = _read_headers(folder)
    if not slices:
        raise InputError(
            f"The folder {folder.name} holds no DICOM images.", "Choose the folder that holds the CT series."
        )
    series, notes = _choose_series(slices, folder, series_of)
    if len(series) == 1 and series[0].frames > 1:
        return _read_pixels(sitk.ReadImage, str(series[0].path)), notes
    series, spacing_notes, spacing = _checked_stack(series)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(s.path) for s in series])
    image = _read_pixels(reader.Execute)
    # Ours and not ITK's: ITK takes the distance of the first two slices for all.
    image.SetSpacing((*image.GetSpacing()[:2], spacing))
    image.SetOrigin([float(v) for v in series[0].position])
    image.SetDirection([float(v) for v in series[0].direction.flatten()])
    return image, notes + spacing_notes


def series_files(path: Path) -> list[Path]:
    """Files of the series that :func:`read_dicom_folder` reads of a folder (or of one file of it), in order.

    Raises:
        InputError: as there; also a path that is no DICOM.
    """
    is_folder = path.is_dir()
    if not is_folder and not (path.is_file() and is_dicom_file(path)):
        raise InputError(f"{path.name} is no DICOM series.", "Choose the folder that holds the CT series.")
    slices = _read_headers(path if is_folder else path.parent)
    if not slices:
        raise InputError(f"The folder {path.name} holds no DICOM images.", "Choose the CT series.")
    chosen, _ = _choose_series(slices, path, None if is_folder else path)
    return [item.path for item in _checked_stack(chosen)[0]]


def _read_headers(folder: Path) -> list[Slice]:
    headers = (_read_header(path) for path in sorted(folder.rglob("*")) if path.is_file())
    return [header for header in headers if header is not None]


def _read_header(path: Path) -> Slice | None:
    """Header of one file; None if it is no DICOM image."""
    if not is_dicom_file(path):
        return None
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        _refuse_damaged_ct(path)
        return None  # a report, a directory: DICOM without pixels

    def tag(key: str) -> str:
        return reader.GetMetaData(key).strip() if reader.HasMetaDataKey(key) else ""

    orientation = _numbers(tag("0020|0037"))
    position = _numbers(tag("0020|0032"))
    if len(orientation) == 6:
        row, column = orientation[:3], orientation[3:]
        direction = np.column_stack([row, column, np.cross(row, column)])
    else:
        direction = np.reshape(reader.GetDirection(), (3, 3)) if reader.GetDimension() == 3 else np.eye(3)
    size = reader.GetSize()
    return Slice(
        path=path,
        series=tag("0020|000e"),
        modality=tag("0008|0060"),
        description=tag("0008|103e"),
        frames=size[2] if len(size) > 2 else 1,
        size=size[:2],
        position=position if len(position) == 3 else np.array(reader.GetOrigin()[:3]),
        direction=direction,
    )


def _refuse_damaged_ct(path: Path) -> None:
    """A CT image that ITK cannot read is damaged; leaving it out would lose a slice in silence."""
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Modality", "Rows"])
    except (pydicom.errors.InvalidDicomError, OSError, ValueError):
        return
    if header.get("Modality") == CT_MODALITY and "Rows" in header:
        raise InputError(f"The DICOM file {path.name} is damaged.", "Copy the series again.")


def _numbers(text: str) -> np.ndarray:
    try:
        return np.array([float(part) for part in text.split("\\")])
    except ValueError:
        return np.array([])


def _choose_series(
    slices: list[Slice], folder: Path, series_of: Path | None
) -> tuple[list[Slice], tuple[str, ...]]:
    series = defaultdict(list)
    for item in slices:
        series[item.series].append(item)
    if series_of is not None:
        wanted = next((s.series for s in slices if s.path == series_of), None)
        if wanted is None:
            raise InputError(f"{series_of.name} is no DICOM image.", "Choose a file of the CT series.")
        return series[wanted], ()
    computed = {uid: found for uid, found in series.items() if found[0].modality == CT_MODALITY}
    if not computed:
        kinds = ", ".join(sorted({s.modality or "unknown" for s in slices}))
        raise InputError(f"The folder {folder.name} holds no CT series, only {kinds}.", "Choose a CT.")
    ranked = sorted(computed, key=lambda uid: (-sum(s.frames for s in computed[uid]), uid))
    chosen = computed[ranked[0]]
    if len(ranked) == 1:
        return chosen, ()
    name = chosen[0].description or "without description"
    count = sum(s.frames for s in chosen)
    return chosen, (f"{len(ranked)} CT series found: took the one with most slices, {name} ({count}).",)


def _checked_stack(slices: list[Slice]) -> tuple[list[Slice], tuple[str, ...], float]:
    """Slices in order, notes, and the slice distance in mm."""
    if len({s.size for s in slices}) > 1:
        raise InputError("The slices of the series have different sizes.", "Load one reconstruction only.")
    if any(np.abs(s.direction - slices[0].direction).max() > 1e-3 for s in slices):
        raise InputError("The slices of the series have different orientations.", "Load the axial series.")
    ordered = sorted(slices, key=lambda s: s.height)
    if len(ordered) < 2:
        return ordered, (), 1.0
    steps = np.diff([s.height for s in ordered])
    distance = float(np.median(steps))
    if steps.min() < 0.01:
        raise InputError(
            "The series holds several images at the same position.",
            "It mixes phases or reconstructions: export one of them.",
        )
    if steps.max() > 1.5 * distance:
        place = int(np.argmax(steps))
        missing = max(1, round(steps[place] / distance) - 1)
        are = "slice is" if missing == 1 else "slices are"
        raise InputError(
            f"About {missing} {are} missing after slice {place + 1} of {len(ordered)}.",
            "Load the whole series.",
        )
    _refuse_tilt(ordered)
    mean = float(steps.mean())
    if np.abs(steps - mean).max() > 0.05 * mean:
        return ordered, (f"The slice distance varies ({steps.min():.2f} to {steps.max():.2f} mm).",), mean
    return ordered, (), mean


def _refuse_tilt(ordered: list[Slice]) -> None:
    along = ordered[-1].position - ordered[0].position
    cosine = np.clip(along @ ordered[0].direction[:, 2] / np.linalg.norm(along), -1.0, 1.0)
    tilt = float(np.degrees(np.arccos(cosine)))
    if tilt > LARGEST_TILT_DEGREES:
        raise InputError(
            f"The gantry was tilted by {tilt:.0f}°, so the slices are sheared.",
            "Load it in 3D Slicer, which straightens it, harden the transform and save it as NRRD.",
        )


def _read_pixels(read, *arguments) -> sitk.Image:
    try:
        return read(*arguments)
    except RuntimeError as error:
        raise InputError(
            "The pixels of the DICOM series cannot be read.", "A file is damaged or its compression unknown."
        ) from error
