"""The synthetic chest CT: a patient of a seed, sampled on any grid, with exact lesion and lung masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..geometry import Geometry
from .anatomy import AIR, Chest
from .build import Build
from .lesions import NOWHERE, LesionFields, lattice_axes, mask_lesions, random_lesions, severity_fraction
from .texture import KERNELS, NOISE, TISSUE, ct_noise, random_stream, smooth_field
from .trees import coverage, lung_trees

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
FIELD_OF_VIEW = (400.0, 400.0, 340.0)  # mm along LPS, when no spacing is given
_LATTICE_BOX = (240.0, 190.0, 230.0)  # mm from the middle of the chest
_SLAB_VOXELS = 2_000_000


@dataclass(frozen=True)
class Phantom:
    """A synthetic chest CT.

    Attributes:
        hu: int16 [z, y, x], HU.
        geometry: the grid of all three arrays.
        lesions: uint8 [z, y, x], 1 in lesions.
        lungs: uint8 [z, y, x], 1 in the right lung, 2 in the left; lesions belong to the lung, trachea, main
            bronchi and mediastinum do not.
        seed: what it was made from.
    """

    hu: np.ndarray
    geometry: Geometry
    lesions: np.ndarray
    lungs: np.ndarray
    seed: int


def make_phantom(
    seed: int = 0,
    shape: tuple[int, int, int] = (64, 128, 128),
    spacing: tuple[float, float, float] | None = None,
    lesions: str | float | np.ndarray = "none",
    *,
    direction: tuple[float, ...] = IDENTITY,
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
    kernel: str = "soft",
    noise_hu: float = 14.0,
) -> Phantom:
    """Synthetic chest CT. The same arguments always give the same voxels.

    The seed makes the patient; lesions and noise come on top, so that the same seed with and without lesions
    is the same patient ill and well.

    Args:
        seed: the patient.
        shape: (z, y, x) voxels.
        spacing: (x, y, z) mm along the index axes; None spreads the whole chest over the grid.
        lesions: "none", "mild" (1.5–4 % of the lungs), "moderate" (12–22 %), "severe" (42–57 %), a fraction
            of the lungs in view (0 to 0.9), or a mask [z, y, x] whose shape they take within the lungs
            (stretched over the grid if it has another shape).
        direction: 3×3 direction cosines, row-major, LPS.
        centre: LPS position in mm of the grid's centre; (0, 0, 0) is the middle of the chest.
        kernel: "soft" or "sharp" reconstruction.
        noise_hu: SD of the noise in the middle of the body for voxels of 1 mm; larger voxels have less.

    Raises:
        ValueError: an argument out of its range.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, not {kernel!r}")
    geometry = _grid(shape, spacing, direction, centre)
    build = Build.of(seed)
    lattice = _lattice(geometry)
    world = _in_world(lattice, build)
    chest = Chest(build, *lattice_axes(lattice))
    fields = _fields(seed, build, chest, lattice)
    if isinstance(lesions, np.ndarray):
        lesion_fields = mask_lesions(lesions, geometry, seed, lattice, world)
    else:
        fraction = severity_fraction(lesions, seed)
        in_view = _inside(geometry, world) & (np.minimum(fields["right"], fields["left"]) < 0)
        ill = fraction > 0 and in_view.any()
        lesion_fields = random_lesions(build, seed, fraction, lattice, world, in_view) if ill else None
    if lesion_fields:
        fields["glass"] = lesion_fields.density
    hu, lesion_mask, lungs = _render(build, seed, geometry, world, fields, lesion_fields, kernel)
    _add_noise(hu, geometry, seed, kernel, noise_hu)
    return Phantom(hu, geometry, lesion_mask, lungs, seed)


def _grid(shape, spacing, direction, centre) -> Geometry:
    size = tuple(int(n) for n in reversed(shape))
    if min(size) < 2:
        raise ValueError(f"a phantom needs two voxels at least along every axis, not {shape}")
    if spacing is None:
        extent = np.abs(np.reshape(direction, (3, 3))).T @ np.array(FIELD_OF_VIEW)
        spacing = tuple(float(e / n) for e, n in zip(extent, size, strict=True))
    if min(spacing) <= 0:
        raise ValueError(f"spacing must be positive, not {spacing}")
    middle = np.reshape(direction, (3, 3)) @ (np.array(spacing) * (np.array(size) - 1) / 2)
    return Geometry(size, tuple(spacing), tuple((np.array(centre) - middle).tolist()), tuple(direction))


def _lattice(geometry: Geometry) -> Geometry:
    """Grid in the patient's frame on which shapes are worked out: no finer than they need."""
    step = float(np.clip(1.6 * np.median(geometry.spacing), 2.5, 6.0))
    size = tuple(int(2 * half / step) + 1 for half in _LATTICE_BOX)
    return Geometry(size, (step,) * 3, tuple(-step * (n - 1) / 2 for n in size))


def _in_world(lattice: Geometry, build: Build) -> Geometry:
    """The patient's lattice where the patient lies: shifted and turned on the table."""
    turn = build.world_from_patient
    origin = turn @ lattice.origin + build.shift
    return Geometry(lattice.size, lattice.spacing, tuple(origin.tolist()), tuple(turn.ravel().tolist()))


def _inside(geometry: Geometry, world: Geometry) -> np.ndarray:
    """Which nodes of the lattice the grid contains, bool on the lattice."""
    index = np.linalg.inv(geometry.index_to_physical) @ world.index_to_physical
    inside = np.ones(world.shape, bool)
    x, y, z = (np.arange(n, dtype=np.float32) for n in world.size)
    for row, size in zip(index, geometry.size, strict=False):
        position = row[0] * x + row[1] * y[:, None] + row[2] * z[:, None, None] + row[3]
        inside &= (position >= -0.5) & (position <= size - 0.5)
    return inside


def _fields(seed: int, build: Build, chest: Chest, lattice: Geometry) -> dict[str, np.ndarray]:
    """All shapes and densities on the lattice, float32."""
    rng = random_stream(seed, TISSUE)
    tissue, cloud, grain = (smooth_field(rng, lattice, scale) for scale in (14, 30, 7))
    x, y, z = lattice_axes(lattice)
    body = chest.body()
    # The patient lies on a curved table, which flattens the back.
    table = y - (122 + 0.6 * build.fat) * build.scale[1] + 0.00055 * x * x + 0 * z
    body = np.maximum(body, table + 1)
    lungs = {"right": chest.lung(-1), "left": chest.lung(1)}
    return {
        "body": body,
        "table": table - build.table_gap,
        "soft": chest.soft_tissue(tissue, cloud, body, edge_mm=lattice.spacing[0]),
        "cavity": chest.cavity,
        "ribs": chest.rib_height(),
        "rib_limit": chest.rib_limit(),
        "cartilage": chest.rib_cartilage(),
        "bones": chest.bones(),
        **lungs,
        "fissure": np.where(x < 0, chest.fissure(-1), chest.fissure(1)),
        "horizontal": np.where(x < 0, chest.horizontal_fissure(), NOWHERE),
        "parenchyma": build.parenchyma + build.gravity * y + 12 * cloud + 16 * grain,
        "marrow": 165 + 25 * tissue + 45 * grain,
    }


def _sample(image: sitk.Image, grid: Geometry, start: float) -> np.ndarray:
    """Field on a grid, float32 [z, y, x]; the grid is moved so that its first slice has index ``start``."""
    origin = grid.index_to_physical @ [0, 0, start, 1]
    sampled = sitk.Resample(
        image,
        grid.size,
        sitk.Transform(),
        sitk.sitkLinear,
        origin[:3].tolist(),
        grid.spacing,
        grid.direction,
        NOWHERE,
    )
    return sitk.GetArrayFromImage(sampled)


def _render(build, seed, geometry, world, fields, lesion_fields: LesionFields | None, kernel):
    images = {k: world.image(np.broadcast_to(f, world.shape).astype(np.float32)) for k, f in fields.items()}
    vessels, airways = lung_trees(build, seed, float(np.mean(sorted(geometry.spacing)[:2])))
    tissue = np.maximum(
        coverage(vessels, build, geometry), coverage(airways.grown(1.12, 0.5), build, geometry)
    )
    air = coverage(airways, build, geometry)
    hu = np.empty(geometry.shape, np.int16)
    lungs = np.zeros(geometry.shape, np.uint8)
    lesions = np.zeros(geometry.shape, np.uint8)
    edge = float(np.hypot(np.mean(sorted(geometry.spacing)[:2]), KERNELS[kernel][1]))
    for start, slab in _slabs(geometry):
        where = slice(start, start + slab.size[2])
        # Thick slices average what lies within them; the middle comes last, and the masks are made there.
        offsets = (-1 / 3, 1 / 3, 0.0) if geometry.spacing[2] > 4 else (0.0,)
        total = 0
        for offset in offsets:
            sampled = {name: _sample(image, slab, start + offset) for name, image in images.items()}
            outline = _sample(lesion_fields.distance, slab, start + offset) if lesion_fields else None
            total = total + _compose(build, sampled, outline, tissue[where], air[where], edge)
        lungs[where] = _lung_labels(sampled)
        if outline is not None:
            lesions[where] = (outline <= 0) & (lungs[where] > 0)
        hu[where] = np.rint(total / len(offsets))
    return hu, lesions, lungs


def _slabs(geometry: Geometry) -> Iterator[tuple[int, Geometry]]:
    """First slice and grid of consecutive slabs that keep the working memory small."""
    depth = max(1, _SLAB_VOXELS // (geometry.size[0] * geometry.size[1]))
    for start in range(0, geometry.size[2], depth):
        size = (*geometry.size[:2], min(depth, geometry.size[2] - start))
        yield start, Geometry(size, geometry.spacing, geometry.origin, geometry.direction)


def _lung_labels(f) -> np.ndarray:
    return np.where(f["right"] < 0, 1, np.where(f["left"] < 0, 2, 0)).astype(np.uint8)


def _cover(distance, edge):
    return np.clip(0.5 - distance * (1 / edge), 0, 1)


def _compose(build: Build, f: dict[str, np.ndarray], outline, tissue, air, edge) -> np.ndarray:
    """HU of a slab from its fields, from the outside inwards."""
    hu = np.full(tissue.shape, np.float32(AIR))
    # A shell of carbon fibre around foam.
    hu += 900 * _cover(np.abs(f["table"]) - 1.2, edge) + 70 * _cover(np.abs(f["table"] - 12) - 11, edge)
    hu += (f["soft"] - hu) * _cover(f["body"], edge)
    hu = _add_bones(build, f, hu, edge)
    lung = np.minimum(f["right"], f["left"])
    inside = f["parenchyma"]
    fissures = np.minimum(np.abs(f["fissure"]), np.where(f["fissure"] > 0, np.abs(f["horizontal"]), NOWHERE))
    inside = inside + 95 * np.clip(1 - fissures / 1.3, 0, 1)
    if outline is not None:
        inside += (np.maximum(f["glass"], inside) - inside) * _cover(outline, np.hypot(edge, 3.0))
    hu += (inside - hu) * _cover(lung, edge)
    near_lung = _cover(lung - 12, 4.0) * (1 / 255)
    hu += (build.blood - hu) * (tissue * near_lung)
    hu += (AIR + 15 - hu) * (air * np.float32(1 / 255))
    return hu


def _add_bones(build, f, hu, edge):
    along = f["ribs"] * (1 / build.rib_pitch)
    along = (along - np.rint(along)) * build.rib_pitch
    ribs = (np.hypot(along * (1 / 6.3), (f["cavity"] - 6.0) * (1 / 3.4)) - 1) * 3.8
    ribs = np.maximum(ribs, f["rib_limit"])
    cartilage = np.maximum(ribs, f["cartilage"])
    bones = np.minimum(np.maximum(ribs, -f["cartilage"]), f["bones"])
    hu += (105 - hu) * _cover(cartilage, edge)
    cortex = np.clip(1 + (bones + 0.4) * (1 / 1.4), 0, 1)
    density = f["marrow"] + (680 - f["marrow"]) * cortex
    return hu + (density - hu) * _cover(bones, edge)


def _add_noise(hu: np.ndarray, geometry: Geometry, seed: int, kernel: str, noise_hu: float) -> None:
    """Noise of CT in place: correlated within the axial plane, a little from slice to slice."""
    rng = random_stream(seed, NOISE)
    axis = 2 - int(np.abs(np.reshape(geometry.direction, (3, 3))[2]).argmax())
    slices = np.moveaxis(hu, axis, 0)
    spacing = [s for k, s in enumerate(geometry.spacing[::-1]) if k != axis]
    rows, columns = (s * (np.arange(n) - (n - 1) / 2) for s, n in zip(spacing, slices.shape[1:], strict=True))
    # Most X-rays are lost in the middle of the body.
    falloff = 0.45 + 0.6 * np.exp(-(rows[:, None] ** 2 / 150**2 + columns[None] ** 2 / 190**2))
    averaging = float(np.clip(np.prod(geometry.spacing) ** -0.25, 0.35, 1.3))
    strength = (noise_hu * averaging * falloff).astype(np.float32)
    last = ct_noise(rng, slices.shape[1:], spacing, kernel)
    for plane in slices:
        new = ct_noise(rng, slices.shape[1:], spacing, kernel)
        plane[:] = np.rint(np.clip(plane + strength * (0.87 * new + 0.49 * last), -1024, 3071))
        last = new
