"""One CT series out of a DICOM folder: which one, whether it is whole, and its voxels in HU."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .errors import InputError

CT_MODALITY = "CT"
MOST_LOCALIZERS = 3  # images of another orientation that may be left out of a series


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
    pixel_mm: float  # the smaller in-plane spacing
    instance: str  # SOP instance UID
    number: int  # of the series
    acquisition: str
    image_type: tuple[str, ...]
    rescale: tuple[str, str]  # slope and intercept as written, empty where missing

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

    The rule: the CT series with the most slices; of equals an original, primary, axial one, then the
    smaller series number, then the smaller UID.

    Args:
        folder: searched with all its subfolders.
        series_of: take the series that this file belongs to instead.

    Returns:
        The 3-D image, slices ascending along their normal, and notes for the person.

    Raises:
        InputError: no CT series; slices missing, doubled, unevenly spaced, tilted or of different size;
            several acquisitions of one place; rescale missing in some slices; unreadable pixels.
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
    if len({s.rescale for s in series}) > 1:
        # ITK takes the pixel type of the first slice for all, which need not hold the others' HU.
        reader.SetOutputPixelType(sitk.sitkFloat32)
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
        pixel_mm=float(min(reader.GetSpacing()[:2])),
        instance=tag("0008|0018"),
        number=int(tag("0020|0011")) if tag("0020|0011").isdecimal() else 0,
        acquisition=tag("0020|0012"),
        image_type=tuple(part.strip().upper() for part in tag("0008|0008").split("\\")),
        rescale=(tag("0028|1053"), tag("0028|1052")),
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
        slices, series = series[wanted], {wanted: series[wanted]}
    computed = {uid: found for uid, found in series.items() if found[0].modality == CT_MODALITY}
    if not computed:
        kinds = ", ".join(sorted({s.modality or "unknown" for s in slices}))
        where = f"The folder {folder.name} holds" if series_of is None else f"{series_of.name} is of"
        raise InputError(f"{where} no CT series, only {kinds}.", "Choose a CT.")
    ranked = sorted(computed, key=lambda uid: (_preference(computed[uid]), uid))
    chosen = computed[ranked[0]]
    if len(ranked) == 1:
        return chosen, ()
    name = chosen[0].description or "without description"
    count = _slice_count(chosen)
    equals = sum(_slice_count(computed[uid]) == count for uid in ranked)
    why = "the one with most slices"
    if equals > 1:
        why = f"of the {equals} with most slices the first by image type and series number"
    return chosen, (f"{len(ranked)} CT series found: took {why}, {name} ({count}).",)


def _slice_count(series: list[Slice]) -> int:
    return sum({s.instance or str(s.path): s.frames for s in series}.values())


def _preference(series: list[Slice]) -> tuple:
    """Sort key: most slices first, then what the scanner measured before what was derived of it."""
    kinds = series[0].image_type
    derived = tuple(kind not in kinds for kind in ("ORIGINAL", "PRIMARY", "AXIAL"))
    return -_slice_count(series), derived, series[0].number


def _checked_stack(slices: list[Slice]) -> tuple[list[Slice], tuple[str, ...], float]:
    """Slices in order, notes, and the slice distance in mm."""
    slices, notes = _without_localizers(slices)
    slices, doubles = _without_copies(slices)
    notes += doubles + _rescale_notes(slices)
    if len({s.size for s in slices}) > 1:
        raise InputError("The slices of the series have different sizes.", "Load one reconstruction only.")
    if any(np.abs(s.direction - slices[0].direction).max() > 1e-3 for s in slices):
        raise InputError("The slices of the series have different orientations.", "Load the axial series.")
    ordered = sorted(slices, key=lambda s: s.height)
    if len(ordered) < 2:
        return ordered, notes, 1.0
    _refuse_overlapping_acquisitions(ordered)
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
    _refuse_uneven_slices(ordered, steps, mean)
    if np.abs(steps - mean).max() > 0.05 * mean:
        notes += (f"The slice distance varies ({steps.min():.2f} to {steps.max():.2f} mm).",)
    return ordered, notes, mean


def _without_localizers(slices: list[Slice]) -> tuple[list[Slice], tuple[str, ...]]:
    """The slices without the overview images that some scanners store in the same series."""
    stacks: list[list[Slice]] = []
    for item in slices:
        if "LOCALIZER" in item.image_type:
            continue
        same = (s for s in stacks if np.abs(item.direction - s[0].direction).max() <= 1e-3)
        stack = next(same, None)
        if stack is None:
            stacks.append([item])
        else:
            stack.append(item)
    if not stacks:
        return slices, ()
    kept = max(stacks, key=len)
    others = sum(map(len, stacks)) - len(kept)
    if others > MOST_LOCALIZERS or others >= len(kept):
        return slices, ()
    left_out = len(slices) - len(kept)
    return kept, (f"Left out {left_out} localizer image(s) of the series.",) if left_out else ()


def _without_copies(slices: list[Slice]) -> tuple[list[Slice], tuple[str, ...]]:
    """The slices without files that repeat another one's image: same UID, same place, same voxels."""
    kept: list[Slice] = []
    by_instance: dict[str, Slice] = {}
    for item in slices:
        first = by_instance.setdefault(item.instance, item) if item.instance else item
        if first is item or not _same_image(first, item):
            kept.append(item)
    copies = len(slices) - len(kept)
    return kept, (f"Left out {copies} file(s) that repeat a slice of the series.",) if copies else ()


def _same_image(one: Slice, other: Slice) -> bool:
    if one.size != other.size or not np.array_equal(one.position, other.position):
        return False
    first, second = (_read_pixels(sitk.ReadImage, str(item.path)) for item in (one, other))
    return np.array_equal(sitk.GetArrayViewFromImage(first), sitk.GetArrayViewFromImage(second))


def _rescale_notes(slices: list[Slice]) -> tuple[str, ...]:
    """Different rescales are right, each slice is read with its own; a missing one has no such answer."""
    if len({s.rescale for s in slices}) == 1:
        return ()
    without = sum("" in s.rescale for s in slices)
    if 0 < without < len(slices):
        raise InputError(
            f"The rescale slope or intercept is missing in {without} of {len(slices)} slices.",
            "Export the series again.",
        )
    return ("Rescale slope and intercept differ between slices: each was read with its own.",)


def _refuse_overlapping_acquisitions(ordered: list[Slice]) -> None:
    """Acquisitions one after the other along the body are one scan; of one place they are two."""
    heights = defaultdict(list)
    for item in ordered:
        if item.acquisition:
            heights[item.acquisition].append(item.height)
    spans = sorted((min(found), max(found)) for found in heights.values())
    tops = np.maximum.accumulate([top for _, top in spans]) if spans else []
    if any(following[0] <= top for top, following in zip(tops, spans[1:], strict=False)):
        raise InputError(
            f"The series mixes {len(spans)} acquisitions of the same part of the body.",
            "Export one acquisition only.",
        )


def _refuse_uneven_slices(ordered: list[Slice], steps: np.ndarray, mean: float) -> None:
    """A volume has one slice distance: refuse where that would move a slice by more than half of it."""
    heights = np.array([s.height for s in ordered])
    moved = float(np.abs(heights - heights[0] - mean * np.arange(len(heights))).max())
    if moved > 0.5 * mean:
        raise InputError(
            f"The slice distance changes ({steps.min():.2f} to {steps.max():.2f} mm), which would move slices"
            f" by up to {moved:.1f} mm.",
            "Resample the series to one slice distance, or export a part with one.",
        )


def _refuse_tilt(ordered: list[Slice]) -> None:
    """The volume is a box: refuse where that moves the last slice by more than half a pixel in its plane."""
    along = ordered[-1].position - ordered[0].position
    height = ordered[-1].height - ordered[0].height
    shear = float(np.linalg.norm(along - height * ordered[0].direction[:, 2]))
    if shear > 0.5 * ordered[0].pixel_mm:
        tilt = float(np.degrees(np.arctan2(shear, height)))
        raise InputError(
            f"The gantry was tilted by {tilt:.2g}°, so the slices are sheared.",
            "Load it in 3D Slicer, which straightens it, harden the transform and save it as NRRD.",
        )


def _read_pixels(read, *arguments) -> sitk.Image:
    try:
        return read(*arguments)
    except RuntimeError as error:
        raise InputError(
            "The pixels of the DICOM series cannot be read.", "A file is damaged or its compression unknown."
        ) from error
