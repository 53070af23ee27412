"""A small picture of each case that was checked, from its crop in the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from GASNetLib.cohort import Case
from GASNetLib.cohort.crop_cache import CropCache
from GASNetLib.cohort.crop_file import read_crop
from GASNetLib.errors import InputError

LOWEST_HU, HIGHEST_HU = -1250.0, 250.0
"""The network's window: what it sees of the case."""


def write_thumbnail(case: Case, cache_folder: Path) -> Path | None:
    """Write the axial slice with most lesion, else most lung, as PNG; None without a crop in the cache."""
    try:
        entry = CropCache(cache_folder).entry(case)
    except InputError:  # its files went away after the check
        return None
    if not entry.exists():
        return None
    path = cache_folder / "thumbnails" / f"{entry.stem}.png"
    if not path.exists():
        crop = read_crop(entry)
        marked = crop.lungs > 0 if crop.lesions is None or not crop.lesions.any() else crop.lesions > 0
        hu = crop.hu[int(marked.sum(axis=(1, 2)).argmax())].astype(np.float32)
        grey = np.clip((hu - LOWEST_HU) / (HIGHEST_HU - LOWEST_HU), 0, 1) * 255
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(sitk.GetImageFromArray(grey.astype(np.uint8)), str(path))
    return path
