"""How much of the lungs is diseased: millilitres, per cent, side, density and the single foci; the report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from .atomic import write_atomically
from .errors import InputError
from .geometry import Geometry
from .lung_sides import LungSides
from .lungs import LEFT, RIGHT
from .mask_box import Slices, box_around
from .version import VERSION

if TYPE_CHECKING:
    from .segment import Segmentation

MINIMAL_FOCUS_ML = 0.1
"""Smaller components count in the volumes, but not as foci: 100 mm³ (a sphere of 6 mm) is what the Fleischner
Society (MacMahon et al., Radiology 2017) lets go without follow-up, and about five voxels of the network."""

REPORT_ENDINGS = (".json", ".csv")


@dataclass(frozen=True)
class Share:
    """Lesion in one lung: millilitres of lesion and of lung, and per cent (None where there is no lung)."""

    lesion_ml: float
    lung_ml: float
    lesion_percent: float | None


@dataclass(frozen=True)
class Density:
    """HU of the lesion voxels: mean and population standard deviation.

    None without lesion, and of a CT stored as 0–255: grey levels are no HU.
    """

    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Focus:
    """One connected lesion.

    Attributes:
        volume_ml: its volume.
        centre: LPS mm (x, y, z) of the voxel of the focus nearest to its centroid, to jump to.
        mean_hu: mean of the CT in it; None of a CT stored as 0–255.
        side: ``right`` or ``left``: where most of it lies.
    """

    volume_ml: float
    centre: tuple[float, float, float]
    mean_hu: float | None
    side: str


@dataclass(frozen=True)
class Quantities:
    """What is measured in one case.

    Attributes:
        lesion_ml, lung_ml, lesion_percent: of both lungs.
        left, right: the same of each lung.
        hu: density of the lesions.
        foci: connected lesions (26 neighbours) of a minimal size, largest first.
    """

    lesion_ml: float
    lung_ml: float
    lesion_percent: float | None
    left: Share
    right: Share
    hu: Density
    foci: tuple[Focus, ...]

    @property
    def components(self) -> int:
        """Number of foci."""
        return len(self.foci)


def quantify(
    hu: np.ndarray | None,
    lesions: np.ndarray,
    lung_labels: np.ndarray,
    geometry: Geometry,
    minimal_focus_ml: float = MINIMAL_FOCUS_ML,
) -> Quantities:
    """Measure the lesions of a CT.

    Consolidation at the pleura falls outside most lung masks. Lung is therefore, here, lung mask *or* lesion,
    and a lesion voxel outside the mask belongs to the nearer lung: per cent never exceed 100.

    Args:
        hu: the CT, (z, y, x); None if its intensities are no HU (:attr:`~GASNetLib.volume.Volume.density`).
        lesions: mask, not 0 where lesion, (z, y, x).
        lung_labels: 1 right, 2 left, (z, y, x).
        geometry: grid of all three.
        minimal_focus_ml: smaller connected components are not listed as foci.

    Raises:
        InputError: no lung in ``lung_labels``. ValueError: the arrays have different shapes.
    """
    shapes = [array.shape for array in (hu, lesions, lung_labels) if array is not None]
    if any(shape != geometry.shape for shape in shapes):
        raise ValueError(f"shapes differ: {shapes}, {geometry.shape}")
    box = box_around(lesions)
    sides = LungSides.of(lung_labels, geometry.spacing)
    return measure(hu, lesions[box], box, lung_labels, sides, geometry, minimal_focus_ml)


def measure(
    hu: np.ndarray | None,
    lesions: np.ndarray,
    box: Slices,
    lung_labels: np.ndarray,
    lungs: LungSides,
    geometry: Geometry,
    minimal_focus_ml: float = MINIMAL_FOCUS_ML,
) -> Quantities:
    """:func:`quantify` for a lesion that is measured again and again: with its box alone, and what the lungs
    tell worked out once.

    Args:
        hu: the CT, (z, y, x), or None. lesions: mask in ``box``. lung_labels: (z, y, x). lungs: their sides.
        geometry: grid of the CT.
    """
    lesion = np.ascontiguousarray(lesions != 0)
    in_box = np.unravel_index(np.flatnonzero(lesion), lesion.shape)
    index = tuple(axis + ends.start for axis, ends in zip(in_box, box, strict=True))
    values = None if hu is None else hu[index].astype(np.float64)
    marked = lung_labels[index]
    sides = lungs.given(marked, index)
    outside = sides[marked == 0]
    right, left = (
        _share(
            int(np.count_nonzero(sides == side)),
            voxels + int(np.count_nonzero(outside == side)),
            geometry.voxel_ml,
        )
        for side, voxels in ((RIGHT, lungs.right), (LEFT, lungs.left))
    )
    total = _share(marked.size, lungs.right + lungs.left + outside.size, geometry.voxel_ml)
    return Quantities(
        total.lesion_ml,
        total.lung_ml,
        total.lesion_percent,
        left,
        right,
        _density(values),
        tuple(_foci(lesion, in_box, index, values, sides, geometry, minimal_focus_ml)),
    )


def report(segmentation: Segmentation, case: str) -> dict:
    """The figures of one case and where they come from, ready for JSON; volumes to 0.001 ml."""
    measured = quantify(
        segmentation.volume.density,
        segmentation.lesions,
        segmentation.lungs.labels,
        segmentation.volume.geometry,
    )
    return {
        "case": case,
        "model": {"name": segmentation.model.name, "sha256": segmentation.model.sha256},
        "threshold": segmentation.threshold,
        **_rounded(measured),
        "left": _rounded(measured.left),
        "right": _rounded(measured.right),
        "hu": {"mean": _round(measured.hu.mean, 1), "sd": _round(measured.hu.sd, 1)},
        "components": measured.components,
        "device": segmentation.device,
        "created": segmentation.created,
        "seconds": dict(segmentation.seconds),
        "version": VERSION,
        "notes": list(segmentation.notes),
    }


def write_report(path: str | Path, reports: Mapping | Sequence[Mapping]) -> Path:
    """Write one report or many: JSON (an object, or a list of them) or CSV (a row a case) by the ending.

    CSV columns are the keys, nested ones joined by a point (``left.lesion_ml``); notes are joined by a blank.

    Returns:
        The path.

    Raises:
        InputError: another ending. ResourceError: the file cannot be written.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in REPORT_ENDINGS:
        raise InputError(
            f"A report cannot be written as {path.name}.",
            f"Let the name end in {' or '.join(REPORT_ENDINGS)}.",
        )
    write_atomically(path, (_json(reports) if ending == ".json" else _csv(reports)).encode("utf-8"))
    return path


def _share(lesion_voxels: int, lung_voxels: int, voxel_ml: float) -> Share:
    percent = 100.0 * lesion_voxels / lung_voxels if lung_voxels else None
    return Share(lesion_voxels * voxel_ml, lung_voxels * voxel_ml, percent)


def _density(values: np.ndarray | None) -> Density:
    if values is None or not values.size:
        return Density(None, None)
    return Density(float(values.mean()), float(values.std()))


def _foci(
    lesion: np.ndarray,
    in_box: tuple[np.ndarray, ...],
    index: tuple[np.ndarray, ...],
    values: np.ndarray | None,
    sides: np.ndarray,
    geometry: Geometry,
    minimal_ml: float,
) -> Iterator[Focus]:
    """Foci, largest first, from the lesion in its box, and of each lesion voxel: its index there and in the
    CT, HU (or None) and side."""
    if not sides.size:
        return
    components = sitk.ConnectedComponent(sitk.GetImageFromArray(lesion.view(np.uint8)), True)
    labels = sitk.GetArrayViewFromImage(components)[in_box]
    count = np.bincount(labels)
    # Label 0 is what is no lesion: it has no voxel among these.
    mean_hu = None if values is None else np.bincount(labels, values) / np.maximum(count, 1)
    right = np.bincount(labels, sides == RIGHT)
    centre = _central_voxels(labels, index, count, geometry.spacing)
    for label in np.argsort(-count, kind="stable"):
        volume = float(count[label]) * geometry.voxel_ml
        if label == 0 or volume < minimal_ml:
            continue
        voxel = [axis[centre[label]] for axis in index]
        position = geometry.index_to_physical @ np.append(voxel[::-1], 1.0)
        side = "right" if 2 * right[label] >= count[label] else "left"
        mean = None if mean_hu is None else float(mean_hu[label])
        yield Focus(volume, tuple(position[:3].tolist()), mean, side)


def _central_voxels(
    labels: np.ndarray, index: tuple[np.ndarray, ...], count: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    """For each label: which of its voxels lies nearest to its centroid."""
    distance = np.zeros(labels.size)
    for axis, step in zip(index, spacing[::-1], strict=True):
        centroid = np.bincount(labels, axis) / np.maximum(count, 1)
        distance += ((axis - centroid[labels]) * step) ** 2
    nearest = np.full(count.size, np.inf)
    np.minimum.at(nearest, labels, distance)
    central = np.zeros(count.size, np.intp)
    candidates = np.flatnonzero(distance == nearest[labels])
    central[labels[candidates]] = candidates
    return central


def _rounded(share: Share | Quantities) -> dict:
    return {
        "lesion_ml": _round(share.lesion_ml, 3),
        "lung_ml": _round(share.lung_ml, 3),
        "lesion_percent": _round(share.lesion_percent, 3),
    }


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _json(reports: Mapping | Sequence[Mapping]) -> str:
    return json.dumps(reports, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _csv(reports: Mapping | Sequence[Mapping]) -> str:
    """RFC 4180; a column that only some cases have (a stage of the timing) is empty in the others."""
    rows = [dict(_flat(one)) for one in ([reports] if isinstance(reports, Mapping) else reports)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(mapping: Mapping, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, " ".join(value) if isinstance(value, (list, tuple)) else value
