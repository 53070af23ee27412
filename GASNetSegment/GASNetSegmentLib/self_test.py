"""The module's self test, run inside Slicer: the synthetic CT through logic, correction and labelled
sample."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from GASNetLib.model_store import ModelStore

from .result import Result
from .sample_data import add_synthetic_ct
from .scene_logic import SceneLogic

SMALL = (48, 96, 96)


class GASNetSegmentTest(ScriptedLoadableModuleTest):
    """What a person does, without the person."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Slicer's entry."""
        self.setUp()
        self.test_one_click_and_correction()

    def test_one_click_and_correction(self) -> None:
        """Segment, measure, move the threshold, correct, store, take back."""
        with tempfile.TemporaryDirectory() as folder:
            logic = SceneLogic(ModelStore(Path(folder) / "models"), Path(folder) / "cases")
            node = logic.segment(add_synthetic_ct(shape=SMALL), device="cpu")
            result = Result.of(node)
            self.assertTrue(np.array_equal(result.lesions, result.ai_lesions))
            self.assertGreater(logic.quantify(node).lung_ml, 1000)
            logic.setThreshold(node, 0.3)
            wide = result.lesions.sum()
            logic.setThreshold(node, 0.7)
            self.assertLessEqual(result.lesions.sum(), wide)
            corrected = result.lesions
            corrected[result.lung_labels == 1] = 1
            result.set_lesions(corrected)
            self.assertTrue(logic.changes(node).any)
            sample = logic.saveLabelledSample(node, "self test")
            self.assertTrue((sample.folder / "mask.seg.nrrd").is_file())
            logic.removeLabelledSample(sample)
            self.assertIsNone(logic.labelledSample(node))
        self.delayDisplay("The self test of GASNet Segment passed")
