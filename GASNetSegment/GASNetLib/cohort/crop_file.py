"""A crop as a file: HU to be memory-mapped, masks packed, damage noticed."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from ..errors import InputError
from ..geometry import Geometry
from .network_crop import NetworkCrop


def encode_crop(crop: NetworkCrop) -> bytes:
    """The crop as a ``.safetensors`` file: plain HU, deflated masks, the rest and a checksum as metadata."""
    tensors = {"hu": np.ascontiguousarray(crop.hu, "<i2"), "lungs": _deflated(crop.lungs)}
    if crop.lesions is not None:
        tensors["lesions"] = _deflated(crop.lesions)
    facts = {"grid": asdict(crop.grid), "voxels": crop.voxels, "intensities": crop.intensities}
    # One key: of several, safetensors writes them in any order, and equal crops are to be equal files.
    return save(tensors, {"crop": json.dumps({**facts, "crc32": _checksum(facts, tensors)})})


def read_crop(path: Path) -> NetworkCrop:
    """Map the crop into memory; ``hu`` costs memory only where it is read.

    Raises:
        InputError: the file is missing or no crop. Damage within the data is found by :func:`is_whole`.
    """
    try:
        header, tensors = _map_tensors(path)
        shape = tuple(header["hu"]["shape"])
        lesions = _inflated(tensors["lesions"], shape) if "lesions" in tensors else None
        facts = _facts(header)
        grid = Geometry(**{name: tuple(value) for name, value in facts["grid"].items()})
        lungs = _inflated(tensors["lungs"], shape)
        return NetworkCrop(tensors["hu"], lungs, lesions, grid, facts["voxels"], facts["intensities"])
    except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise InputError(f"The cached crop {path.name} cannot be read.", "Open the cohort again.") from error


def is_whole(path: Path) -> bool:
    """True if the file is there and every byte of it is as it was written."""
    try:
        header, tensors = _map_tensors(path)
        facts = _facts(header)
        return facts.pop("crc32") == _checksum(facts, tensors)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _map_tensors(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Header of a safetensors file, and its tensors as memory maps (its own reader copies them)."""
    file = np.memmap(path, np.uint8, "r")
    start = 8 + int.from_bytes(file[:8].tobytes(), "little")
    header = json.loads(file[8:start].tobytes())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, last = (start + offset for offset in entry["data_offsets"])
            if last > file.size:
                raise ValueError(f"{path} is cut off")
            dtype = {"I16": "<i2", "U8": "u1"}[entry["dtype"]]
            tensors[name] = file[first:last].view(dtype).reshape(entry["shape"])
    return header, tensors


def _facts(header: dict) -> dict:
    return json.loads(header["__metadata__"]["crop"])


def _checksum(facts: dict, tensors: dict[str, np.ndarray]) -> int:
    checksum = zlib.crc32(json.dumps(facts).encode())
    for name, tensor in sorted(tensors.items()):
        checksum = zlib.crc32(f"{name}{tensor.shape}".encode(), checksum)
        checksum = zlib.crc32(tensor.reshape(-1).view(np.uint8), checksum)
    return checksum


def _deflated(mask: np.ndarray) -> np.ndarray:
    return np.frombuffer(zlib.compress(np.ascontiguousarray(mask, np.uint8).tobytes(), 6), np.uint8)


def _inflated(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(zlib.decompress(packed), np.uint8).reshape(shape)
