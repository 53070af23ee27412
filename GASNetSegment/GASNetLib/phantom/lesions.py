"""Pneumonia lesions: where they lie, how far they reach, and how dense they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..geometry import Geometry
from .anatomy import Chest
from .build import Build
from .texture import LESIONS, random_stream, smooth_field
from .trees import lung_points

# Lesion volume as a fraction of lung volume.
SEVERITIES = {"none": (0.0, 0.0), "mild": (0.015, 0.04), "moderate": (0.12, 0.22), "severe": (0.42, 0.57)}
NOWHERE = 1000.0  # mm: a distance that no lesion reaches


@dataclass(frozen=True)
class LesionFields:
    """Outline and density of lesions.

    Attributes:
        distance: image in the world's frame: mm from the lesions' outline, negative inside.
        density: HU that the lung takes inside, float32 [z, y, x] on the lattice.
    """

    distance: sitk.Image
    density: np.ndarray


def severity_fraction(lesions: str | float, seed: int) -> float:
    """Lesion fraction of the lungs asked for by a name or number.

    Raises:
        ValueError: unknown name, or a number outside 0 … 0.9.
    """
    if isinstance(lesions, str):
        if lesions not in SEVERITIES:
            names = ", ".join(SEVERITIES)
            raise ValueError(f"lesions must be one of {names}, a fraction or a mask, not {lesions!r}")
        return float(random_stream(seed, LESIONS).uniform(*SEVERITIES[lesions]))
    if not 0 <= lesions <= 0.9:
        raise ValueError(f"the lesion fraction must lie between 0 and 0.9, not {lesions}")
    return float(lesions)


def random_lesions(
    build: Build, seed: int, fraction: float, lattice: Geometry, world: Geometry, lungs: np.ndarray
) -> LesionFields:
    """Lesions that fill a fraction of the lungs: foci that prefer the pleura, the back and the bases.

    Args:
        build, seed: the patient.
        fraction: lesion volume over lung volume.
        lattice, world: the lattice in the patient's frame and in the world's.
        lungs: bool on the lattice, the lungs that count.
    """
    rng = random_stream(seed, LESIONS)
    rng.random()  # the severity's draw
    count = int(np.clip(2 + 70 * fraction, 2, 30) * rng.uniform(0.7, 1.3)) + 1
    centres, sizes = _foci(build, rng, count, fraction)
    large = smooth_field(rng, lattice, 34)
    small = smooth_field(rng, lattice, 11)
    distance = np.full(lattice.shape, NOWHERE, np.float32)
    x, y, z = lattice_axes(lattice)
    for (cx, cy, cz), (flat, size) in zip(centres, sizes, strict=True):
        focus = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + ((z - cz) / flat) ** 2) - size
        np.minimum(distance, focus, out=distance)
    ragged = float(np.clip(np.median(sizes[:, 1]) * 0.3, 2, 8))
    distance += ragged * (large + 0.5 * small + 0.3 * smooth_field(rng, lattice, 6))
    # The level that leaves just the wanted fraction of the lungs inside.
    distance -= np.quantile(distance[lungs], fraction)
    return LesionFields(world.image(distance), _density(rng, lattice, distance, large, small))


def mask_lesions(
    mask: np.ndarray, geometry: Geometry, seed: int, lattice: Geometry, world: Geometry
) -> LesionFields | None:
    """Lesions with the outline of a mask [z, y, x], which covers the field of view of the phantom's grid.

    A mask of another shape is stretched over the grid, so that a real lesion mask without its CT can be used.

    Args:
        geometry: the phantom's grid.
        lattice, world: the lattice in the patient's frame and in the world's.
    """
    if not np.any(mask):
        return None
    rng = random_stream(seed, LESIONS)
    grid = over_same_view(mask, geometry)
    # A distance map is zero in the outermost voxels of its object; the outline runs between those of the
    # mask and those of its surroundings.
    inside, outside = (
        sitk.SignedMaurerDistanceMap(
            grid.image(part.astype(np.uint8)), squaredDistance=False, useImageSpacing=True
        )
        for part in (mask > 0, mask <= 0)
    )
    distance = (inside - outside) / 2
    coarse = sitk.Resample(
        distance,
        world.size,
        sitk.Transform(),
        sitk.sitkLinear,
        world.origin,
        world.spacing,
        world.direction,
        NOWHERE,
    )
    large, small = smooth_field(rng, lattice, 34), smooth_field(rng, lattice, 11)
    return LesionFields(distance, _density(rng, lattice, sitk.GetArrayFromImage(coarse), large, small))


def over_same_view(array: np.ndarray, geometry: Geometry) -> Geometry:
    """Grid of an array [z, y, x] whose voxels' outer edges coincide with those of another grid."""
    size = array.shape[::-1]
    spacing = tuple(s * g / n for s, g, n in zip(geometry.spacing, geometry.size, size, strict=True))
    first = (np.array(spacing) / geometry.spacing - 1) / 2
    origin = geometry.index_to_physical @ [*first, 1.0]
    return Geometry(size, spacing, tuple(origin[:3].tolist()), geometry.direction)


def _foci(build, rng, count, fraction):
    """Centres (n, 3) in patient mm and (flatness, radius mm) (n, 2) of foci."""
    sides = rng.random(count * 12) < 0.55
    right = int(sides.sum())
    numbers = ((-1, right + 1), (1, len(sides) - right + 1))
    candidates = np.concatenate([lung_points(build, rng, side, n, 0.0) for side, n in numbers])
    chest = Chest(build, *candidates.T.astype(np.float32))
    depth = -np.minimum(chest.lung(-1), chest.lung(1))
    weight = np.exp(-depth / 9) * np.exp(candidates[:, 1] / 60) * np.exp(-candidates[:, 2] / 70)
    chosen = rng.choice(len(candidates), count, replace=False, p=weight / weight.sum())
    radius = 70 * fraction ** (1 / 3) / count ** (1 / 3) + 4
    sizes = np.stack([rng.uniform(0.6, 1.0, count), radius * rng.lognormal(0, 0.45, count)], 1)
    return candidates[chosen], sizes


def _density(rng, lattice, distance, large, small):
    """Ground glass, mottled and denser towards the middle; consolidated where a smooth field is high."""
    mottle = 60 * small + 55 * smooth_field(rng, lattice, 5.5)
    glass = rng.uniform(-660, -520) + mottle + 3.5 * np.clip(-distance, 0, 25)
    tendency = rng.uniform(-1.9, -0.3)
    core = smooth_field(rng, lattice, 20) + 0.5 * small + tendency + np.clip(-distance / 30, 0, 0.6)
    core = np.clip(1.6 * core, 0, 1) * np.clip(-distance / 4, 0, 1)
    return (glass + (25 + 8 * large - glass) * core).astype(np.float32)


def lattice_axes(lattice):
    """Coordinates of a lattice's nodes along z, y and x, shaped to broadcast; returned as x, y, z."""
    axes = [
        (o + s * np.arange(n)).astype(np.float32)
        for o, s, n in zip(lattice.origin, lattice.spacing, lattice.size, strict=True)
    ]
    return axes[0][None, None], axes[1][None, :, None], axes[2][:, None, None]
