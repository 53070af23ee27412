"""CT volume nodes as the engine takes them: array and geometry, in the node's own coordinates.

A parent transform is left alone: it may be any registration, even a deformation. The result gets the same
parent transform, so that it lies on the CT wherever that is moved.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from GASNetLib.errors import InputError
from GASNetLib.geometry import Geometry
from GASNetLib.provenance import image_sha256

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def ct_array(volume_node) -> np.ndarray:
    """Voxels of a CT node, (z, y, x): a view, not to be written to.

    Raises:
        InputError: no node, nothing in it, a label map, or colours.
    """
    if volume_node is None:
        raise InputError("No CT is chosen.", "Load a chest CT and choose it as input.")
    if not volume_node.IsA("vtkMRMLScalarVolumeNode") or volume_node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(
            f"{volume_node.GetName()} is no CT.", "Choose the CT, not a label map or a segmentation."
        )
    image = volume_node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        raise InputError(f"{volume_node.GetName()} holds no image.", "Load the CT again.")
    if image.GetNumberOfScalarComponents() > 1:
        raise InputError(
            f"{volume_node.GetName()} has several values per voxel.", "Choose the original CT series."
        )
    return slicer.util.arrayFromVolume(volume_node)


def geometry_of(volume_node) -> Geometry:
    """Grid of a volume node in its own coordinates (its parent transform is not applied)."""
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    ijk_to_lps = LPS_FROM_RAS @ slicer.util.arrayFromVTKMatrix(matrix)
    spacing = np.linalg.norm(ijk_to_lps[:3, :3], axis=0)
    if not np.all(spacing > 0):
        raise InputError(
            f"The voxels of {volume_node.GetName()} have no extent along an axis.", "Repair its spacing."
        )
    return Geometry(
        tuple(volume_node.GetImageData().GetDimensions()),
        tuple(spacing.tolist()),
        tuple(ijk_to_lps[:3, 3].tolist()),
        tuple((ijk_to_lps[:3, :3] / spacing).ravel().tolist()),
    )


def image_hash(volume_node) -> str:
    """Hash of voxels and grid: tells whether the image is still the one that was segmented."""
    return image_sha256(ct_array(volume_node), geometry_of(volume_node))


def set_geometry(volume_node, like_node) -> None:
    """Give a volume node the grid and the parent transform of another."""
    matrix = vtk.vtkMatrix4x4()
    like_node.GetIJKToRASMatrix(matrix)
    volume_node.SetIJKToRASMatrix(matrix)
    volume_node.SetAndObserveTransformNodeID(like_node.GetTransformNodeID())


def place_beside(node, volume_node) -> None:
    """Put a node next to a volume in the subject hierarchy (same patient, same study)."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    volume_item, item = hierarchy.GetItemByDataNode(volume_node), hierarchy.GetItemByDataNode(node)
    if not volume_item:
        return  # Slicer has not taken notice of the volume yet, in the middle of a batch of changes
    parent = hierarchy.GetItemParent(volume_item)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)


def world_position(node, lps: tuple[float, float, float]) -> tuple[float, float, float]:
    """World RAS mm of a position in a node's own LPS mm."""
    ras = (LPS_FROM_RAS @ [*lps, 1.0])[:3]
    world = [0.0, 0.0, 0.0]
    node.TransformPointToWorld(ras.tolist(), world)
    return tuple(world)


def volume_node_of(array: np.ndarray, geometry: Geometry, name: str):
    """A new volume node of an array (z, y, x) on a grid."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_FROM_RAS @ geometry.index_to_physical))
    node.CreateDefaultDisplayNodes()
    return node
