"""Lungs by their air: a fast classical method on a coarse grid along the patient's axes.

Air inside the body, less trachea and bronchi, less bowel gas; parted into right and left; closed over
vessels, consolidation and lesions at the pleura.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ..errors import NotAChestCT
from ..geometry import Geometry
from ..mask_box import box_around
from ..resampling import binned, sampled
from ..volume import AIR_HU, Volume
from .airways import find_airways
from .morphology import (
    closed_over,
    components,
    dilated,
    distance_to,
    eroded,
    grown_within,
    slice_components,
)
from .surface import filled_lungs

RIGHT, LEFT = 1, 2

COARSE_MM = 2.5
MOST_VOXELS = 8_000_000  # of the coarse grid; whole-body scans get a coarser one
PADDING_HU = -1500  # what scanners write outside the field of view lies below
BRIGHTEST_HU = 600  # metal must not spoil averages
EQUALISED_AIR_HU = -500  # 8-bit images are often equalised: fat is dark there, bone as bright as muscle
LUNG_HU = -400
BONE_HU = 250
BODY_HU = -300
GAS_ABOVE_AIR_HU = 60
SMALLEST_GAS_ML = 2.0
LARGEST_AIR_AROUND_GAS = 0.5
SMALLEST_LUNG_SHARE = 0.25  # of the largest piece of air; smaller ones may be gas
BASE_SHARE = 0.25  # of the lungs' height, from their lower end: stomach and colon reach no higher
VESSEL_VOXELS = 2
CUT_MARGIN_VOXELS = 6
DEEPEST_JUNCTION_MM = 25.0
SMALLEST_LUNG_ML = 100.0
SMALLEST_PART_ML = 20.0
SMALLEST_SHARE = 0.04  # of the largest part


@dataclass(frozen=True)
class Scan:
    """A CT on the coarse grid: axial slices upwards, rows to posterior, columns to the patient's left.

    Attributes:
        hu: float32 (z, y, x); of 0–255 images rescaled slice by slice to air −1000 and soft tissue 0.
        unseen: bool (z, y, x), outside the scanner's field of view or the stored volume.
        grid: its geometry.
        air: HU below which a voxel is air or lung.
        bone: HU above which a voxel is bone, never lung.
        absolute: whether air is near −1000 everywhere; contrast equalisation makes lung as dark.
    """

    hu: np.ndarray
    unseen: np.ndarray
    grid: Geometry
    air: float
    bone: float
    absolute: bool

    @property
    def voxel_ml(self) -> float:
        return self.grid.voxel_ml


def classical_lungs(scan: Scan) -> tuple[np.ndarray, Geometry]:
    """Labels (z, y, x) uint8 on the part of the scan's grid around the air in the body, 0 none, 1 right, 2
    left, and that part.

    Raises:
        NotAChestCT: nothing like a lung is found.
    """
    body = _body(scan)
    air = _air_in_body(scan, body)
    outside_air = _outside_air(scan, air)
    middle_mm = _middle_mm(scan, body)
    scan, air = _cut_to(scan, air)
    middle = (middle_mm - scan.grid.origin[0]) / scan.grid.spacing[0]
    above = _middle_of_largest(air)
    airways = find_airways(scan.hu, air, scan.grid.spacing, middle, above, scan.absolute)
    gas = _bowel_gas(scan, air, airways, outside_air) if scan.absolute else np.zeros(air.shape, bool)
    gas |= _pockets_below(scan, air & ~airways & ~gas)
    blocked = airways | gas | scan.unseen | (scan.hu > scan.bone)
    tissue = closed_over(air & ~dilated(airways, (1, 1, 1)) & ~gas, VESSEL_VOXELS) & ~blocked
    parts = _lung_parts(scan, tissue)
    nearest = nearest_side(_sides(parts, middle, scan), scan.grid.spacing)
    sides = np.where(grown_within(parts > 0, tissue, 4), nearest, 0).astype(np.uint8)
    return filled_lungs(sides, blocked, scan.grid.spacing), scan.grid


def _cut_to(scan: Scan, air: np.ndarray) -> tuple[Scan, np.ndarray]:
    """Scan and air cut to the box around the air: what follows costs by the voxel."""
    box = box_around(air, CUT_MARGIN_VOXELS)
    return replace(scan, hu=scan.hu[box], unseen=scan.unseen[box], grid=scan.grid.part(box)), air[box]


def _middle_mm(scan: Scan, body: np.ndarray) -> float:
    """x in mm of the body's midline."""
    return float(np.nonzero(body.any(axis=(0, 1)))[0].mean() * scan.grid.spacing[0] + scan.grid.origin[0])


def coarse_scan(volume: Volume) -> Scan:
    """The CT averaged to a grid of about 2.5 mm along the patient's axes."""
    grid = _coarse_grid(volume.geometry)
    image = volume.geometry.image(volume.hu)

    def averaged() -> np.ndarray:
        clamped = sitk.Clamp(image, image.GetPixelID(), PADDING_HU, BRIGHTEST_HU)
        return sampled(binned(clamped, grid), grid, AIR_HU).astype(np.float32)

    def percent_seen() -> np.ndarray:
        return sampled(binned(sitk.BinaryThreshold(image, PADDING_HU, 32767, 100, 0), grid), grid, 0)

    with ThreadPoolExecutor(2) as pool:
        hu, seen = (task.result() for task in [pool.submit(averaged), pool.submit(percent_seen)])
    unseen = seen < 50
    if volume.intensities == "window":
        return Scan(standardised(hu), unseen, grid, EQUALISED_AIR_HU, np.inf, False)
    return Scan(hu, unseen, grid, LUNG_HU, BONE_HU, True)


def _coarse_grid(geometry: Geometry) -> Geometry:
    corners = geometry.corners()
    lower, upper = corners.min(axis=0), corners.max(axis=0)
    extent = upper - lower
    step = max(COARSE_MM, float((np.prod(extent) / MOST_VOXELS) ** (1 / 3)))
    size = np.maximum(1, np.rint(extent / step)).astype(int)
    spacing = extent / size
    return Geometry(tuple(size.tolist()), tuple(spacing.tolist()), tuple((lower + spacing / 2).tolist()))


def standardised(hu: np.ndarray) -> np.ndarray:
    """Each slice rescaled to air −1000 and soft tissue 0, then smoothed by a median; float32 (z, y, x).

    It undoes the slice-wise contrast stretching of 8-bit images roughly.
    """
    scaled = np.empty_like(hu)
    for z, values in enumerate(hu):
        threshold = _otsu(values)
        dark, bright = values[values <= threshold], values[values > threshold]
        if len(dark) == 0 or len(bright) == 0:
            scaled[z] = values
            continue
        air, tissue = np.median(dark), np.median(bright)
        scaled[z] = (values - air) * (1000.0 / (tissue - air)) - 1000.0
    return sitk.GetArrayFromImage(sitk.Median(sitk.GetImageFromArray(scaled), (1, 1, 1)))


def _otsu(values: np.ndarray) -> float:
    counts, edges = np.histogram(values, bins=64)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sum_below = np.cumsum(counts * centres)[:-1]
    sum_above = (counts * centres).sum() - sum_below
    usable = (below > 0) & (above > 0)
    difference = sum_below / np.maximum(below, 1) - sum_above / np.maximum(above, 1)
    return float(centres[np.argmax(np.where(usable, below * above * difference**2, -1))])


def _body(scan: Scan) -> np.ndarray:
    """The largest piece of tissue that is thicker than table boards, tubes and clothes."""
    core = eroded((scan.hu > BODY_HU) | scan.unseen, (1, 1, 1)) & ~scan.unseen
    labels = components(core)
    if labels.max() == 0:
        raise NotAChestCT("The image shows no body.", "Choose a chest CT.")
    return dilated(labels == np.bincount(labels[labels > 0]).argmax(), (1, 1, 1))


def _air_in_body(scan: Scan, body: np.ndarray) -> np.ndarray:
    air = (scan.hu < scan.air) & ~scan.unseen
    air &= ~_reached_from_rim(air, scan.unseen)
    labels = components(air)
    # What only the table, arms or blankets enclose is reached when the body alone is in the way.
    reached = _reached_from_rim(~body & ~scan.unseen, scan.unseen)
    counts = np.bincount(labels.ravel())
    share = np.bincount(labels.ravel(), weights=reached.ravel()) / np.maximum(counts, 1)
    inside = (share < 0.5) & (counts * scan.voxel_ml > SMALLEST_GAS_ML)
    inside[0] = False
    if not inside.any():
        raise NotAChestCT("The body in the image encloses no air: no lungs are seen.", "Choose a chest CT.")
    return inside[labels]


def _reached_from_rim(free: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """What of ``free`` connects to the rim of its axial slice through gaps wider than two voxels."""
    core = eroded(free | unseen, (1, 1, 0))
    labels = slice_components(core)
    rim = unseen.copy()
    rim[:, [0, -1], :] = True
    rim[:, :, [0, -1]] = True
    reached = np.zeros(labels.max() + 1, bool)
    reached[labels[rim & core]] = True
    reached[0] = False
    return dilated(reached[labels], (1, 1, 0)) & free


def _middle_of_largest(air: np.ndarray) -> float:
    """Slice of the centre of the largest piece of air."""
    labels = components(air)
    return float(np.nonzero(labels == np.bincount(labels[labels > 0]).argmax())[0].mean())


def _outside_air(scan: Scan, air: np.ndarray) -> float:
    """HU of the air around the body; noise and calibration move it."""
    outside = scan.hu[(scan.hu < -900) & (scan.hu > -1150) & ~air & ~scan.unseen]
    return float(np.median(outside)) if outside.size else AIR_HU


def _bowel_gas(scan: Scan, air: np.ndarray, airways: np.ndarray, outside_air: float) -> np.ndarray:
    """Pure air in the body that is neither airway nor a bulla (those lie within lung), with its wall."""
    pure = air & ~airways & (scan.hu < outside_air + GAS_ABOVE_AIR_HU)
    labels = components(eroded(pure, (1, 1, 1)))
    counts = np.bincount(labels.ravel())
    gas = np.zeros(air.shape, bool)
    for label in 1 + np.flatnonzero(counts[1:] * scan.voxel_ml > SMALLEST_GAS_ML):
        pocket = dilated(labels == label, (1, 1, 1))
        shell = dilated(pocket, (3, 3, 3)) & ~dilated(pocket, (1, 1, 1))
        if air[shell].mean() < LARGEST_AIR_AROUND_GAS:
            gas |= pocket
    nearly = air & ~airways & (scan.hu < outside_air + 2 * GAS_ABOVE_AIR_HU)
    return dilated(grown_within(gas, nearly, 3), (1, 1, 1)) & air if gas.any() else gas


def _pockets_below(scan: Scan, air: np.ndarray) -> np.ndarray:
    """Separate air at the feet's end of the lungs that is darker than they: gas of stomach or colon.

    It is compared with the lungs of the same CT, because 0–255 images know no HU of pure air, and because
    partial volume makes gas in thin bowel brighter than that.
    """
    pieces = components(eroded(air, (1, 1, 1)))
    counts = np.bincount(pieces.ravel())
    counts[0] = 0
    lung = (counts >= SMALLEST_LUNG_SHARE * counts.max())[pieces] & (pieces > 0)
    levels = np.flatnonzero(lung.any(axis=(1, 2)))
    if not levels.size or levels[0] <= 1:  # the scan cuts the lungs off: it does not reach below them
        return np.zeros(air.shape, bool)
    base = levels[0] + BASE_SHARE * (levels[-1] - levels[0])
    darkest = np.percentile(scan.hu[lung], 5)
    pockets = np.zeros(air.shape, bool)
    candidates = (counts * scan.voxel_ml > SMALLEST_GAS_ML) & (counts < SMALLEST_LUNG_SHARE * counts.max())
    for label in np.flatnonzero(candidates):
        pocket = pieces == label
        if np.nonzero(pocket)[0].mean() < base and np.percentile(scan.hu[pocket], 25) < darkest:
            pockets |= pocket
    return grown_within(pockets, air, 2) if pockets.any() else pockets


def _lung_parts(scan: Scan, tissue: np.ndarray) -> np.ndarray:
    """Labels of the large pieces."""
    core = components(eroded(tissue, (1, 1, 1)))
    counts = np.bincount(core.ravel())
    counts[0] = 0
    chosen = np.flatnonzero(counts >= max(SMALLEST_PART_ML / scan.voxel_ml, SMALLEST_SHARE * counts.max()))
    if counts[chosen].sum() * scan.voxel_ml < SMALLEST_LUNG_ML:
        raise NotAChestCT("No lungs were found in the image.", "Choose a CT that shows the chest.")
    renumber = np.zeros(len(counts), int)
    renumber[chosen] = np.arange(1, len(chosen) + 1)
    return renumber[core]


def _sides(parts: np.ndarray, middle: float, scan: Scan) -> np.ndarray:
    """Labels of cores of the right and the left lung."""
    cores = np.zeros(parts.shape, np.uint8)
    for label in range(1, parts.max() + 1):
        for core in _parted(parts == label, middle, scan.grid.spacing):
            cores[core] = RIGHT if np.nonzero(core)[2].mean() < middle else LEFT
    return cores


def _parted(piece: np.ndarray, middle: float, spacing: tuple[float, float, float]) -> list[np.ndarray]:
    """Cores of both lungs if ``piece`` is two lungs that touch, else the piece itself."""
    if not 0.15 < np.mean(np.nonzero(piece)[2] < middle) < 0.85:
        return [piece]
    depth = distance_to(~piece, spacing)
    for least in np.arange(1.0, DEEPEST_JUNCTION_MM, 1.5):
        labels = components(depth > least)
        counts = np.bincount(labels.ravel())[1:]
        large = 1 + np.flatnonzero(counts > 0.15 * counts.sum())
        if len(large) >= 2:
            return [labels == label for label in large]
    return [piece]


def nearest_side(cores: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray | int:
    """For each voxel (z, y, x) the label of the nearer of both lungs; one label if there is one lung only."""
    if not (cores == RIGHT).any() or not (cores == LEFT).any():
        return cores.max()
    with ThreadPoolExecutor(2) as pool:
        to_right, to_left = pool.map(lambda side: distance_to(cores == side, spacing), (RIGHT, LEFT))
    return np.where(to_right < to_left, RIGHT, LEFT)
