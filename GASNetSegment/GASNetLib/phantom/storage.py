"""Phantoms as files: NIfTI, NRRD, MHA and DICOM series, in the intensity kinds that real collections have."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..geometry import Geometry
from .chest import Phantom

STORAGES = ("hu", "0-255", "unrescaled")
PADDING = -3024
_WINDOW = (-1250.0, 250.0)
_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")


def write_phantom(
    phantom: Phantom,
    path: str | Path,
    storage: str = "hu",
    *,
    padding: bool = False,
    compressed: bool = False,
) -> Path:
    """Write the CT of a phantom.

    Args:
        phantom: what to write.
        path: a file ending in .nii.gz, .nii, .nrrd, .mha or .mhd; any other name is the folder of a DICOM
            series.
        storage: "hu" (int16), "0-255" (uint8 of the window −1250 … 250 HU) or "unrescaled" (uint16,
            HU + 1024, as scanners store it, with the rescale lost).
        padding: put −3024 outside a circular field of view (0 if the storage has no negative values).
        compressed: DICOM only: JPEG 2000 lossless transfer syntax.

    Returns:
        The path.

    Raises:
        ValueError: unknown storage.
    """
    path = Path(path)
    values = _stored(phantom, storage, padding)
    if path.name.lower().endswith(_SUFFIXES):
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(phantom.geometry.image(values), path, useCompression=True)
    else:
        _write_series(phantom, values, path, rescaled=storage == "hu", compressed=compressed)
    return path


def write_labels(labels: np.ndarray, geometry: Geometry, path: str | Path) -> Path:
    """Write a label array [z, y, x] (``phantom.lesions`` or ``phantom.lungs``) as uint8 image."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(geometry.image(labels.astype(np.uint8)), path, useCompression=True)
    return path


def _stored(phantom: Phantom, storage: str, padding: bool) -> np.ndarray:
    if storage not in STORAGES:
        raise ValueError(f"storage must be one of {', '.join(STORAGES)}, not {storage!r}")
    hu = phantom.hu
    if storage == "0-255":
        low, high = _WINDOW
        values = np.rint(np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    elif storage == "unrescaled":
        values = np.clip(hu.astype(np.int32) + 1024, 0, 4095).astype(np.uint16)
    else:
        values = hu.copy()
    if padding:
        values[_outside_view(hu.shape)] = PADDING if storage == "hu" else 0
    return values


def _outside_view(shape: tuple[int, int, int]) -> np.ndarray:
    """What a circular field of view leaves out of every slice, bool [z, y, x]."""
    rows, columns = (np.abs(np.linspace(-1, 1, n)) for n in shape[1:])
    return np.broadcast_to(np.hypot(rows[:, None], columns[None]) > 1, shape)


def _write_series(
    phantom: Phantom, values: np.ndarray, folder: Path, rescaled: bool, compressed: bool
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    image = phantom.geometry.image(values)
    key = hashlib.sha256(repr((phantom.seed, phantom.geometry)).encode() + phantom.hu.tobytes()).hexdigest()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    if compressed:
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG2000")
    common = _series_tags(phantom, key, rescaled)
    for index in range(image.GetDepth()):
        piece = image[:, :, index : index + 1]
        position = image.TransformIndexToPhysicalPoint((0, 0, index))
        own = {
            "0008|0018": _uid(key, f"slice {index}"),
            "0020|0013": str(index + 1),
            "0020|0032": "\\".join(f"{v:.6f}" for v in position),
            "0020|1041": f"{position[2]:.3f}",
        }
        for tag, text in {**common, **own}.items():
            piece.SetMetaData(tag, text)
        writer.SetFileName(str(folder / f"{index + 1:04d}.dcm"))
        writer.Execute(piece)


def _series_tags(phantom: Phantom, key: str, rescaled: bool) -> dict[str, str]:
    geometry = phantom.geometry
    direction = np.reshape(geometry.direction, (3, 3))
    return {
        "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
        "0008|0008": "DERIVED\\SECONDARY\\AXIAL",
        "0008|0020": "20200101",
        "0008|0030": "120000",
        "0008|0060": "CT",
        "0008|0070": "Synthetic",
        "0008|103e": "Synthetic chest",
        "0010|0010": f"PHANTOM^{phantom.seed}",
        "0010|0020": f"PHANTOM-{phantom.seed}",
        "0018|0015": "CHEST",
        "0018|0050": f"{geometry.spacing[2]:.6f}",
        "0018|0088": f"{geometry.spacing[2]:.6f}",
        "0018|5100": "HFS",
        "0020|000d": _uid(key, "study"),
        "0020|000e": _uid(key, "series"),
        "0020|0052": _uid(key, "frame"),
        "0020|0011": "1",
        "0020|0037": "\\".join(f"{v:.9f}" for v in (*direction[:, 0], *direction[:, 1])),
        "0028|1050": "-600",
        "0028|1051": "1500",
        **({"0028|1052": "-1024", "0028|1053": "1", "0028|1054": "HU"} if rescaled else {}),
    }


def _uid(key: str, role: str) -> str:
    """UID derived from the voxels (2.25. and a 128-bit number, as for UUIDs)."""
    return "2.25." + str(int(hashlib.sha256(f"{key} {role}".encode()).hexdigest()[:32], 16))
