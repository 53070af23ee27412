"""What the panel shows, kept in the scene."""

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import parameterNodeWrapper


@parameterNodeWrapper
class GASNetSegmentParameterNode:
    """
    inputVolume: the CT to segment.
    segmentation: the result that is shown, and that the next run writes into; None makes a new one.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
