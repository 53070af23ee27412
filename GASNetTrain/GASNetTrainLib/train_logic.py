"""Cohort, training, comparison, deployment for panel and Python. No Qt, and no torch in this process.

What takes psutil and safetensors is imported late: Slicer shows the module before they are installed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from GASNetLib.atomic import written_aside
from GASNetLib.cohort import Cohort, CohortError
from GASNetLib.errors import ModelError
from GASNetLib.model_store import ModelStore
from GASNetLib.run.errors import RunError
from GASNetLib.training.presets import PRESETS
from GASNetLib.training.presets import preset as preset_named
from GASNetLib.training.settings import changed

from .cohort_table import CohortTable, Row
from .comparison import ComparisonTable
from .known_runs import KnownRuns, Settings
from .processes import Interpreter
from .task import Task

if TYPE_CHECKING:
    from .run_handle import RunHandle

CACHE_FOLDER, LAST_COHORT = "cache", "last-cohort.csv"


class TrainLogic:
    """What GASNetTrain does. ``begin…`` methods return a :class:`.task.Task` at once, the others wait.

    Attributes:
        known: the trainings that are remembered between sessions.
    """

    def __init__(
        self,
        models: ModelStore,
        case_folder: Path,
        run_home: Path,
        settings: Settings,
        interpreter: Interpreter,
    ) -> None:
        """
        Args:
            models: where models are deployed to. case_folder: GASNetSegment's labelled samples.
            run_home: where run folders are made; the crops of all runs are cached in it.
            settings: remembers the run folders, as QSettings does.
        """
        self.models = models
        self.case_folder = case_folder
        self.run_home = run_home
        self.known = KnownRuns(settings)
        self._interpreter = interpreter

    @property
    def cache(self) -> Path:
        """Folder of the network-grid crops and thumbnails."""
        return self.run_home / CACHE_FOLDER

    # --- cohort -------------------------------------------------------------------------------------------

    def newCohort(self, source: str | Path | None = None) -> CohortTable:
        """An empty cohort, or one from a table (CSV) or a folder sorted by role.

        Raises:
            CohortError: the source is missing or no cohort.
        """
        return CohortTable() if source is None else CohortTable.open(source)

    def keepCohort(self, cohort: CohortTable) -> None:
        """Keep a cohort that is being put together, for :meth:`lastCohort` in a later session.

        Raises:
            ResourceError: the file cannot be written.
        """
        cohort.save(self.run_home / LAST_COHORT)

    def lastCohort(self) -> CohortTable:
        """The cohort that was kept, unchecked; an empty one without."""
        try:
            return self.newCohort(self.run_home / LAST_COHORT)
        except CohortError:
            return self.newCohort()

    def addCase(
        self,
        cohort: CohortTable,
        ct: str | Path,
        role: str,
        mask: str | Path | None = None,
        name: str = "",
        patient: str | None = None,
    ) -> Row:
        """Add one case; see :meth:`.cohort_table.CohortTable.add`."""
        return cohort.add(ct, role, mask, name, patient)

    def checkCohort(
        self,
        cohort: CohortTable,
        progress: Callable[[str, float], None] | None = None,
        jobs: int | None = None,
    ) -> tuple[Row, ...]:
        """Read every case in processes of their own; the rows say what was found.

        Args:
            progress: called with a sentence and a share from 0 to 1.
            jobs: processes; None for as many as fit.

        Raises:
            ResourceError: the disk is full, or the cache cannot be written to.
        """
        checked = cohort.cohort
        cohort.take_findings(checked, self.beginCheck(checked, jobs).result(progress))
        return tuple(cohort.rows)

    def beginCheck(self, cohort: Cohort, jobs: int | None = None) -> Task:
        """Check without waiting; the result is for :meth:`.cohort_table.CohortTable.take_findings`."""
        return Task(self._interpreter, "check", cohort, cache=str(self.cache), jobs=jobs)

    # --- training -----------------------------------------------------------------------------------------

    def presets(self) -> tuple[str, ...]:
        """Names of the presets."""
        return tuple(PRESETS)

    def rolesLacking(self, cohort: CohortTable, preset: str) -> list[str]:
        """The roles without which a preset cannot begin, and that no usable case has."""
        from GASNetLib.training.preparation import roles_lacking

        return roles_lacking(cohort.usable, preset_named(preset))

    def startTraining(
        self,
        cohort: CohortTable,
        runFolder: str | Path,
        preset: str = "finetune",
        fromModel: str | Path | None = None,
        device: str = "auto",
        changes: dict[str, Any] | None = None,
        queued: bool = False,
    ) -> RunHandle:
        """Train on the usable cases, in a process that outlives this program.

        It returns as soon as the folder is there and the process has begun: reading the cases is part of the
        training, so that nothing is lost when this program ends.

        Args:
            runFolder: a new folder. fromModel: model file to start from; None: from scratch.
            changes: settings that differ from the preset, as ``{"iterations": 500, "terms.ps": None}``.
            queued: wait until the trainings that are known and not ended now have ended, so that a batch of
                runs is done one after another; see :mod:`GASNetLib.training.worker`.

        Raises:
            RunError: cohort and preset do not go together, or there is a training in the folder.
            ModelError: the model cannot be used. ResourceError: the folder cannot be written to.
        """
        from GASNetLib.training.preparation import prepare_run

        run = prepare_run(
            runFolder,
            cohort.usable,
            changed(preset_named(preset), changes or {}),
            device=device,
            parent=None if fromModel is None else Path(fromModel),
            cache=self.cache,
        )
        return self.launch(run.path, queued)

    def beginMeasuring(self, cohort: Cohort, preset: str, device: str = "auto") -> Task:
        """Measure how fast this computer trains, without waiting; the result is for :class:`.pace.Pace`."""
        return Task(self._interpreter, "measure", cohort, preset=preset, device=device, cache=str(self.cache))

    def launch(self, run_folder: str | Path, queued: bool = False) -> RunHandle:
        """Start or resume the training of a prepared folder, and remember it.

        Args:
            queued: as in :meth:`startTraining`.
        """
        before = self.working() if queued else []
        run = self.openRun(run_folder)
        run.resume(before)
        self.known.await_end(run.path)
        return run

    def working(self) -> list[RunHandle]:
        """The known trainings that have a process, at work, starting or waiting; the latest last."""
        return [run for run in reversed(self.runs()) if run.folder.process() is not None]

    def openRun(self, runFolder: str | Path) -> RunHandle:
        """A training of this or any other program, by its folder; it is remembered.

        Raises:
            RunError: no run there, damaged, or made by a newer version.
        """
        from .run_handle import RunHandle

        run = RunHandle(runFolder, self._interpreter)
        self.known.add(run.path)
        return run

    def runs(self) -> list[RunHandle]:
        """The trainings that are known and those in the run home: running, ended or interrupted."""
        from GASNetLib.run.folder import find_runs

        from .run_handle import RunHandle

        paths = self.known.paths()
        paths += [run.path for run in find_runs(self.run_home) if run.path not in paths]
        found = []
        for path in paths:
            try:
                found.append(RunHandle(path, self._interpreter))
            except RunError:
                continue  # damaged or of a newer version; its folder stays where it is
        return found

    # --- models -------------------------------------------------------------------------------------------

    def compareModels(
        self,
        models: Sequence[str | Path],
        cohort: CohortTable | Path,
        device: str = "auto",
        progress: Callable[[str, float], None] | None = None,
    ) -> ComparisonTable:
        """Models on the validation cases, the one in use first.

        Args:
            cohort: a cohort, or the table of one such as a run's ``cohort.csv``.

        Raises:
            RunError: no case is left that none of the models was trained on.
            ModelError, InputError: a file cannot be used.
        """
        cases = CohortTable.open(cohort).cohort if isinstance(cohort, (str, Path)) else cohort.usable
        return ComparisonTable.of(self.beginComparison(models, cases, device).result(progress))

    def beginComparison(self, models: Sequence[str | Path], cohort: Cohort, device: str = "auto") -> Task:
        """Compare without waiting; the result is for :meth:`.comparison.ComparisonTable.of`."""
        paths = [str(Path(path).absolute()) for path in models]
        return Task(self._interpreter, "compare", cohort, models=paths, device=device)

    def deployModel(self, model: str | Path) -> Path:
        """Put a model in use: it is copied beside the others, and GASNetSegment takes it from now on.

        Raises:
            ModelError: no model. ResourceError: the model folder cannot be written to.
        """
        return self.models.deploy(Path(model))

    def rollBack(self) -> Path:
        """Put the model in use again that was so before.

        Raises:
            ModelError: there was none.
        """
        return self.models.roll_back()

    def exportModel(self, model: str | Path, target: str | Path) -> Path:
        """Copy a model package to a file, for another computer.

        Raises:
            ModelError: no model. ResourceError: the file cannot be written.
        """
        self.checkedModel(model)
        target = Path(target).absolute()
        with written_aside(target) as aside:
            shutil.copyfile(model, aside)
        return target

    def checkedModel(self, model: str | Path) -> Path:
        """The path of a model package, to start a training from.

        Raises:
            ModelError: it is none.
        """
        from GASNetLib.model import read_model_info

        read_model_info(Path(model))
        return Path(model).absolute()

    def modelInUse(self) -> Path | None:
        """The model in use; None if there is none on this computer."""
        try:
            return self.models.in_use()
        except ModelError:
            return None
