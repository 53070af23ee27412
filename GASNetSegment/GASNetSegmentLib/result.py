"""A segmentation node as a GASNet result: its CT, what the AI found, what a person made of it.

Everything stands in the scene and is saved with it: the lesion and the lungs as segments, the evidence
(probability steps and lung sides, :mod:`GASNetLib.evidence`) as a volume node beside them, and where the
result comes from as node attributes. The AI's original is never stored as a segment that a brush could touch:
it follows from the evidence and the threshold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from GASNetLib.errors import InputError
from GASNetLib.evidence import LUNGS as LUNGS_COMPONENT
from GASNetLib.evidence import evidence_box, lesions_above, stepped
from GASNetLib.export import segment_meaning
from GASNetLib.mask_box import Slices, box_of_both
from GASNetLib.provenance import PREFIX

from . import dicom_export
from .ct_nodes import geometry_of, image_hash, place_beside, set_geometry
from .segments import segment_array, segment_part, set_segment_array
from .terminology import describe

LESION, LUNGS = segment_meaning.LESION.name, segment_meaning.LUNGS.name
"""IDs and names of the two segments."""

EVIDENCE_ROLE = "GASNet.evidence"
THRESHOLD, IMAGE_SHA256 = "threshold", "image_sha256"
SURFACE_SMOOTHING = "0.5"
"""Of surface nets. More looks smoother on thick slices, and smaller: on a coarse grid a lesion loses a fifth
of its volume at 0.8, an eighth at 0.5, a fourteenth by Slicer's default method."""

PIECE_BYTES = 1 << 24
"""Of the evidence, written at a time: some ten milliseconds."""

BOX = "GASNet.box"
"""Attribute of the evidence: the box that holds all of it, [[start, stop], …] along z, y, x."""


@dataclass(frozen=True)
class Result:
    """A segmentation node with evidence. Make one with :meth:`of` or :meth:`put`."""

    node: object
    evidence_node: object

    @classmethod
    def of(cls, segmentation_node) -> Result:
        """The result that a segmentation node holds.

        Raises:
            InputError: no node, or nothing of GASNet in it, or its evidence was deleted.
        """
        if segmentation_node is None:
            raise InputError("There is no segmentation yet.", "Segment a CT first.")
        evidence = segmentation_node.GetNodeReference(EVIDENCE_ROLE)
        if evidence is None or evidence.GetImageData() is None:
            raise InputError(
                f"{segmentation_node.GetName()} carries no result of GASNet (or it was deleted).",
                "Segment the CT again.",
            )
        return cls(segmentation_node, evidence)

    @classmethod
    def put(
        cls,
        volume_node,
        segmentation_node,
        evidence: np.ndarray,
        provenance: dict,
        box: Slices | None = None,
    ) -> Result:
        """Write a finished run into the scene: lesion, lungs, evidence and provenance.

        Args:
            evidence, provenance: as :mod:`GASNetLib.evidence` gives them. With ``image_sha256`` the latter
                says which CT was segmented; without, it is the one that the node holds now.
            box: that holds all of the evidence; None: it is looked for.
        """
        for _ in cls.putting(volume_node, segmentation_node, evidence, provenance, box):
            pass
        return cls.of(segmentation_node)

    @classmethod
    def putting(
        cls,
        volume_node,
        segmentation_node,
        evidence: np.ndarray,
        provenance: dict,
        box: Slices | None = None,
    ) -> Iterator[None]:
        """:meth:`put` in steps of a bearable length, for a window that answers in between."""
        with slicer.util.NodeModify(segmentation_node):
            segmentation_node.CreateDefaultDisplayNodes()
            segmentation_node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
            if segmentation_node.GetSegmentation().GetNumberOfSegments() == 0:
                segmentation_node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
                _make_surfaces_fast(segmentation_node.GetSegmentation())
            place_beside(segmentation_node, volume_node)
            dicom_export.refer_to_files(segmentation_node, volume_node)
            result = cls(segmentation_node, _evidence_node(segmentation_node, volume_node))
            yield from result._write_evidence(evidence, evidence_box(evidence) if box is None else box)
            _ensure_segment(segmentation_node, LESION, segment_meaning.LESION)
            _ensure_segment(segmentation_node, LUNGS, segment_meaning.LUNGS)
            segmentation_node.GetDisplayNode().SetSegmentVisibility(LUNGS, False)
            segmentation_node.GetDisplayNode().SetSegmentVisibility(LESION, True)
            if IMAGE_SHA256 not in provenance:
                provenance = {**provenance, IMAGE_SHA256: image_hash(volume_node)}
            result._describe(provenance)
            for segment_id in (LESION, LUNGS):
                dicom_export.name_algorithm(result._segment(segment_id), provenance["model"])
            yield
            result._write_lungs()
            yield
            result.write_ai_lesions()

    @property
    def ct(self):
        """The CT node.

        Raises:
            InputError: it is not in the scene any more.
        """
        node = self.ct_or_none
        if node is None or node.GetImageData() is None:
            raise InputError(
                f"The CT of {self.node.GetName()} is not in the scene any more.",
                "Load the CT and segment it again.",
            )
        return node

    def is_of(self, volume_node) -> bool:
        """Whether this is the result of a CT node."""
        return self.ct_or_none is volume_node

    @property
    def ct_or_none(self):
        """The CT node, or None if it is not in the scene any more."""
        return self.node.GetNodeReference(
            slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        )

    @property
    def ct_is_unchanged(self) -> bool:
        """Whether voxels and grid of the CT are those that were segmented (a sequence may have moved on)."""
        return image_hash(self.ct) == self.provenance.get(IMAGE_SHA256)

    @property
    def evidence(self) -> np.ndarray:
        """Evidence, uint8 (z, y, x, 2); a view, not to be written to."""
        return slicer.util.arrayFromVolume(self.evidence_node)

    @property
    def geometry(self):
        """Grid of all arrays here."""
        return geometry_of(self.evidence_node)

    @property
    def threshold(self) -> float:
        """Probability above which the AI's lesion lies."""
        return float(self.provenance[THRESHOLD])

    @property
    def provenance(self) -> dict:
        """Where the result comes from."""
        names = [n for n in self.node.GetAttributeNames() if n.startswith(PREFIX)]
        return {n.removeprefix(PREFIX): json.loads(self.node.GetAttribute(n)) for n in names}

    @property
    def ai_lesions(self) -> np.ndarray:
        """What the AI found at the threshold, uint8 (z, y, x)."""
        mask = np.zeros(self.evidence.shape[:3], np.uint8)
        mask[self.evidence_box] = self.ai_lesions_in(self.evidence_box)
        return mask

    def ai_lesions_in(self, box: Slices) -> np.ndarray:
        """A box of what the AI found at the threshold, uint8 (z, y, x)."""
        return lesions_above(self.evidence[box], self.threshold)

    @property
    def lesions(self) -> np.ndarray:
        """The lesion segment as it is now, uint8 (z, y, x)."""
        return segment_array(self.node, LESION, self.evidence_node)

    def lesion_part(self) -> tuple[np.ndarray, Slices]:
        """The lesion segment as it is now in a box that holds all of it, bool (z, y, x), and that box."""
        return segment_part(self.node, LESION, self.evidence_node)

    def lesion_and_ai_part(self) -> tuple[np.ndarray, np.ndarray]:
        """The lesion as it is now, and what the AI found at the threshold, in a box that holds both."""
        lesions, place = self.lesion_part()
        box = box_of_both(self.evidence_box, place) if lesions.size else self.evidence_box
        found = self.ai_lesions_in(box)
        now = np.zeros(found.shape, np.uint8)
        if lesions.size:
            start = [inner.start - outer.start for inner, outer in zip(place, box, strict=True)]
            now[tuple(slice(a, a + size) for a, size in zip(start, lesions.shape, strict=True))] = lesions
        return now, found

    @property
    def evidence_box(self) -> Slices:
        """The box that holds all of the evidence; beyond it nothing was found."""
        kept = self.evidence_node.GetAttribute(BOX)
        if kept:
            return tuple(slice(*ends) for ends in json.loads(kept))
        return tuple(slice(0, size) for size in self.evidence.shape[:3])

    @property
    def evidence_stamp(self) -> tuple[str, int]:
        """Tells this evidence from any other, and from itself after another run."""
        return self.evidence_node.GetID(), self.evidence_node.GetImageData().GetMTime()

    @property
    def lesion_stamp(self) -> int:
        """A number that grows with each change of the lesion segment's voxels."""
        segment = self._segment(LESION)
        name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
        labelmap = segment.GetRepresentation(name) if segment is not None else None
        return labelmap.GetMTime() if labelmap is not None else 0

    @property
    def lung_labels(self) -> np.ndarray:
        """Lungs as they were found: 1 right, 2 left, uint8 (z, y, x)."""
        return self.evidence[..., LUNGS_COMPONENT]

    def set_threshold(self, threshold: float) -> None:
        """Show the lesion at another threshold; the lesion segment is written anew."""
        self._describe({**self.provenance, THRESHOLD: stepped(threshold)})
        self.write_ai_lesions()

    def write_ai_lesions(self) -> None:
        """Write the lesion segment as the AI found it at the threshold."""
        box = self.evidence_box
        set_segment_array(self.node, LESION, self.ai_lesions_in(box), self.evidence_node, box)
        self.tell_corrected(False)

    def _write_lungs(self) -> None:
        box = self.evidence_box
        lungs = self.evidence[box][..., LUNGS_COMPONENT] != 0
        set_segment_array(self.node, LUNGS, lungs, self.evidence_node, box)

    def _write_evidence(self, evidence: np.ndarray, box: Slices) -> Iterator[None]:
        """Fill the evidence node, piece by piece."""
        image = vtk.vtkImageData()
        image.SetDimensions(evidence.shape[2::-1])
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, evidence.shape[3])
        voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(evidence.shape)
        slices = max(1, PIECE_BYTES // evidence[0].nbytes)
        for first in range(0, len(evidence), slices):
            voxels[first : first + slices] = evidence[first : first + slices]
            yield
        self.evidence_node.SetAndObserveImageData(image)
        self.evidence_node.SetAttribute(BOX, json.dumps([[side.start, side.stop] for side in box]))

    def set_lesions(self, mask: np.ndarray) -> None:
        """Write a lesion segment (z, y, x) that is not the AI's."""
        set_segment_array(self.node, LESION, mask, self.evidence_node)
        self.tell_corrected(True)

    def drop_surface(self) -> bool:
        """Take the lesion out of the 3D views: its surface takes Slicer long to follow a slider.

        Returns:
            Whether it was there.
        """
        segment = self._segment(LESION)
        name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
        return segment is not None and segment.RemoveRepresentation(name)

    def make_surface(self) -> None:
        """Show the lesion in the 3D views as it is now; done at once where nothing changed.

        Slicer makes the surfaces of all segments, of hidden ones too, as soon as its 3D views show one.
        """
        self.node.CreateClosedSurfaceRepresentation()

    def tell_corrected(self, corrected: bool) -> None:
        """Say in the lesion segment, for exported files, whether a person changed it."""
        dicom_export.tell_corrected(self._segment(LESION), corrected)

    def _segment(self, segment_id: str):
        return self.node.GetSegmentation().GetSegment(segment_id)

    def _describe(self, provenance: dict) -> None:
        """Attributes of the node, and tags of the lesion segment, which go into exported files."""
        segment = self._segment(LESION)
        for key, value in provenance.items():
            self.node.SetAttribute(PREFIX + key, json.dumps(value))
            segment.SetTag(PREFIX + key, json.dumps(value))


def has_lesions(segmentation_node) -> bool:
    """Whether a segmentation node holds a lesion segment with voxels in it, which a run would replace."""
    segment = segmentation_node.GetSegmentation().GetSegment(LESION)
    if segment is None:
        return False
    labelmap = slicer.vtkOrientedImageData()
    slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentBinaryLabelmapRepresentation(
        segmentation_node, LESION, labelmap, False
    )
    return labelmap.GetNumberOfPoints() > 0 and labelmap.GetScalarRange()[1] > 0


def _make_surfaces_fast(segmentation) -> None:
    """Let Slicer make surfaces by surface nets with their own smoothing: they look as those of its default
    do, and nothing else moves while it makes them, which takes a quarter of the time."""
    rule = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule
    for name in (rule.GetConversionMethodParameterName(), rule.GetSurfaceNetInternalSmoothingParameterName()):
        segmentation.SetConversionParameter(name, "1")
    segmentation.SetConversionParameter(rule.GetSmoothingFactorParameterName(), SURFACE_SMOOTHING)


def _ensure_segment(segmentation_node, segment_id: str, meaning: segment_meaning.Meaning) -> None:
    segmentation = segmentation_node.GetSegmentation()
    if segmentation.GetSegment(segment_id) is None:
        segmentation.AddEmptySegment(segment_id, segment_id)
        describe(segmentation.GetSegment(segment_id), meaning)


def _evidence_node(segmentation_node, volume_node):
    """The node of the evidence. A vector volume, so that no selector offers it as a CT."""
    node = segmentation_node.GetNodeReference(EVIDENCE_ROLE)
    if node is None:
        name = slicer.mrmlScene.GenerateUniqueName(f"{volume_node.GetName()} lesion evidence")
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", name)
        segmentation_node.SetNodeReferenceID(EVIDENCE_ROLE, node.GetID())
    set_geometry(node, volume_node)
    place_beside(node, volume_node)
    return node
