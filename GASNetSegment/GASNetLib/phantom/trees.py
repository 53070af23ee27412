"""Branching trees (arteries, veins, airways) that fill the lungs, and their exact volume on a voxel grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..geometry import Geometry
from .anatomy import Chest, central_airway_tubes
from .build import Build
from .texture import VESSELS, random_stream

LEVELS = 12
TWIG_MM = 0.42  # radius of the last twigs
BELOW_ARTERY = np.array([0.0, -8.0, -16.0])  # where a lung's veins leave it, from its artery, mm
HILUM = {-1: (-40.0, 2.0, 16.0), 1: (46.0, 10.0, 16.0)}  # average chest, mm


@dataclass(frozen=True)
class Branches:
    """Curved branches: quadratic Bézier control points (n, 3, 3) in patient mm, radii (n, 2) at both ends."""

    controls: np.ndarray
    radii: np.ndarray

    def thicker_than(self, radius_mm: float) -> Branches:
        """The branches whose mean radius passes a limit."""
        keep = self.radii.mean(1) > radius_mm
        return Branches(self.controls[keep], self.radii[keep])

    def grown(self, factor: float, plus_mm: float = 0.0) -> Branches:
        """The same branches with other radii."""
        return Branches(self.controls, self.radii * factor + plus_mm)

    def moved(self, offsets: np.ndarray) -> Branches:
        """The branches displaced by offsets that broadcast against the control points."""
        return Branches(self.controls + offsets, self.radii)


def join(parts: list[Branches]) -> Branches:
    """All branches in one."""
    return Branches(np.concatenate([p.controls for p in parts]), np.concatenate([p.radii for p in parts]))


def lung_points(build: Build, rng: np.random.Generator, side: int, count: int, depth_mm: float) -> np.ndarray:
    """Random points (count, 3) of one lung in patient mm, ``depth_mm`` below its surface or deeper."""
    lower = np.array([-145.0, -120.0, -160.0])
    found = np.zeros((0, 3))
    while len(found) < count:
        points = rng.uniform(lower, -lower, (4 * count, 3)) * build.scale
        points = points[points[:, 0] * side > 0]
        inside = Chest(build, *points.T.astype(np.float32)).lung(side) < -depth_mm
        found = np.concatenate([found, points[inside]])
    return found[:count]


def grow_tree(
    rng: np.random.Generator, root: np.ndarray, targets: np.ndarray, levels: int, reach: float
) -> Branches:
    """Tree from a root to 2**k targets: each branch halves its targets and runs towards their middle.

    Radii follow Murray's law (the cube of a branch's radius is the sum of its children's cubes).

    Args:
        rng: bends the cuts between branches.
        root: (3,) mm.
        targets: (2**k, 3) mm.
        levels: generations to keep, at most k.
        reach: how far a branch goes towards the middle of its targets, 0 to 1.
    """
    groups = targets[None]
    starts = np.asarray(root, float)[None]
    tangents = groups.mean(1) - starts
    parts = []
    for _ in range(levels):
        # Halve across the longest direction, but never neatly: straight cuts would show as empty planes.
        centred = groups - groups.mean(1, keepdims=True)
        _, axes = np.linalg.eigh(np.einsum("gni,gnj->gij", centred, centred))
        across = axes[:, :, 2] + rng.normal(0, 0.35, (len(groups), 3))
        order = np.einsum("gni,gi->gn", centred, across).argsort(1, kind="stable")
        groups = np.take_along_axis(groups, order[..., None], 1)
        groups = groups.reshape(-1, groups.shape[1] // 2, 3)
        starts, tangents = np.repeat(starts, 2, 0), np.repeat(tangents, 2, 0)
        ends = starts + reach * rng.uniform(0.7, 1.3, (len(groups), 1)) * (groups.mean(1) - starts)
        chord = np.linalg.norm(ends - starts, axis=1, keepdims=True)
        ahead = tangents / (np.linalg.norm(tangents, axis=1, keepdims=True) + 1e-6)
        bends = (starts + ends) / 2 * 0.55 + (starts + ahead * chord * 0.5) * 0.45
        radius = TWIG_MM * groups.shape[1] ** (1 / 3)
        radii = np.broadcast_to([1.12 * radius, 0.93 * radius], (len(groups), 2))
        parts.append(Branches(np.stack([starts, bends, ends], 1), radii))
        starts, tangents = ends, ends - bends
    return join(parts)


def lung_trees(build: Build, seed: int, voxel_mm: float) -> tuple[Branches, Branches]:
    """Vessels and airways (inner radius) of both lungs, in patient mm.

    Twigs far thinner than a voxel are left out: what they add to it is the parenchyma's density.
    """
    levels = int(np.clip(np.round(LEVELS - 2 * np.log2(max(voxel_mm, 0.5) / 0.8)), 5, LEVELS))
    vessels, airways = [], []
    for side in (-1, 1):
        # A stream for each tree: another resolution takes more or fewer twigs from the same trees.
        arterial, venous = (random_stream(seed, VESSELS, side + 1, kind) for kind in (0, 1))
        root = np.array(HILUM[side]) * build.scale
        targets = lung_points(build, arterial, side, 2**LEVELS, 3.0)
        arteries = grow_tree(arterial, root, targets, levels, 0.42)
        beside = np.array([0.7, 0.2, 0.7]) * (2.1 * arteries.radii.mean(1) + 0.5)[:, None]
        airways.append(arteries.moved(beside[:, None]).thicker_than(0.9).grown(0.8, 0.1))
        targets = lung_points(build, venous, side, 2**LEVELS, 3.0)
        vessels += [arteries, grow_tree(venous, root + BELOW_ARTERY, targets, levels, 0.36)]
    return join(vessels), join([*airways, central_airways(build)])


def central_airways(build: Build) -> Branches:
    """Trachea and main bronchi as branches."""
    parts = []
    for points, radius in central_airway_tubes():
        points = np.asarray(points) * build.scale
        controls = np.stack([points[:-1], (points[:-1] + points[1:]) / 2, points[1:]], 1)
        parts.append(Branches(controls, np.full((len(controls), 2), float(radius))))
    return join(parts)


def coverage(branches: Branches, build: Build, geometry: Geometry) -> np.ndarray:
    """Fraction of each voxel that branches fill, uint8 0–255 [z, y, x] on the grid.

    Branches are filled with points, each carrying its share of volume, and every point is given to the eight
    voxels around it. So thin branches keep their volume, and thick ones get an edge of one voxel.
    """
    filled = np.zeros(geometry.shape, np.float32)
    to_index = np.linalg.inv(geometry.index_to_physical)
    step = float(min(geometry.spacing)) * 0.5
    world = build.world_from_patient
    size = branches.radii.mean(1)
    # Branches of similar thickness at a time, so that the arrays stay rectangular.
    for low, high in _classes(size, step):
        of_class = (size >= low) & (size < high)
        part = Branches(branches.controls[of_class], branches.radii[of_class])
        for chunk in _chunks(part, step, high):
            points, volumes = _fill(chunk, step, high)
            index = (points @ world.T + build.shift) @ to_index[:3, :3].T + to_index[:3, 3]
            _splat(filled, index, volumes / np.prod(geometry.spacing))
    return (np.clip(filled * 1.1, 0, 1) * 255).astype(np.uint8)


def _classes(sizes, step):
    edges = [0.0, *(step * 2.0 ** np.arange(0.5, 8, 0.5)), np.inf]
    for low, high in pairwise(edges):
        inside = (sizes >= low) & (sizes < high)
        if inside.any():
            yield low, min(high, float(sizes[inside].max()) + 1e-6)


def _discs(step, radius):
    return max(1, int(np.ceil(np.pi * (1.1 * radius / step) ** 2)))


def _chunks(branches, step, radius):
    """Parts whose points fit in memory (some hundred thousand points each)."""
    length = np.linalg.norm(branches.controls[:, 2] - branches.controls[:, 0], axis=1) * 1.1
    steps = np.ceil(length / step).astype(int) + 1
    order = steps.argsort(kind="stable")
    cost = np.cumsum(steps[order] * _discs(step, radius)) // 400_000
    for group in np.unique(cost):
        chosen = order[cost == group]
        yield Branches(branches.controls[chosen], branches.radii[chosen])


def _fill(branches, step, radius):
    """Points in branches, (m, 3) mm, and the volume in mm³ for which each stands."""
    controls = branches.controls
    length = np.linalg.norm(controls[:, 2] - controls[:, 0], axis=1) * 1.05 + 1e-3
    steps = np.ceil(length / step).astype(int) + 1
    owner = np.repeat(np.arange(len(steps)), steps)
    t = (np.arange(len(owner)) - np.repeat(np.cumsum(steps) - steps, steps) + 0.5) / steps[owner]
    t = t[:, None]
    a, b, c = controls[owner, 0], controls[owner, 1], controls[owner, 2]
    centre = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
    along = (1 - t) * (b - a) + t * (c - b)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    side = np.cross(along, np.where(np.abs(along[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    up = np.cross(along, side)
    r = branches.radii[owner, :1] * (1 - t) + branches.radii[owner, 1:] * t
    count = _discs(step, radius)
    # Sunflower pattern: even cover of a disc; turned from step to step so that no stripes run along.
    k = np.arange(count) + 0.5
    angle = k * 2.399963 + np.arange(len(owner))[:, None] * 1.0
    ring = np.sqrt(k / count) * r if count > 1 else np.zeros((len(owner), 1))
    points = (
        centre[:, None]
        + (ring * np.cos(angle))[..., None] * side[:, None]
        + (ring * np.sin(angle))[..., None] * up[:, None]
    )
    volume = np.pi * r**2 * (length / steps)[owner][:, None] / count
    return points.reshape(-1, 3), np.broadcast_to(volume, ring.shape).reshape(-1)


def _splat(filled, index, amounts):
    """Add amounts at fractional indices (m, 3) in x, y, z, linearly shared between the voxels around."""
    base = np.floor(index).astype(np.int64)
    fraction = index - base
    size = np.array(filled.shape[::-1])
    flat = filled.reshape(-1)
    inside = ((base >= 0) & (base < size - 1)).all(1)
    base, fraction, amounts = base[inside], fraction[inside], amounts[inside]
    start = (base[:, 2] * size[1] + base[:, 1]) * size[0] + base[:, 0]
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, fraction, 1 - fraction), axis=1) * amounts
        voxel = start + (corner[2] * size[1] + corner[1]) * size[0] + corner[0]
        np.add.at(flat, voxel, weight.astype(np.float32))
