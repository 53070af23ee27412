"""What Slicer's *Export to DICOM* asks of a result, besides what every segmentation has.

Its plugin DICOMSegmentation (Slicer 5.13, Modules/Scripted/DICOMPlugins/DICOMSegmentationPlugin.py; before
that, in the extension QuantitativeReporting) takes of a segmentation node:

- the node reference to the CT as reference geometry, and the CT's attribute ``DICOM.instanceUIDs``, by which
  it finds the files that the new object refers to;
- the reference geometry among the conversion parameters: each segment is exported on that grid;
- the item in the subject hierarchy, below the CT's study (or else a new patient is made up), and its
  attribute ``DICOM.ReferencedInstanceUIDs``: where those files are not in the database, no export is offered;
- of each segment: an array ``ImageScalars`` in its label map (without it the segment counts as empty), the
  terminology's category and type, and the tags ``DICOM.SegmentAlgorithmType`` (without it, what a network
  found would be called manual) and ``DICOM.SegmentAlgorithmName``.

Node reference, grid and terminology are set in :mod:`GASNetSegmentLib.result`, the array in
:mod:`GASNetSegmentLib.segments`.
"""

from __future__ import annotations

import slicer

ALGORITHM_TYPE, ALGORITHM_NAME = "DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName"
AUTOMATIC, SEMIAUTOMATIC = "AUTOMATIC", "SEMIAUTOMATIC"
LONGEST_NAME = 64
"""Characters of the value representation Long String."""


def refer_to_files(segmentation_node, volume_node) -> None:
    """Tell the subject hierarchy which DICOM files a segmentation is of: those of its CT, if it has any."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(segmentation_node)
    names = slicer.vtkMRMLSubjectHierarchyConstants
    if item:
        files = volume_node.GetAttribute(f"{names.GetDICOMAttributePrefix()}instanceUIDs") or ""
        hierarchy.SetItemAttribute(item, names.GetDICOMReferencedInstanceUIDsAttributeName(), files)


def name_algorithm(segment, model: str) -> None:
    """Say that a model found a segment, without a person."""
    segment.SetTag(ALGORITHM_TYPE, AUTOMATIC)
    segment.SetTag(ALGORITHM_NAME, f"GASNet {model}"[:LONGEST_NAME])


def tell_corrected(segment, corrected: bool) -> None:
    """Say whether a person changed what the model found."""
    segment.SetTag(ALGORITHM_TYPE, SEMIAUTOMATIC if corrected else AUTOMATIC)
