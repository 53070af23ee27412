"""logic.segment() on a real scene: nodes, geometry, terminology, an output that exists, failures."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
import vtk  # noqa: E402

from GASNetLib.errors import Cancelled, InputError, ModelError, NotAChestCT  # noqa: E402
from GASNetLib.export.segment_meaning import CONTEXT  # noqa: E402
from GASNetLib.phantom import make_phantom  # noqa: E402
from GASNetSegmentLib.ct_nodes import geometry_of  # noqa: E402
from GASNetSegmentLib.result import LESION, LUNGS, Result  # noqa: E402
from GASNetSegmentLib.segments import segment_array, set_segment_array  # noqa: E402
from GASNetSegmentLib.terminology import register  # noqa: E402
from scene_samples import PROVENANCE, add_ct, evidence_of_phantom  # noqa: E402

OBLIQUE = (0.96, -0.28, 0.0, 0.28, 0.96, 0.0, 0.0, 0.0, 1.0)
FLIPPED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def names_of(scene) -> list[str]:
    return [scene.GetNthNode(i).GetName() for i in range(scene.GetNumberOfNodes())]


def hierarchy_parent(node) -> int:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))


def put_under_transform(node, matrix=None):
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    if matrix is None:
        matrix = np.array([[0.8, -0.6, 0, 30], [0.6, 0.8, 0, -12], [0, 0, 1, 5], [0, 0, 0, 1.0]])
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def test_segments_in_one_call_and_returns_the_node(logic, ct):
    stages = []

    node = logic.segment(ct, progress=lambda stage, share: stages.append(share))

    result = Result.of(node)
    assert node.GetName() == "CT lesions"
    assert list(node.GetSegmentation().GetSegmentIDs()) == [LESION, LUNGS]
    assert result.ai_lesions.any()
    assert np.array_equal(result.lesions, result.ai_lesions)
    assert stages == sorted(stages) and stages[-1] == 1.0


def test_lungs_are_there_but_hidden(segmented):
    display = segmented.GetDisplayNode()

    assert display.GetSegmentVisibility(LESION)
    assert not display.GetSegmentVisibility(LUNGS)


def test_same_lesions_as_the_engine(logic, ct, phantom, model_file):
    from GASNetLib.model import load_model
    from GASNetLib.segment import segment
    from GASNetLib.volume import volume_from_array

    expected = segment(
        volume_from_array(phantom.hu, phantom.geometry), load_model(model_file), threshold=0.52
    )

    node = logic.segment(ct, threshold=0.52)

    assert np.array_equal(Result.of(node).lesions, expected.lesions)


def test_result_says_where_it_comes_from(logic, ct):
    node = logic.segment(ct, device="cpu", threshold=0.4)

    provenance = logic.provenance(node)
    assert provenance["model"] == "tiny" and len(provenance["model_sha256"]) == 64
    assert provenance["threshold"] == 0.4 and provenance["device"] == "cpu"
    assert provenance["software_version"] and provenance["created"]
    tag = node.GetSegmentation().GetSegment(LESION)
    text = vtk.reference("")
    assert tag.GetTag("GASNet.model", text) and text.get() == '"tiny"'


@pytest.mark.parametrize("direction", [OBLIQUE, FLIPPED])
def test_oblique_and_flipped_axes_keep_their_place(logic, scene, direction):
    sick = make_phantom(seed=3, shape=(32, 64, 64), lesions="moderate", direction=direction)
    ct = add_ct(sick)

    node = logic.putResult(ct, None, evidence_of_phantom(sick), PROVENANCE)

    assert geometry_of(ct).same_as(sick.geometry)
    assert np.array_equal(Result.of(node).lesions, sick.lesions)
    exported = slicer.util.arrayFromSegmentBinaryLabelmap(node, LESION, ct)
    assert np.array_equal(exported, sick.lesions)


def test_transform_on_the_volume_moves_the_result_with_it(logic, ct, phantom):
    transform = put_under_transform(ct)

    node = logic.putResult(ct, None, evidence_of_phantom(phantom), PROVENANCE)

    assert node.GetParentTransformNode() is transform
    assert np.array_equal(Result.of(node).lesions, phantom.lesions)
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, LESION, ct), phantom.lesions)


def test_output_under_another_transform_than_the_ct(logic, ct, phantom):
    node = logic.putResult(ct, None, evidence_of_phantom(phantom), PROVENANCE)
    put_under_transform(node, np.array([[1, 0, 0, 40.0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))

    logic.putResult(ct, node, evidence_of_phantom(phantom), PROVENANCE)

    overlap = (Result.of(node).lesions & phantom.lesions).sum() / phantom.lesions.sum()
    assert overlap > 0.97


def test_reference_geometry_and_terminology(scene, segmented, ct):
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert segmented.GetNodeReference(role) is ct
    entry = slicer.vtkSlicerTerminologyEntry()
    text = vtk.reference("")
    lesion = segmented.GetSegmentation().GetSegment(LESION)
    assert lesion.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)
    assert slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(text.get(), entry)
    codes = [
        entry.GetCategoryObject().GetCodeValue(),
        entry.GetTypeObject().GetCodeValue(),
        entry.GetTypeModifierObject().GetCodeValue(),
        entry.GetRegionObject().GetCodeValue(),
    ]
    assert codes == ["49755003", "47351003", "840539006", "39607008"]
    assert lesion.GetColor() != segmented.GetSegmentation().GetSegment(LUNGS).GetColor()


def test_result_stays_in_the_study_of_its_ct(logic, scene, ct, phantom):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    if hierarchy.GetItemByDataNode(ct):
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(ct), study)
    else:  # slicer-core has not the desktop's plugins, which make the items
        hierarchy.CreateItem(study, ct)

    node = logic.putResult(ct, None, evidence_of_phantom(phantom), PROVENANCE)

    assert hierarchy_parent(node) == study


def test_shipped_terminology_files_are_what_the_segments_use(scene):
    from pathlib import Path

    import GASNetSegmentLib

    resources = Path(GASNetSegmentLib.__file__).parents[1] / "Resources"
    terminologies = slicer.modules.terminologies.logic()

    register(terminologies, resources)

    assert terminologies.IsTerminologyContextLoaded(CONTEXT)
    lesion = slicer.vtkSlicerTerminologyEntry()
    assert terminologies.FindTypeInTerminologyBy3dSlicerLabel(CONTEXT, "Lesion", lesion)
    assert lesion.GetTypeObject().GetCodeValue() == "47351003"


def test_existing_output_keeps_its_other_segments(logic, ct, phantom, segmented):
    own = segmented.GetSegmentation().AddEmptySegment("Nodule", "Nodule")
    nodule = np.zeros_like(phantom.lesions)
    nodule[20:24, 40:44, 40:44] = 1
    set_segment_array(segmented, own, nodule, ct)
    fewer = evidence_of_phantom(phantom)
    fewer[:24] = 0

    logic.putResult(ct, segmented, fewer, PROVENANCE)

    assert list(segmented.GetSegmentation().GetSegmentIDs()) == [LESION, LUNGS, "Nodule"]
    assert np.array_equal(segment_array(segmented, own, ct), nodule)
    assert Result.of(segmented).lesions[:24].sum() == 0


def test_existing_lesion_is_replaced_only_after_asking(logic, ct, segmented, phantom):
    asked = []

    def refuse(node) -> bool:
        asked.append(node)
        return False

    before = names_of(slicer.mrmlScene)
    with pytest.raises(Cancelled):
        logic.segment(ct, segmented, confirmReplace=refuse)

    assert asked == [segmented]
    assert np.array_equal(Result.of(segmented).lesions, phantom.lesions)
    assert names_of(slicer.mrmlScene) == before


def test_replaced_lesion_comes_back_by_undo(logic, ct, segmented, phantom):
    logic.segment(ct, segmented, confirmReplace=lambda node: True)
    assert not np.array_equal(Result.of(segmented).lesions, phantom.lesions)

    assert logic.undo(segmented)

    assert np.array_equal(Result.of(segmented).lesions, phantom.lesions)


def test_empty_output_is_not_asked_about(logic, ct):
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")

    node = logic.segment(ct, empty, confirmReplace=lambda node: pytest.fail("nothing there to be replaced"))

    assert node is empty and node.GetName() == "Mine"


def test_segmentation_made_of_surfaces_is_refused_before_the_run(logic, ct):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetSourceRepresentationToClosedSurface()
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "Ball", [1, 0, 0])

    with pytest.raises(InputError, match="surfaces"):
        logic.segment(ct, node)


def test_two_volumes_of_one_name_are_told_apart(logic, scene, phantom):
    first, second = add_ct(phantom, "CT"), add_ct(phantom, "CT")
    nodes = [logic.putResult(ct, None, evidence_of_phantom(phantom), PROVENANCE) for ct in (first, second)]

    assert Result.of(nodes[0]).ct is first and Result.of(nodes[1]).ct is second
    assert nodes[0].GetName() != nodes[1].GetName()


def bad_inputs():
    label = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    head = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Stone")
    slicer.util.updateVolumeFromArray(
        head, np.random.default_rng(0).integers(0, 1500, (40, 60, 60), np.int16)
    )
    head.SetSpacing(3, 3, 3)
    return [None, label, empty, head]


def test_bad_input_is_refused_in_words_and_leaves_the_scene(logic, scene):
    for node in bad_inputs():
        before = names_of(scene)
        with pytest.raises(InputError) as refused:
            logic.segment(node)
        assert refused.value.cause.endswith(".")
        assert names_of(scene) == before
    assert issubclass(NotAChestCT, InputError)


def test_cancel_leaves_the_scene(logic, scene, ct):
    before = names_of(scene)

    with pytest.raises(Cancelled):
        logic.segment(ct, cancelled=lambda: True)

    assert names_of(scene) == before


def test_missing_model_is_named(logic, ct, tmp_path):
    with pytest.raises(ModelError, match=r"no-such\.safetensors"):
        logic.segment(ct, model=tmp_path / "no-such.safetensors")


def test_volume_removed_while_it_was_segmented(logic, scene, ct, phantom):
    slicer.mrmlScene.RemoveNode(ct)
    before = names_of(scene)

    with pytest.raises(InputError, match="removed"):
        logic.putResult(ct, None, evidence_of_phantom(phantom), PROVENANCE)

    assert names_of(scene) == before
