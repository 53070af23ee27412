"""What GASNetSegment does to the scene. No Qt: the console, scripts, tests and the panel all use this."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import slicer

from GASNetLib.errors import Cancelled, InputError, ResourceError
from GASNetLib.model_store import ModelStore

from . import labelled_samples, original_outline
from .correction import Changes, changes
from .ct_nodes import ct_array, geometry_of, world_position
from .labelled_samples import SavedSample
from .restored import Restored
from .result import Result, has_lesions

Progress = Callable[[str, float], None]
UNDO_STATES = 10


class SceneLogic:
    """Segment, quantify, correct and keep chest CTs of the scene.

    Example::

        logic = slicer.util.getModuleLogic("GASNetSegment")
        segmentation = logic.segment(slicer.util.getNode("CT"))
        print(logic.quantify(segmentation).lesion_percent)
    """

    def __init__(self, models: ModelStore, case_folder: Path) -> None:
        self.models = models
        self.case_folder = case_folder
        self._loaded: tuple[Path, object] | None = None
        self._lung_sides: tuple[object, object] | None = None
        self._histories: dict[str, object] = {}
        self._untouched: dict[str, int] = {}
        """Stamp of each lesion, by node ID, when the AI's result was written into it."""

    # --- segment ------------------------------------------------------------------------------------------

    def segment(
        self,
        volumeNode,
        segmentationNode=None,
        model: str | Path | None = None,
        device: str = "auto",
        threshold: float | None = None,
        *,
        lungsMethod: str = "network",
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        confirmReplace: Callable[[object], bool] | None = None,
    ):
        """Segment the lesions of a chest CT, in this process, and wait for the result.

        Args:
            volumeNode: the CT.
            segmentationNode: where the result goes; its other segments stay. Default: a new node.
            model: file of a model package. Default: the model in use.
            device: ``auto``, ``cpu`` or ``cuda``.
            threshold: probability above which a voxel is lesion. Default: the model's, 0.5 as a rule.
            lungsMethod: ``network``, ``classical`` or ``lungmask``.
            progress: told the stage and the share done. cancelled: asked between stages.
            confirmReplace: asked before a lesion segment that is there is replaced. Default: replaced without
                asking, since a script names the node itself; :meth:`undo` brings it back.

        Returns:
            The vtkMRMLSegmentationNode, with the segments ``Lesion`` and ``Lungs`` (hidden).

        Raises:
            InputError, NotAChestCT, ModelError, ResourceError, Cancelled: the scene stays as it was.
        """
        from GASNetLib import segment as engine
        from GASNetLib.evidence import evidence_of, provenance_of
        from GASNetLib.volume import volume_from_array

        volume = volume_from_array(ct_array(volumeNode), geometry_of(volumeNode), volumeNode.GetName())
        self.checkOutput(segmentationNode, confirmReplace)
        found = engine.segment(
            volume,
            self._model(model),
            device=device,
            threshold=threshold,
            lungs_method=lungsMethod,
            progress=progress,
            cancelled=cancelled,
        )
        return self.putResult(
            volumeNode, segmentationNode, evidence_of(found), provenance_of(found, lungsMethod)
        )

    def checkOutput(self, segmentationNode, confirmReplace: Callable[[object], bool] | None = None) -> None:
        """Make sure that a segmentation may take a result, before anything is computed.

        Raises:
            InputError: it is made of surfaces. Cancelled: ``confirmReplace`` said no.
        """
        if segmentationNode is None:
            return
        segmentation = segmentationNode.GetSegmentation()
        labelmaps = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
        if segmentation.GetNumberOfSegments() and segmentation.GetSourceRepresentationName() != labelmaps:
            raise InputError(
                f"{segmentationNode.GetName()} is made of surfaces, not of labelled voxels.",
                "Choose a new segmentation.",
            )
        if (
            confirmReplace is not None
            and has_lesions(segmentationNode)
            and not confirmReplace(segmentationNode)
        ):
            raise Cancelled

    def putResult(self, volumeNode, segmentationNode, evidence: np.ndarray, provenance: dict):
        """Write the result of a run (here or in the worker) into the scene.

        Args:
            segmentationNode: None makes a new one.
            evidence, provenance: as :mod:`GASNetLib.evidence` gives them.

        Returns:
            The segmentation node.

        Raises:
            InputError: the CT was removed or is of another size than the evidence.
        """
        if volumeNode is None or volumeNode.GetScene() is None:
            raise InputError("The CT was removed from the scene while it was segmented.", "Load it again.")
        if evidence.shape[:3] != ct_array(volumeNode).shape:
            raise InputError(
                f"{volumeNode.GetName()} changed while it was segmented.",
                "Segment it again without changing it.",
            )
        if segmentationNode is None or segmentationNode.GetScene() is None:
            name = slicer.mrmlScene.GenerateUniqueName(f"{volumeNode.GetName()} lesions")
            segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        elif has_lesions(segmentationNode):
            self.saveUndoState(segmentationNode)
        self._remember_untouched(Result.put(volumeNode, segmentationNode, evidence, provenance))
        original_outline.renew(segmentationNode)
        return segmentationNode

    # --- the result ---------------------------------------------------------------------------------------

    def quantify(self, segmentationNode):
        """Measure the lesion segment as it is now.

        Returns:
            :class:`GASNetLib.quantify.Quantities`: ml, per cent of lung, left and right, HU, foci.

        Raises:
            InputError: no result of GASNet, or its CT is gone.
        """
        from GASNetLib.quantify import measure

        result = Result.of(segmentationNode)
        lesions, box = result.lesion_part()
        return measure(_hu(result), lesions, box, result.lung_labels, self._sides(result), result.geometry)

    def _sides(self, result: Result):
        """What the lungs of a result tell, which no brush changes: kept for the next stroke."""
        from GASNetLib.lung_sides import LungSides

        stamp = result.evidence_stamp
        if self._lung_sides is None or self._lung_sides[0] != stamp:
            self._lung_sides = (stamp, LungSides.of(result.lung_labels, result.geometry.spacing))
        return self._lung_sides[1]

    def provenance(self, segmentationNode) -> dict:
        """Where a result comes from: model and hash, software version, threshold, device, time, notes."""
        return Result.of(segmentationNode).provenance

    def probability(self, segmentationNode) -> np.ndarray:
        """Probability of lesion in steps of 0.005 (rounded up), float32 (z, y, x)."""
        from GASNetLib.evidence import PROBABILITY, STEPS

        return Result.of(segmentationNode).evidence[..., PROBABILITY].astype(np.float32) / STEPS

    def setThreshold(self, segmentationNode, value: float, discardChanges: bool = False) -> None:
        """Show the lesion at another probability threshold, without a new run.

        Args:
            value: between 0 and 1; the nearest multiple of 0.005 is taken.
            discardChanges: allow that a person's corrections are lost (:meth:`undo` brings them back).

        Raises:
            InputError: no result, or the lesion was corrected and ``discardChanges`` is False.
            ValueError: not between 0 and 1.
        """
        result = Result.of(segmentationNode)
        untouched = self._untouched.get(segmentationNode.GetID()) == result.lesion_stamp
        if not untouched and changes(result).any:
            if not discardChanges:
                raise InputError(
                    f"The lesion in {segmentationNode.GetName()} was corrected; a new threshold undoes that.",
                    "Go back to the AI's result first.",
                )
            self.saveUndoState(segmentationNode)
        result.set_threshold(value)
        self._remember_untouched(result)
        original_outline.renew(segmentationNode)

    def _remember_untouched(self, result: Result) -> None:
        self._untouched[result.node.GetID()] = result.lesion_stamp

    def focusPosition(self, segmentationNode, focus) -> tuple[float, float, float]:
        """World RAS position in mm of a focus of :meth:`quantify`, to jump to."""
        return world_position(segmentationNode, focus.centre)

    # --- correction ---------------------------------------------------------------------------------------

    def changes(self, segmentationNode) -> Changes:
        """What was changed against the AI's original: ml added and removed, Dice."""
        return changes(Result.of(segmentationNode))

    def tellCorrected(self, segmentationNode, corrected: bool = True) -> None:
        """Say in the lesion segment, for exported DICOM objects, whether a person had a hand in it.

        The panel does it after each stroke of a brush; a script that edits the segment itself calls it.
        """
        Result.of(segmentationNode).tell_corrected(corrected)

    def showOriginal(self, segmentationNode, shown: bool = True) -> None:
        """Outline the AI's result at the present threshold beside the corrected lesion, or hide all outlines.

        An outline cannot be edited.

        Raises:
            InputError: no result of GASNet.
        """
        original_outline.hide()
        if shown:
            original_outline.show(Result.of(segmentationNode))

    def restoreOriginal(self, segmentationNode) -> None:
        """Give the lesion segment the AI's result at the present threshold again (:meth:`undo` goes back)."""
        self.saveUndoState(segmentationNode)
        result = Result.of(segmentationNode)
        result.write_ai_lesions()

    def saveUndoState(self, segmentationNode) -> None:
        """Remember the segments as they are."""
        history = self._histories.get(segmentationNode.GetID())
        segmentation = segmentationNode.GetSegmentation()
        if history is None or history[0] is not segmentation:
            history = (segmentation, slicer.vtkSegmentationHistory())
            history[1].SetMaximumNumberOfStates(UNDO_STATES)
            history[1].SetSegmentation(segmentation)
            self._histories[segmentationNode.GetID()] = history
        history[1].SaveState()

    def undo(self, segmentationNode) -> bool:
        """Bring back the segments as they were before they were last replaced; False if there is nothing
        to undo."""
        history = self._histories.get(segmentationNode.GetID())
        done = bool(
            history is not None
            and history[0] is segmentationNode.GetSegmentation()
            and history[1].IsRestorePreviousStateAvailable()
            and history[1].RestorePreviousState()
        )
        if done and segmentationNode.GetDisplayNode() is not None:
            segmentationNode.GetDisplayNode().Modified()  # a restored state tells nobody, views least of all
        return done

    def forgetScene(self) -> None:
        """Free what :meth:`undo` and :meth:`quantify` keep; the scene is closing."""
        self._histories.clear()
        self._untouched.clear()
        self._lung_sides = None

    # --- labelled samples ---------------------------------------------------------------------------------

    def saveLabelledSample(self, segmentationNode, note: str = "") -> SavedSample:
        """Keep the CT and its corrected lesion as a labelled sample for the training.

        Returns:
            The sample, with its folder.

        Raises:
            InputError: the CT changed, the lesion is empty or outside the lungs, or the case is stored
            already.
            ResourceError: the case folder cannot be written to.
        """
        return labelled_samples.save(Result.of(segmentationNode), self.case_folder, note)

    def labelledSample(self, segmentationNode) -> SavedSample | None:
        """The stored sample of this segmentation's CT, if there is one."""
        result = Result.of(segmentationNode)
        return labelled_samples.find(self.case_folder, result.provenance["image_sha256"])

    def removeLabelledSample(self, sample: SavedSample) -> None:
        """Take a labelled sample back: its files are removed from the case folder."""
        labelled_samples.take_back(sample)

    # --- restored healthy ---------------------------------------------------------------------------------

    def restoreHealthy(
        self,
        volumeNode,
        model: str | Path | None = None,
        device: str = "auto",
        lungsMethod: str = "network",
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ):
        """Show what the model's generator believes the lungs looked like before the disease.

        Returns:
            Two volume nodes: the restored CT, and the difference restored − CT in HU.

        Raises:
            ModelError: the model has no generator. Others as :meth:`segment`.
        """
        from GASNetLib.provenance import made_by, now
        from GASNetLib.segment import restore_healthy
        from GASNetLib.volume import volume_from_array

        volume = volume_from_array(ct_array(volumeNode), geometry_of(volumeNode), volumeNode.GetName())
        with_generator = self._model(model)
        restored, difference = restore_healthy(
            volume,
            with_generator,
            device=device,
            lungs_method=lungsMethod,
            progress=progress,
            cancelled=cancelled,
        )
        return self.putRestored(volumeNode, restored.hu, difference, made_by(with_generator.info, now()))

    def putRestored(
        self, volumeNode, restored: np.ndarray, difference: np.ndarray, provenance: dict[str, str]
    ):
        """Write a restored CT and its difference map into the scene, beside the CT.

        Args:
            provenance: what both nodes say of their origin (:func:`GASNetLib.provenance.made_by`).

        Returns:
            Both volume nodes; those of an earlier run, if there are any, with new content.

        Raises:
            InputError: the CT was removed meanwhile.
        """
        if volumeNode is None or volumeNode.GetScene() is None:
            raise InputError("The CT was removed from the scene meanwhile.", "Load it again.")
        put = Restored.put(volumeNode, restored, difference, provenance)
        return put.healthy, put.difference

    # --- many cases ---------------------------------------------------------------------------------------

    def segmentFolder(
        self,
        inputFolder: str | Path,
        outputFolder: str | Path,
        model: str | Path | None = None,
        device: str = "auto",
        threshold: float | None = None,
        *,
        lungsMethod: str = "network",
        overwrite: bool = False,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[dict]:
        """Segment all CTs of a folder into another, one after the other; nothing enters the scene.

        Each CT gets ``<name>.seg.nrrd``; all together ``results.csv``. A case that fails is listed with its
        cause and stops nothing; so is what in the folder cannot be used, such as a mask without a CT.

        Args:
            overwrite: replace results that are there. By default they stay, and so do their figures in
                ``results.csv``: a person may have corrected them, and a run that was broken off goes on.

        Returns:
            A report per case: the figures, or ``{"case": …, "error": …}``.

        Raises:
            InputError: no CT in the folder, or ``results.csv`` is of another kind. ResourceError: the output
            cannot be written.
        """
        from GASNetLib.folder_run import TABLE_FILE, BatchReport, cases_in, segment_case, tried

        output = Path(outputFolder)
        cases, faults = cases_in(inputFolder, [output])
        table = BatchReport(output / TABLE_FILE, overwrite)
        loaded = self._model(model)
        reports = [table.put(fault) for fault in faults]
        options = {"device": device, "threshold": threshold, "lungs_method": lungsMethod}
        for number, case in enumerate(cases):
            if progress:
                progress(case.name, number / len(cases))
            try:
                report = segment_case(
                    *(case.name, case.ct, output, loaded), overwrite=overwrite, cancelled=cancelled, **options
                )
            except Cancelled:
                break
            reports.append(tried(case.name, partial(table.put, report)))
        return reports

    # --- models -------------------------------------------------------------------------------------------

    def _model(self, path: str | Path | None):
        """A model, loaded once."""
        try:
            from GASNetLib.model import load_model
        except ImportError as error:
            raise ResourceError(
                f"The package {error.name} is missing.", "Open the module GASNetSegment: it can install it."
            ) from error
        path = Path(path) if path else self.models.in_use()
        if self._loaded is None or self._loaded[0] != path:
            self._loaded = (path, load_model(path))
        return self._loaded[1]


def _hu(result: Result) -> np.ndarray | None:
    """The CT of a result in HU; None if it is stored as 0–255.

    Raises:
        InputError: the CT is gone, or of another size than when it was segmented.
    """
    from GASNetLib.volume import volume_from_array

    ct = ct_array(result.ct)
    if ct.shape != result.evidence.shape[:3]:
        raise InputError(f"{result.ct.GetName()} was changed since it was segmented.", "Segment it again.")
    if result.provenance["intensities"] == "hu" and ct.dtype.kind == "i":
        return ct  # as most are: 100 MB need not be looked at again for each stroke of a brush
    return volume_from_array(ct, result.geometry).density
