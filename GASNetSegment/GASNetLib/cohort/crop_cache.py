"""Network-grid crops of a cohort in a folder, made once: found again by what the CTs contain.

::

    CACHE/crops/ab/ab12….safetensors   one case (``crop_file``), named after the content of its CT and mask
                                       and after all that turns them into a crop (SHA-256)
    CACHE/content/cd/cd34….json        what an image contains, by its path, size and times

An entry is written aside and renamed, so any number of processes may fill and read one cache. Deleting any
part of the folder is harmless.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from ..atomic import PART_ENDING, write_atomically
from ..crop import NETWORK_SHAPE
from ..errors import Cancelled, InputError, ResourceError
from ..lungs import find_lungs
from ..volume import read_mask, read_volume
from .case_pool import Progress, run_cases
from .content import KnownContent
from .crop_file import encode_crop, is_whole, read_crop
from .network_crop import NetworkCrop, crop_to_lungs
from .table import FAULTS_LISTED, Case, Cohort, CohortError

LARGEST_ENTRY = 2_400_000  # bytes; 2,048,000 of HU, the rest for masks (2,245,000 in a severe case)
ABANDONED_SECONDS = 24 * 3600

CROP_MAKERS = (
    *("volume.py", "dicom_series.py", "geometry.py", "resampling.py", "crop.py", "lungs/*"),
    *("cohort/network_crop.py", "cohort/content.py", "cohort/crop_file.py"),
)
"""What decides about the voxels of a crop: a change there makes the crops anew."""


class Crops(Mapping[str, NetworkCrop]):
    """The crops of a cohort by case name; memory is used only for those at hand. Can be sent to processes."""

    def __init__(self, entries: dict[str, Path]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> NetworkCrop:
        return read_crop(self._entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes_on_disk(self) -> int:
        """Size of all entries."""
        return sum(path.stat().st_size for path in set(self._entries.values()))


def open_crops(
    cohort: Cohort,
    cache_folder: str | Path,
    progress: Progress | None = None,
    jobs: int | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Crops:
    """The crops of all cases: those in the cache are verified byte by byte, the others are made.

    Args:
        cache_folder: is created if need be; several processes may use it at the same time.
        jobs: processes; None for as many as this computer has cores and memory for, 0 for this process only.

    Raises:
        CohortError: some cases give no crop (all are named, and the crops of the others are kept).
        ResourceError: disk full, or the folder cannot be written to.
        Cancelled: what was made so far is kept.
    """
    crop_cache = CropCache(Path(cache_folder))
    crop_cache.remove_abandoned()
    entries = _verified_entries(cohort, crop_cache, progress, cancelled)
    missing = [case for case in cohort if case.name not in entries]
    _require_space(crop_cache.folder, len(missing))
    # In any order, so that two processes that fill one cache find each other's work done. Not by the global
    # generator: its state belongs to the training.
    random.Random().shuffle(missing)
    outcomes = run_cases(partial(_fill, crop_cache), missing, "Preparing the CTs:", progress, jobs, cancelled)
    failed = [(c, o.error) for c, o in zip(missing, outcomes, strict=True) if o.error is not None]
    if failed:
        raise _failure(failed)
    entries |= {c.name: o.result for c, o in zip(missing, outcomes, strict=True)}
    return Crops({case.name: entries[case.name] for case in cohort})


@dataclass(frozen=True)
class CropCache:
    """The folder, and how a case is found in it.

    Attributes:
        folder: see the module's text.
        margin_mm: around the lungs.
    """

    folder: Path
    margin_mm: float = 5.0

    def known_entry(self, case: Case) -> Path | None:
        """Path of the case's entry, whether or not it is there; None if its files must be read to know it."""
        digests = [self._content.recall(path) for path in _paths(case)]
        return None if None in digests else self._entry(digests)

    def entry(self, case: Case) -> Path:
        """Path of the case's entry, whether or not it is there.

        Raises:
            InputError: a file of the case is missing or cannot be read.
            ResourceError: the folder cannot be written to.
        """
        missing = [path for path in _paths(case) if not path.exists()]
        if missing:
            raise InputError(f"There is no file or folder {missing[0]}.", "Check the path.")
        try:
            return self._entry([self._content.digest(path) for path in _paths(case)])
        except OSError as error:
            cause = f"{error.filename or case.ct} cannot be read: {error.strerror or error}."
            raise InputError(cause, "Check the disk, and that you may read it.") from error

    def put(self, entry: Path, case: Case, crop: NetworkCrop) -> None:
        """Write the crop of a case whose entry was asked for before its files were read.

        Raises:
            InputError: the files have changed since, so that the crop may be of neither content.
            ResourceError: disk full, or the folder cannot be written to.
        """
        if self.entry(case) != entry:
            raise InputError("Its files changed while they were read.", "Wait until they are written.")
        write_atomically(entry, encode_crop(crop))

    def remove_abandoned(self) -> None:
        """Remove what writers that were killed have left."""
        for part in self.folder.glob(f"*/*/.*{PART_ENDING}"):
            with suppress(OSError):  # another process was faster, or it is not ours to remove
                if time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(part)

    @property
    def _content(self) -> KnownContent:
        return KnownContent(self.folder / "content")

    def _entry(self, digests: list[str]) -> Path:
        recipe = [preprocessing_version(), NETWORK_SHAPE, self.margin_mm, *digests]
        key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()
        return self.folder / "crops" / key[:2] / f"{key}.safetensors"


@cache
def preprocessing_version() -> str:
    """Digest of the program and the network that make a crop: no version number that someone forgets."""
    engine = Path(__file__).resolve().parents[1]
    files = sorted(file for pattern in CROP_MAKERS for file in engine.glob(pattern) if file.is_file())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _paths(case: Case) -> list[Path]:
    return [case.ct] if case.mask is None else [case.ct, case.mask]


def _verified_entries(
    cohort: Cohort,
    crop_cache: CropCache,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> dict[str, Path]:
    entries = {}
    for done, case in enumerate(cohort, start=1):
        entry = crop_cache.known_entry(case)
        if entry is not None and is_whole(entry):
            entries[case.name] = entry
        if progress is not None:
            progress(f"Verifying the cache: {done} of {len(cohort)}", done / len(cohort))
        if cancelled is not None and cancelled():
            raise Cancelled
    return entries


def _fill(crop_cache: CropCache, case: Case) -> Path:
    """Make the entry of one case, unless the same content is there already."""
    entry = crop_cache.entry(case)
    if not is_whole(entry):
        crop_cache.put(entry, case, _make_crop(case, crop_cache.margin_mm))
    return entry


def _make_crop(case: Case, margin_mm: float) -> NetworkCrop:
    volume = read_volume(case.ct)
    lesions = None if case.mask is None else read_mask(case.mask, volume.geometry)[0]
    return crop_to_lungs(volume, find_lungs(volume), lesions, margin_mm)


def _require_space(folder: Path, entries: int) -> None:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    needed, free = entries * LARGEST_ENTRY, shutil.disk_usage(there).free
    if needed > free:
        raise ResourceError(
            f"The cache needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in {there}.",
            "Free disk space or choose another cache folder.",
        )


def _failure(failed: list[tuple[Case, InputError]]) -> CohortError:
    listed = "; ".join(f"{case.name}: {error.cause}" for case, error in failed[:FAULTS_LISTED])
    count = "One case" if len(failed) == 1 else f"{len(failed)} cases"
    return CohortError(
        f"{count} cannot be used: {listed}",
        "Bring whole files back and resume, or check the cohort (gasnet cohort check does too) and begin anew"
        " without them.",
    )
