"""A cohort of four tiny CTs, one a role, with their crops in a cache, so that trainings start at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from GASNetLib.cohort import Case, Cohort, write_cohort
from GASNetLib.cohort.crop_cache import CropCache
from GASNetLib.cohort.network_crop import crop_to_lungs
from GASNetLib.lungs import Lungs
from GASNetLib.phantom import Phantom, make_phantom, write_labels, write_phantom
from GASNetLib.volume import volume_from_array

SHAPE = (24, 48, 48)
LUNG_HU, NOISE_HU = -850, 15.0
SHORT = {"iterations": 4, "theta": 1, "val_every": 2, "preview_every": 4, "precision": "float32"}
"""Changes to the smoke preset: a training of seconds."""

LONG = {**SHORT, "iterations": 4000, "val_every": 2000, "preview_every": 2000}
"""One that goes on until it is stopped."""


@dataclass(frozen=True)
class TinyCohort:
    """Files of the cases, a table of them, and the cache with their crops."""

    table: Path
    cohort: Cohort
    cache: Path


def write_tiny_cohort(folder: Path) -> TinyCohort:
    """The same chest four times, with other noise each; the healthy one has its lesions filled with lung."""
    phantom = make_phantom(seed=3, shape=SHAPE, lesions="moderate")
    cases = []
    for number, role in enumerate(("labelled", "diseased", "healthy", "validation")):
        own = _variant(phantom, number, role)
        masked = role in ("labelled", "validation")
        mask = write_labels(own.lesions, own.geometry, folder / f"{role}_mask.nrrd") if masked else None
        case = Case(role, write_phantom(own, folder / f"{role}.nii.gz"), mask, role)
        _keep_crop(CropCache(folder / "cache"), case, own)
        cases.append(case)
    cohort = Cohort(tuple(cases))
    write_cohort(cohort, folder / "cohort.csv")
    return TinyCohort(folder / "cohort.csv", cohort, folder / "cache")


def _variant(phantom: Phantom, seed: int, role: str) -> Phantom:
    noise = np.random.default_rng(seed).normal(0, NOISE_HU, phantom.hu.shape)
    hu = np.where(phantom.lesions > 0, LUNG_HU, phantom.hu) if role == "healthy" else phantom.hu
    return replace(phantom, hu=np.rint(hu + noise).astype(np.int16))


def _keep_crop(cache: CropCache, case: Case, phantom: Phantom) -> None:
    entry = cache.entry(case)
    volume = volume_from_array(phantom.hu, phantom.geometry)
    lesions = phantom.lesions if case.mask else None
    cache.put(entry, case, crop_to_lungs(volume, Lungs(phantom.lungs, phantom.geometry), lesions))
