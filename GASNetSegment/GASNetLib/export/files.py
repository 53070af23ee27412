"""Results as files: the ending tells the format, a file is there whole or not at all, and says its origin."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ..atomic import written_aside
from ..errors import InputError, ResourceError
from ..provenance import PREFIX, provenance
from .slicer_segmentation import write_slicer_segmentation

if TYPE_CHECKING:
    from ..segment import Segmentation

SLICER_ENDING = ".seg.nrrd"
DICOM_ENDING = ".dcm"
IMAGE_ENDINGS = (".nii.gz", ".nrrd", ".mha")
SEGMENTATION_ENDINGS = (SLICER_ENDING, *IMAGE_ENDINGS, DICOM_ENDING)

COMPRESSION_LEVEL = 1


def write_segmentation(
    path: str | Path, segmentation: Segmentation, dicom_folder: str | Path | None = None
) -> Path:
    """Write the lesions at the threshold.

    ``.seg.nrrd``: segments Lesion, Right lung and Left lung with their meaning, for Slicer. ``.nii.gz``,
    ``.nrrd``, ``.mha``: label image, 1 lesion. ``.dcm``: DICOM SEG of the three segments.

    Args:
        dicom_folder: folder (or a file) of the DICOM series of the CT, which DICOM SEG refers to.

    Returns:
        The path.

    Raises:
        InputError: unknown ending, or DICOM SEG without its DICOM series.
        ResourceError: the disk is full, or the folder cannot be written to; an old file stays as it was.
    """
    path = Path(path)
    ending = _ending(path, SEGMENTATION_ENDINGS)
    if ending == DICOM_ENDING:
        from .dicom_segmentation import dicom_segmentation

        dataset = dicom_segmentation(segmentation, dicom_folder)
        with written_aside(path) as aside:
            dataset.save_as(aside)
    elif ending == SLICER_ENDING:
        with _image_written(path) as aside:
            write_slicer_segmentation(aside, segmentation)
    else:
        _write_image(path, segmentation.lesions, segmentation)
    return path


def write_probability(path: str | Path, segmentation: Segmentation) -> Path:
    """Write the probability of lesion, float32 in [0, 1], as ``.nii.gz``, ``.nrrd`` or ``.mha``.

    Raises:
        InputError, ResourceError: as :func:`write_segmentation`.
    """
    return _write_image(Path(path), segmentation.probability, segmentation)


def write_lungs(path: str | Path, segmentation: Segmentation) -> Path:
    """Write the lungs, 1 right, 2 left, as ``.nii.gz``, ``.nrrd`` or ``.mha``.

    Raises:
        InputError, ResourceError: as :func:`write_segmentation`.
    """
    return _write_image(Path(path), segmentation.lungs.labels, segmentation)


def _ending(path: Path, known: tuple[str, ...]) -> str:
    for ending in known:
        if path.name.lower().endswith(ending):
            return ending
    raise InputError(f"{path.name} has an ending of no known format.", f"Use one of {', '.join(known)}.")


def _write_image(path: Path, array: np.ndarray, segmentation: Segmentation) -> Path:
    _ending(path, IMAGE_ENDINGS)
    image = segmentation.volume.geometry.image(array)
    origin = provenance(segmentation)
    for key, text in origin.items():
        image.SetMetaData(PREFIX + key, text)
    # The one line of free text (79 characters) that NIfTI has.
    brief = f"GASNet {origin['software_version']} {origin['model_sha256'][:12]} > {origin['threshold']}"
    image.SetMetaData("ITK_FileNotes", f"{brief} {origin['created']} {origin['model']}"[:79])
    with _image_written(path) as aside:
        sitk.WriteImage(image, str(aside), useCompression=True, compressionLevel=COMPRESSION_LEVEL)
    return path


@contextmanager
def _image_written(path: Path) -> Iterator[Path]:
    """A path aside for ITK, whose errors and silent failures are turned into plain words."""
    with written_aside(path) as aside:
        try:
            yield aside
            _check_whole(aside)
        except (RuntimeError, EOFError, zlib.error) as error:
            raise ResourceError(
                f"{path} cannot be written whole.", "Free disk space, or choose another disk."
            ) from error


def _check_whole(path: Path) -> None:
    """ITK's NIfTI writer is silent about a full disk: read the stream to its end and checksum."""
    if path.name.lower().endswith(".gz"):
        with gzip.open(path) as file:
            while file.read(1 << 24):
                pass
