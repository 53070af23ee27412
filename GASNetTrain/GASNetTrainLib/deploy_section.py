"""The section *Compare and deploy*: a new model against the one in use, on cases new to both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from GASNetSegmentLib.panel import fill_table

from .comparison import FIGURES, ComparisonTable
from .model_names import model_name
from .panel import TrainPanel
from .table_height import fit_height
from .task import Task
from .words import number

if TYPE_CHECKING:
    from .run_handle import RunHandle


ROWS_SHOWN = 15
"""More validation cases are scrolled."""


class DeploySection:
    """Challenger against champion, then deploy, roll back or export."""

    def __init__(
        self,
        panel: TrainPanel,
        runs: Callable[[], list[RunHandle]],
        on_deployed: Callable[[], None],
        on_pair: Callable[[bool], None],
    ) -> None:
        self._panel, self._ui = panel, panel.ui
        self._runs, self._on_deployed, self._on_pair = runs, on_deployed, on_pair
        self._candidates: list[tuple[RunHandle, Path]] = []
        self._task: Task | None = None
        self._compared: Path | None = None
        ui = self._ui
        ui.compareTable.setColumnCount(1 + len(FIGURES))
        ui.compareTable.verticalHeader().setVisible(False)
        fits, rest = qt.QHeaderView.ResizeToContents, qt.QHeaderView.Stretch
        for column in range(1 + len(FIGURES)):
            ui.compareTable.horizontalHeader().setSectionResizeMode(column, fits if column else rest)
        ui.candidateBox.connect("currentIndexChanged(int)", self.update)
        ui.compareButton.connect("clicked(bool)", self._compare)
        ui.compareCancelButton.connect("clicked(bool)", self._cancel)
        ui.deployButton.connect("clicked(bool)", self._deploy)
        ui.rollBackButton.connect("clicked(bool)", self._roll_back)
        ui.exportButton.connect("clicked(bool)", self._export)

    def refresh(self) -> None:
        """List the models that the trainings have made so far; the choice stays."""
        box, chosen = self._ui.candidateBox, self._ui.candidateBox.currentText
        blocked = box.blockSignals(True)
        self._candidates = [
            (run, model)
            for run in self._runs()
            for model in (run.folder.best_model, run.folder.last_model)
            if model.is_file()
        ]
        box.clear()
        for run, model in self._candidates:
            which = _("best by validation") if model == run.folder.best_model else _("latest")
            box.addItem(f"{run.name}: {which}")
            box.setItemData(box.count - 1, str(model), qt.Qt.ToolTipRole)
        box.currentIndex = max(0, box.findText(chosen))
        box.blockSignals(blocked)
        self.update()

    def update(self) -> None:
        """Show what can be done."""
        in_use = self._panel.logic.modelInUse()
        self._ui.inUseLabel.text = _("In use: {model}").format(
            model=_("none") if in_use is None else model_name(in_use)
        )
        comparing, some = self._task is not None, bool(self._candidates)
        self._ui.compareButton.enabled = some and in_use is not None and not comparing
        self._on_pair(some and in_use is not None)
        self._ui.compareCancelButton.visible = self._ui.compareProgress.visible = comparing
        self._ui.deployButton.enabled = self._ui.exportButton.enabled = some
        shown = some and self._compared == self.candidate[1]  # figures of another model would mislead
        self._ui.compareTable.visible = self._ui.verdictLabel.visible = shown

    @property
    def candidate(self) -> tuple[RunHandle, Path]:
        """The training and the model that are chosen."""
        return self._candidates[self._ui.candidateBox.currentIndex]

    @property
    def pair(self) -> tuple[Path, Path]:
        """The model in use and the chosen one."""
        return self._panel.logic.models.in_use(), self.candidate[1]

    # --- compare ------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        self._panel.clear_problem()
        with self._panel.problems_shown():
            logic = self._panel.logic
            frozen = logic.newCohort(self.candidate[0].folder.cohort_file).cohort
            in_use, new = self.pair
            task = logic.beginComparison((in_use, new), frozen)
            self._task = self._panel.follow(
                task, lambda found: self._show(new, found), self._ended, self._progress
            )
        self.update()

    def _progress(self, case: str, share: float) -> None:
        self._ui.compareProgress.format = f"{case}: %p%" if case else _("Starting")
        self._ui.compareProgress.value = round(100 * share)

    def _ended(self) -> None:
        self._task = None
        self.update()

    def _cancel(self) -> None:
        self._task.cancel()

    def _show(self, new: Path, found: dict) -> None:
        result = ComparisonTable.of(found)
        figures = (_("Dice"), _("Sensitivity"), _("Specificity"))  # in the order of FIGURES
        headers = [_("Case"), *(_("{figure}\nin use\n→ new").format(figure=figure) for figure in figures)]
        rows = [
            [
                case,
                *(_pair(*(result.figures[model][row][f] for model in range(2))) for f in range(len(FIGURES))),
            ]
            for row, case in enumerate(result.cases)
        ]
        rows.append([_("Mean"), *(_pair(*(result.mean(model, f) for model in range(2))) for f in FIGURES)])
        fill_table(self._ui.compareTable, headers, rows)
        self._ui.compareTable.resizeRowsToContents()
        fit_height(self._ui.compareTable, ROWS_SHOWN)
        left_out = [
            _("{case} is left out: one of the models was trained on it.").format(case=c)
            for c in result.left_out
        ]
        pair = _("{in_use} → {new}").format(in_use=result.models[0], new=result.models[1])
        self._ui.verdictLabel.text = "\n".join([pair, *result.verdicts, *left_out])
        self._compared = new
        self.update()

    # --- deploy -------------------------------------------------------------------------------------------

    def _deploy(self) -> None:
        self._change(lambda: self._panel.logic.deployModel(self.candidate[1]))

    def _roll_back(self) -> None:
        self._change(self._panel.logic.rollBack)

    def _export(self) -> None:
        model = self.candidate[1]
        suggested = f"{self.candidate[0].name}.safetensors"
        file = qt.QFileDialog.getSaveFileName(
            self._ui.candidateBox, _("Export the model package"), suggested, "GASNet (*.safetensors)"
        )
        if file:
            self._change(lambda: self._panel.logic.exportModel(model, file))

    def _change(self, change: Callable[[], Path]) -> None:
        self._panel.clear_problem()
        with self._panel.problems_shown():
            change()
        self.update()
        self._on_deployed()


def _pair(in_use: float | None, new: float | None) -> str:
    return f"{number(in_use)}\n→ {number(new)}"  # two lines: three figures fit into a narrow panel
