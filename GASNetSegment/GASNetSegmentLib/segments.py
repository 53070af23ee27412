"""Segments as arrays on a CT's grid, and back.

Slicer keeps a segment cropped, perhaps in one image with others, perhaps under another transform than the CT.
Here it is always uint8 (z, y, x) on the grid of a volume node. Each segment is taken alone: exported
together, segments that overlap would lose voxels.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from GASNetLib.errors import InputError
from GASNetLib.mask_box import Slices, box_around


def segment_array(segmentation_node, segment_id: str, volume_node) -> np.ndarray:
    """One segment on the grid of a volume node, uint8 (z, y, x), 1 inside.

    Raises:
        InputError: there is no such segment, or it cannot be had as a label map.
    """
    part, box = segment_part(segmentation_node, segment_id, volume_node)
    array = np.zeros(volume_node.GetImageData().GetDimensions()[::-1], np.uint8)
    array[box] = part
    return array


def segment_part(segmentation_node, segment_id: str, volume_node) -> tuple[np.ndarray, Slices]:
    """One segment in the box that Slicer keeps it in: bool (z, y, x), and that box in a volume node's grid.

    A lesion takes a hundredth of a CT: what follows a brush must not touch the rest.

    Raises:
        InputError: there is no such segment, or it cannot be had as a label map.
    """
    if segmentation_node.GetSegmentation().GetSegment(segment_id) is None:
        raise InputError(
            f"{segmentation_node.GetName()} has no segment {segment_id}.", "Segment the CT again."
        )
    labelmap = slicer.vtkOrientedImageData()
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.GetSegmentBinaryLabelmapRepresentation(segmentation_node, segment_id, labelmap, False)
    nothing = np.zeros((0, 0, 0), bool), (slice(0, 0),) * 3
    if labelmap.GetNumberOfPoints() == 0:
        return nothing
    grid, transform = _grid(volume_node), _transform_between(segmentation_node, volume_node)
    resample = slicer.vtkOrientedImageDataResample
    if transform is None and resample.DoGeometriesMatch(labelmap, grid):
        common = _common_extent(labelmap.GetExtent(), grid.GetExtent())
        if common is None:
            return nothing
        grid.SetExtent(common)  # the result fills the extent that it is asked for, however little is in it
    on_grid = slicer.vtkOrientedImageData()
    resample.ResampleOrientedImageToReferenceOrientedImage(labelmap, grid, on_grid, False, False, transform)
    if on_grid.GetNumberOfPoints() == 0:
        return nothing
    x0, x1, y0, y1, z0, z1 = on_grid.GetExtent()
    return _scalars(on_grid) != 0, (slice(z0, z1 + 1), slice(y0, y1 + 1), slice(x0, x1 + 1))


def set_segment_array(
    segmentation_node, segment_id: str, mask: np.ndarray, volume_node, box: Slices | None = None
) -> None:
    """Replace a segment by a mask (z, y, x) on the grid of a volume node; other segments stay as they are.

    Args:
        box: where in that grid the mask lies, with nothing outside; None: it covers the grid.

    Raises:
        InputError: the segmentation holds surfaces instead of label maps.
    """
    segmentation = segmentation_node.GetSegmentation()
    labelmaps = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    if segmentation.GetNumberOfSegments() and segmentation.GetSourceRepresentationName() not in (
        "",
        labelmaps,
    ):
        raise InputError(
            f"{segmentation_node.GetName()} is made of surfaces.",
            "Choose a new segmentation, or make its source representation a binary labelmap.",
        )
    image = _oriented_image(mask, volume_node, [0, 0, 0] if box is None else [side.start for side in box])
    transform = _transform_between(volume_node, segmentation_node)
    if transform is not None:
        slicer.vtkOrientedImageDataResample.TransformOrientedImage(image, transform)
    # Segments that share one image push each other's voxels out; overlapping is what lesion and lungs do.
    segmentation.SeparateSegmentLabelmap(segment_id)
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
        image, segmentation_node, segment_id, slicer.vtkSlicerSegmentationsModuleLogic.MODE_REPLACE
    )


def _oriented_image(mask: np.ndarray, volume_node, first: list[int]):
    """The box around the mask's content as Slicer's image with a place; ``first``: the mask's first voxel."""
    box = box_around(mask)
    cropped = np.ascontiguousarray(mask[box], dtype=np.uint8)
    image = _placed(volume_node)
    z, y, x = (slice(side.start + at, side.stop + at) for side, at in zip(box, first, strict=True))
    image.SetExtent(x.start, x.stop - 1, y.start, y.stop - 1, z.start, z.stop - 1)
    scalars = numpy_to_vtk(cropped.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    scalars.SetName("ImageScalars")  # VTK's own name for them, by which Slicer's DICOM export looks them up
    image.GetPointData().SetScalars(scalars)
    return image


def _grid(volume_node):
    """The grid of a volume node without voxels, as a reference for resampling."""
    image = _placed(volume_node)
    image.SetExtent(volume_node.GetImageData().GetExtent())
    return image


def _common_extent(first: tuple[int, ...], second: tuple[int, ...]) -> list[int] | None:
    """What two extents (first and last index of x, y, z) share; None if nothing."""
    common = []
    for start in (0, 2, 4):
        ends = max(first[start], second[start]), min(first[start + 1], second[start + 1])
        if ends[0] > ends[1]:
            return None
        common.extend(ends)
    return common


def _placed(volume_node):
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    image = slicer.vtkOrientedImageData()
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def _scalars(image) -> np.ndarray:
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def _transform_between(source_node, target_node):
    """Transform from one node's coordinates to another's; None where they have the same parent."""
    source, target = source_node.GetParentTransformNode(), target_node.GetParentTransformNode()
    if source is target:
        return None
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, transform)
    return transform
