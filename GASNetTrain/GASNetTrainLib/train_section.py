"""The section *Train*: what to start from, how, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from GASNetLib.errors import InputError
from GASNetLib.training.presets import PRESETS

from .choices import choice, fill_devices, fill_presets, preset_about
from .cohort_section import CohortSection
from .cohort_words import role_title
from .model_names import model_name
from .pace import Pace
from .panel import TrainPanel
from .run_states import LIVING
from .task import Task
from .words import duration

if TYPE_CHECKING:
    from .run_handle import RunHandle


class TrainSection:
    """Starts a training in a process of its own."""

    def __init__(
        self,
        panel: TrainPanel,
        cohort: CohortSection,
        runs: Callable[[], list[RunHandle]],
        on_started: Callable[[RunHandle], None],
    ) -> None:
        self._panel, self._ui = panel, panel.ui
        self._cohort, self._runs, self._on_started = cohort, runs, on_started
        self._models: list[Path | None] = []
        self._files: list[Path] = []
        self._in_use: Path | None = None
        self._begun = ""
        self._measuring: Task | None = None
        self._measured: dict[tuple[str, str], Pace] = {}
        fill_presets(self._ui.presetBox)
        fill_devices(self._ui.deviceBox)
        self._ui.runHomeEdit.currentPath = str(panel.logic.run_home)
        self._ui.presetBox.connect("currentIndexChanged(int)", self.update)
        self._ui.deviceBox.connect("currentIndexChanged(int)", self.update)
        self._ui.startFileButton.connect("clicked(bool)", self._add_start_file)
        self._ui.trainButton.connect("clicked(bool)", self._train)
        self._ui.measureButton.connect("clicked(bool)", self._measure)
        self._ui.measureCancelButton.connect("clicked(bool)", self._cancel_measuring)
        self._ui.runNameEdit.text = _free_name()

    def refresh_models(self) -> None:
        """List the models to start from. What was chosen stays; the one in use is chosen before."""
        before, self._in_use = self._in_use, self._panel.logic.modelInUse()
        chosen = self._start
        listed = self._panel.logic.models.models()
        self._models = [*listed, *(path for path in self._files if path not in listed), None]
        if chosen == before or chosen not in self._models:
            chosen = self._in_use
        self._ui.startBox.clear()
        for path in self._models:
            text = _("From scratch") if path is None else model_name(path)
            self._ui.startBox.addItem(
                _("{model} (in use)").format(model=text) if path and path == self._in_use else text
            )
        self._ui.startBox.currentIndex = self._models.index(chosen)
        self.update()

    @property
    def _start(self) -> Path | None:
        """The model that is chosen to start from; None: from scratch."""
        return self._models[self._ui.startBox.currentIndex] if self._models else None

    def _add_start_file(self) -> None:
        file = qt.QFileDialog.getOpenFileName(
            self._ui.startBox, _("Model to start from"), "", "GASNet (*.safetensors)"
        )
        if not file:
            return
        self._panel.clear_problem()
        with self._panel.problems_shown():
            path = self._panel.logic.checkedModel(file)
            self._files.append(path)
            self.refresh_models()
            self._ui.startBox.currentIndex = self._models.index(path)

    def update(self) -> None:
        """Show what the choices mean, and whether they can be trained with."""
        ui, preset = self._ui, choice(self._ui.presetBox)
        ui.presetLabel.text = f"{preset_about(preset)} {self._estimate(preset)}"
        why_not = self._why_not(preset)
        ui.trainButton.enabled = not why_not
        ui.measureButton.enabled = not why_not and self._measuring is None
        ui.measureCancelButton.visible = self._measuring is not None
        ui.queueBox.visible = any(run.last_state.state in LIVING for run in self._runs())
        ui.trainLabel.text = "\n".join(filter(None, [why_not or self._warning(), self._begun]))

    def _why_not(self, preset: str) -> str:
        """Why no training can begin; empty if one can."""
        cohort = self._cohort.cohort
        if not cohort.is_checked:
            return _("Check the cohort first.")
        lacking = self._panel.logic.rolesLacking(cohort, preset)
        if not lacking:
            return ""
        text = _("This preset cannot do without: {roles}. Add CTs, or choose another preset.")
        return text.format(roles="; ".join(map(role_title, lacking)))

    def _warning(self) -> str:
        """What a training on few cases is worth; empty for one on enough."""
        lacking = self._cohort.cohort.lacking()
        said = []
        if lacking.keys() & {"labelled", "diseased", "healthy"}:
            said.append(_("Fewer CTs than recommended: you can try it, but do not expect a better network."))
        if "validation" in lacking:
            said.append(_("Without a CT for validation nobody can tell whether the new network is better."))
        return " ".join(said)

    def _estimate(self, preset: str) -> str:
        device = choice(self._ui.deviceBox)
        measured = self._measured.get((preset, device))
        pace = measured or self._pace_of_earlier(preset, device)
        if pace is None:
            return _("How long it takes on this computer is not measured yet: press Measure the time.")
        cases = self._cohort.cohort.totals()["validation"]
        time = duration(pace.seconds(asdict(PRESETS[preset]), cases))
        if measured:
            return _("At most {time} on this computer, as measured, with validation and previews.").format(
                time=time
            )
        return _("At most {time}, by earlier trainings on this computer.").format(time=time)

    def _pace_of_earlier(self, preset: str, device: str) -> Pace | None:
        """Of the latest training with this preset and device; None without."""
        paces = (
            run.pace
            for run in self._runs()
            if run.config["settings"]["name"] == preset and run.config["device"] == device
        )
        return next((pace for pace in paces if pace is not None), None)

    def _measure(self) -> None:
        self._panel.clear_problem()
        preset, device = choice(self._ui.presetBox), choice(self._ui.deviceBox)
        with self._panel.problems_shown():
            task = self._panel.logic.beginMeasuring(self._cohort.cohort.usable, preset, device)
            self._measuring = self._panel.follow(
                task, lambda pace: self._take_pace(preset, device, pace), self._measuring_ended
            )
        self.update()

    def _take_pace(self, preset: str, device: str, pace: dict[str, float]) -> None:
        self._measured[preset, device] = Pace(**pace)
        self.update()

    def _measuring_ended(self) -> None:
        self._measuring = None
        self.update()

    def _cancel_measuring(self) -> None:
        self._measuring.kill()  # in the middle of an iteration it hears nothing

    def _train(self) -> None:
        self._panel.clear_problem()
        with self._panel.problems_shown():
            name = self._ui.runNameEdit.text.strip()
            if not name:
                raise InputError(_("The training has no name."), _("Give it one; its folder is called so."))
            run = self._panel.logic.startTraining(
                self._cohort.cohort,
                Path(self._ui.runHomeEdit.currentPath) / name,
                choice(self._ui.presetBox),
                self._start,
                choice(self._ui.deviceBox),
                queued=self._ui.queueBox.checked,
            )
            self._ui.runNameEdit.text = _free_name()
            begun = _("{training} goes on while you work, or when Slicer is closed: see Trainings.")
            self._begun = begun.format(training=run.name)
            self._on_started(run)
        self.update()


def _free_name() -> str:
    return datetime.now().strftime("training-%Y-%m-%d-%H%M%S")
