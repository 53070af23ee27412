"""The module's self test, for a real Slicer and for the test host."""

from __future__ import annotations

import tempfile
from pathlib import Path

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from GASNetLib.cohort import CohortError
from GASNetLib.phantom import make_phantom, write_phantom


class GASNetTrainTest(ScriptedLoadableModuleTest):
    """A cohort is put together, saved and opened again. Training is tested where PyTorch is installed."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def test_cohort_round_trip(self) -> None:
        """Cases, roles and what is still missing survive the file."""
        logic = slicer.util.getModuleLogic("GASNetTrain")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            write_phantom(make_phantom(seed=1, shape=(12, 32, 32)), path / "one.nii.gz")
            cohort = logic.newCohort()
            logic.addCase(cohort, path / "one.nii.gz", "healthy")
            with self.assertRaises(CohortError):
                logic.addCase(cohort, path / "one.nii.gz", "diseased")
            cohort.save(path / "cohort.csv")
            again = logic.newCohort(path / "cohort.csv")
            self.assertEqual([row.case for row in again], [row.case for row in cohort])
            self.assertEqual(again.lacking()["healthy"], 4)
        self.delayDisplay("The self test of GASNet Train passed")
