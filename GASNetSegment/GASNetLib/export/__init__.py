"""Results as files for other programs: Slicer segmentation, label images, DICOM SEG."""

from .files import (
    DICOM_ENDING,
    IMAGE_ENDINGS,
    SEGMENTATION_ENDINGS,
    write_lungs,
    write_probability,
    write_segmentation,
)

__all__ = [
    "DICOM_ENDING",
    "IMAGE_ENDINGS",
    "SEGMENTATION_ENDINGS",
    "write_lungs",
    "write_probability",
    "write_segmentation",
]
