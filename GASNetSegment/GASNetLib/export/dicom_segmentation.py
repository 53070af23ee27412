"""A result as DICOM Segmentation object, which refers to the CT series it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..dicom_series import series_files
from ..errors import InputError
from ..geometry import Geometry
from ..lungs import LEFT, RIGHT
from ..provenance import provenance
from ..version import VERSION
from .segment_meaning import LEFT_LUNG, LESION, RIGHT_LUNG, Code, Meaning

if TYPE_CHECKING:
    import pydicom
    from highdicom.seg import SegmentDescription

    from ..segment import Segmentation

SERIES_NUMBER = 900  # beyond what scanners number
LONGEST_TEXT = 64  # of a DICOM string (VR LO)
POSITION_TOLERANCE_MM = 0.1


def dicom_segmentation(segmentation: Segmentation, dicom_folder: str | Path | None) -> pydicom.Dataset:
    """DICOM SEG (binary) with lesion, right and left lung; patient and study are those of the source series.

    Args:
        dicom_folder: folder (or a file) of the DICOM series that the CT was read from.

    Raises:
        InputError: no DICOM series, another one than the CT's, or one that lacks what the standard demands.
    """
    if dicom_folder is None:
        raise InputError(
            "DICOM SEG refers to the DICOM series of the CT, and there is none.",
            "Read the CT from a DICOM folder, or choose .seg.nrrd.",
        )
    source = _source(Path(dicom_folder), segmentation.volume.geometry)
    try:
        return _dataset(segmentation, source)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"The DICOM series lacks what DICOM SEG needs ({error}).", "Choose .seg.nrrd instead."
        ) from error


def _source(path: Path, geometry: Geometry) -> list[pydicom.Dataset]:
    """Headers of the series, in the order of the CT's slices."""
    import pydicom

    files = series_files(path)
    if len(files) != geometry.size[2]:
        raise InputError(
            f"The DICOM series has {len(files)} files where the CT has {geometry.size[2]} slices.",
            "Give the folder that the CT was read from (one file a slice).",
        )
    source = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    wanted = (geometry.index_to_physical @ [[0, 0], [0, 0], [0, len(files) - 1], [1, 1]])[:3].T
    found = np.array([source[0].ImagePositionPatient, source[-1].ImagePositionPatient], float)
    grid = (int(source[0].Columns), int(source[0].Rows))
    if grid != geometry.size[:2] or np.abs(found - wanted).max() > POSITION_TOLERANCE_MM:
        raise InputError(
            "The DICOM series lies elsewhere than the CT.", "Give the folder that the CT was read from."
        )
    return source


def _dataset(segmentation: Segmentation, source: list[pydicom.Dataset]) -> pydicom.Dataset:
    import highdicom

    lungs = segmentation.lungs.labels
    masks = np.stack([segmentation.lesions, lungs == RIGHT, lungs == LEFT], axis=-1).astype(np.uint8)
    meanings = (LESION, RIGHT_LUNG, LEFT_LUNG)
    return highdicom.seg.Segmentation(
        source_images=source,
        pixel_array=masks,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(i, m, segmentation) for i, m in enumerate(meanings, 1)],
        series_instance_uid=highdicom.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="GASNet",
        manufacturer_model_name="GASNet",
        software_versions=VERSION,
        device_serial_number=segmentation.model.sha256[:LONGEST_TEXT] or "none",
        content_description=f"Lesions of {segmentation.model.name}"[:LONGEST_TEXT],
        series_description="GASNet lesions",
    )


def _description(number: int, meaning: Meaning, segmentation: Segmentation) -> SegmentDescription:
    import highdicom

    description = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=meaning.name,
        segmented_property_category=_coded(meaning.category),
        segmented_property_type=_coded(meaning.type),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=segmentation.model.name[:LONGEST_TEXT],
            family=_coded(Code("123110", "Artificial Intelligence", "DCM")),
            version=segmentation.model.sha256[:LONGEST_TEXT] or VERSION,
            parameters=provenance(segmentation),
        ),
        anatomic_regions=None if meaning.region is None else [_coded(meaning.region)],
        display_color=highdicom.color.CIELabColor.from_rgb(*(round(255 * c) for c in meaning.colour)),
    )
    # highdicom has no argument for it.
    type_item = description.SegmentedPropertyTypeCodeSequence[0]
    type_item.SegmentedPropertyTypeModifierCodeSequence = [_coded(meaning.modifier)]
    return description


def _coded(code: Code):
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)
