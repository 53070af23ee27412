"""What Slicer's *Export to DICOM* asks of a result: the list stands in GASNetSegmentLib/dicom_export.py."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
import vtk  # noqa: E402
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

from GASNetSegmentLib.result import LESION, LUNGS, Result  # noqa: E402
from scene_samples import PROVENANCE, evidence_of_phantom  # noqa: E402

INSTANCES = "1.2.826.0.1.3680043.8.498.1 1.2.826.0.1.3680043.8.498.2"
LABELMAP = "Binary labelmap"
NAMES = slicer.vtkMRMLSubjectHierarchyConstants


@pytest.fixture
def hierarchy(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


@pytest.fixture
def dicom_ct(ct, hierarchy):
    """A CT in the scene as Slicer's DICOM module leaves it."""
    ct.SetAttribute("DICOM.instanceUIDs", INSTANCES)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    study = hierarchy.CreateStudyItem(patient, "Study")
    item = hierarchy.GetItemByDataNode(ct) or hierarchy.CreateItem(study, ct)
    hierarchy.SetItemParent(item, study)
    hierarchy.SetItemUID(item, NAMES.GetDICOMInstanceUIDName(), INSTANCES)
    return ct


@pytest.fixture
def result(logic, dicom_ct, phantom):
    return logic.putResult(dicom_ct, None, evidence_of_phantom(phantom), PROVENANCE)


def tag(node, segment_id: str, name: str) -> str | None:
    value = vtk.mutable("")
    return str(value) if node.GetSegmentation().GetSegment(segment_id).GetTag(name, value) else None


def test_the_files_of_the_ct_are_found(result, dicom_ct):
    referred = result.GetNodeReference(result.GetReferenceImageGeometryReferenceRole())

    assert referred is dicom_ct
    assert referred.GetAttribute("DICOM.instanceUIDs") == INSTANCES


def test_it_is_offered_in_the_study_of_the_ct(result, dicom_ct, hierarchy):
    item, ct_item = hierarchy.GetItemByDataNode(result), hierarchy.GetItemByDataNode(dicom_ct)

    assert hierarchy.GetItemParent(item) == hierarchy.GetItemParent(ct_item)
    assert hierarchy.IsItemLevel(hierarchy.GetItemParent(item), NAMES.GetDICOMLevelStudy())
    assert hierarchy.GetItemAttribute(item, NAMES.GetDICOMReferencedInstanceUIDsAttributeName()) == INSTANCES
    assert hierarchy.GetItemsReferencedFromItemByDICOM(item) == (ct_item,)


def test_a_ct_that_is_not_of_dicom_is_no_hindrance(logic, ct, phantom, hierarchy):
    node = logic.putResult(ct, None, evidence_of_phantom(phantom), PROVENANCE)

    item = hierarchy.GetItemByDataNode(node)
    assert hierarchy.GetItemAttribute(item, NAMES.GetDICOMReferencedInstanceUIDsAttributeName()) == ""


@pytest.mark.parametrize("segment_id", [LESION, LUNGS])
@pytest.mark.parametrize("moved", [False, True])
def test_each_segment_is_exported_on_the_grid_of_the_ct(logic, result, dicom_ct, phantom, segment_id, moved):
    if moved:
        logic.setThreshold(result, 0.2)
    ids = vtk.vtkStringArray()
    ids.InsertNextValue(segment_id)
    labelmap = slicer.vtkOrientedImageData()

    result.GenerateMergedLabelmapForAllSegments(labelmap, 0, None, ids)

    array = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(labelmap.GetDimensions()[::-1])
    marked = Result.of(result).ai_lesions if segment_id == LESION else phantom.lungs != 0
    assert np.array_equal(array != 0, marked != 0)
    matrices = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrices[0])
    dicom_ct.GetIJKToRASMatrix(matrices[1])
    assert np.allclose(*(slicer.util.arrayFromVTKMatrix(matrix) for matrix in matrices))


@pytest.mark.parametrize("segment_id", [LESION, LUNGS])
def test_no_segment_counts_as_empty(result, segment_id):
    labelmap = result.GetSegmentation().GetSegment(segment_id).GetRepresentation(LABELMAP)

    assert labelmap.GetPointData().GetArray("ImageScalars").GetValueRange() == (0, 1)


def test_segments_say_what_they_are_and_who_made_them(result):
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.modules.terminologies.logic()
    for segment_id, category, kind in (
        (LESION, "Morphologically Altered Structure", "Infiltrate"),
        (LUNGS, "Anatomical Structure", "Lung"),
    ):
        logic.DeserializeTerminologyEntry(tag(result, segment_id, "TerminologyEntry"), entry)

        assert entry.GetCategoryObject().GetCodeMeaning() == category
        assert entry.GetTypeObject().GetCodeMeaning() == kind
        assert tag(result, segment_id, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
        assert tag(result, segment_id, "DICOM.SegmentAlgorithmName") == "GASNet tiny"


def test_a_corrected_lesion_is_not_called_automatic(logic, result):
    mask = Result.of(result).lesions
    mask[:, :48] = 0

    Result.of(result).set_lesions(mask)
    assert tag(result, LESION, "DICOM.SegmentAlgorithmType") == "SEMIAUTOMATIC"

    logic.restoreOriginal(result)
    assert tag(result, LESION, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"

    logic.tellCorrected(result)
    assert tag(result, LESION, "DICOM.SegmentAlgorithmType") == "SEMIAUTOMATIC"


def test_asking_what_changed_changes_nothing(logic, result):
    from GASNetSegmentLib.segments import set_segment_array

    mask = Result.of(result).lesions
    mask[:, :48] = 0
    set_segment_array(result, LESION, mask, Result.of(result).ct)  # as a script does, past the logic
    before = result.GetSegmentation().GetMTime()

    assert logic.changes(result).any

    assert result.GetSegmentation().GetMTime() == before
    assert tag(result, LESION, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
