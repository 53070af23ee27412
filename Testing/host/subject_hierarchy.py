"""Items of the subject hierarchy for new data nodes, which Qt plugins make in the desktop."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

KINDS = (
    "vtkMRMLVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLModelNode",
    "vtkMRMLMarkupsNode",
    "vtkMRMLTransformNode",
    "vtkMRMLTableNode",
    "vtkMRMLTextNode",
    "vtkMRMLPlotChartNode",
)
"""What Slicer's plugins own."""


def observe(scene: Any) -> None:
    """Let the scene's nodes come into the hierarchy and go from it as in the desktop."""
    scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, _node_added)
    scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, _node_about_to_be_removed)
    scene.AddObserver(slicer.vtkMRMLScene.EndImportEvent, _import_ended)


def _add(node: Any) -> None:
    if node.GetHideFromEditors() or not any(node.IsA(kind) for kind in KINDS):
        return
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    if not hierarchy.GetItemByDataNode(node):
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


@vtk.calldata_type(vtk.VTK_OBJECT)
def _node_added(scene: Any, event: str, node: Any) -> None:
    if not scene.IsImporting():
        _add(node)


@vtk.calldata_type(vtk.VTK_OBJECT)
def _node_about_to_be_removed(scene: Any, event: str, node: Any) -> None:
    if scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
        return
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.RemoveItem(item, False, False)


def _import_ended(scene: Any, event: str) -> None:
    for number in range(scene.GetNumberOfNodes()):
        _add(scene.GetNthNode(number))
