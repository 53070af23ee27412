"""What an image contains, as a digest, and a memory of it: unchanged files are not read again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..atomic import write_atomically
from ..dicom_series import is_dicom_file
from ..file_digest import sha256_of
from ..volume import Volume

DETACHED_HEADERS = (".mhd", ".nhdr")
_DATA_FILE = re.compile(
    rb"^(?:ElementDataFile|data ?file)\s*[:=]\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE
)
SETTLED_NS = 2_000_000_000
"""A file that was written this recently may be written again without a new time stamp."""


def files_of(path: Path) -> list[Path]:
    """All files that reading an image (file, DICOM folder or one DICOM file of it) may touch, sorted."""
    if path.is_dir() or is_dicom_file(path):
        folder = path if path.is_dir() else path.parent
        return [file for file in sorted(folder.rglob("*")) if file.is_file()]
    if path.suffix.lower() in DETACHED_HEADERS:
        match = _DATA_FILE.search(path.read_bytes())
        data = path.parent / os.fsdecode(match[1]) if match else path
        return sorted({path, data}) if data.is_file() else sorted(path.parent.iterdir())
    return [path]


def content_digest(path: Path) -> str:
    """SHA-256 over the content of an image's files; names and times do not matter.

    Raises:
        OSError: a file is missing or cannot be read.
    """
    digests = sorted(sha256_of(file) for file in files_of(path))
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def voxel_digest(volume: Volume) -> str:
    """SHA-256 that is the same for one CT in any format: HU as whole numbers along the patient's axes.

    Left out are spacing and position, which exports change, and how what lies outside the scan is stored.
    """
    whole = volume.hu if volume.hu.dtype.kind == "i" else np.rint(volume.hu)
    values = np.clip(whole, -1024, 3071).astype(np.int16)
    oriented = sitk.DICOMOrient(volume.geometry.image(values), "LPS")
    return hashlib.sha256(
        f"{oriented.GetSize()}".encode() + sitk.GetArrayFromImage(oriented).tobytes()
    ).hexdigest()


class KnownContent:
    """Digests of files by their size and times, in a folder that several processes may use at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recall(self, path: Path) -> str | None:
        """The digest, if it is known and the files are as they were; None otherwise."""
        try:
            note = json.loads(self._note(path).read_bytes())
            return note["digest"] if note["state"] == _state(path)[0] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def digest(self, path: Path) -> str:
        """The digest, read from the files if need be, and remembered.

        Raises:
            OSError: a file is missing or cannot be read.
            ResourceError: the folder cannot be written to.
        """
        known = self.recall(path)
        if known is not None:
            return known
        state, changed_ns = _state(path)
        digest = content_digest(path)
        if changed_ns < time.time_ns() - SETTLED_NS and _state(path)[0] == state:
            note = json.dumps({"state": state, "digest": digest})
            write_atomically(self._note(path), note.encode())
        return digest

    def _note(self, path: Path) -> Path:
        name = hashlib.sha256(os.fsencode(path)).hexdigest()  # paths may hold patients' names
        return self._folder / name[:2] / f"{name}.json"


def _state(path: Path) -> tuple[str, int]:
    """Digest of the sizes and times of an image's files, and the time (ns) of the last change."""
    stats = [(str(file), file.stat()) for file in files_of(path)]
    facts = [(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino) for name, stat in stats]
    changed_ns = max(max(stat.st_mtime_ns, stat.st_ctime_ns) for _, stat in stats)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest(), changed_ns
