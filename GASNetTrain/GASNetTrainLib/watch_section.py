"""The section *Trainings*: all that are known, and one of them watched: state, curves, preview, log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from .curves_section import CurvesSection
from .ended_section import EndedSection
from .panel import TrainPanel
from .run_log import LogView, Notices
from .run_states import LIVING, RESUMABLE
from .table_height import fit_height
from .words import duration, number, state_in_words, state_word

if TYPE_CHECKING:
    from GASNetLib.run.folder import RunState

    from .run_handle import RunHandle

LOOK_MS, READING_MS = 1000, 50
"""Between two looks; while a long history is being read they come sooner."""

STOP_PATIENCE_S = 600.0

LOOK_S = 0.02
"""How long a look at all trainings may keep Slicer's window from answering."""

ROWS_SHOWN = 8
"""More trainings are scrolled."""

COLUMNS = 5


class WatchSection:
    """Follows the trainings by their folders, on a timer.

    Attributes:
        runs: as listed. settled: whether all histories were read and shown at the last look.
    """

    def __init__(
        self, panel: TrainPanel, on_models: Callable[[], None], on_states: Callable[[], None]
    ) -> None:
        """
        Args:
            on_models: a training has a new model. on_states: one has begun or ended.
        """
        self._ended = EndedSection(panel, self._show_ended)
        self._curves = CurvesSection(panel, self.look)
        self._panel, self._ui = panel, panel.ui
        self._on_models, self._on_states = on_models, on_states
        self.runs: list[RunHandle] = []
        self.settled = False
        self._states: dict[str, RunState] = {}
        self._looked: dict[str, float] = {}
        self._notices = Notices()
        self._log = LogView(self._ui.logEdit)
        self._stopping: set[str] = set()
        self._previewed: tuple[str, int] = ("", 0)
        ui = self._ui
        ui.runsTable.setColumnCount(COLUMNS)
        headers = [_("Training"), _("State"), _("Iteration"), _("Best Dice"), _("Left")]
        ui.runsTable.setHorizontalHeaderLabels(headers)
        ui.runsTable.verticalHeader().setVisible(False)
        fits, rest = qt.QHeaderView.ResizeToContents, qt.QHeaderView.Stretch
        for column in range(COLUMNS):
            ui.runsTable.horizontalHeader().setSectionResizeMode(column, fits if column else rest)
        ui.previewLabel.setMinimumWidth(1)  # a picture must not keep the panel from becoming narrower
        ui.runsTable.connect("itemSelectionChanged()", self._chosen_changed)
        ui.stopButton.connect("clicked(bool)", self._stop)
        ui.endNowButton.connect("clicked(bool)", self._end_now)
        ui.resumeButton.connect("clicked(bool)", self._resume)
        ui.resumeLaterButton.connect("clicked(bool)", self._resume_later)
        ui.resumeOnCpuButton.connect("clicked(bool)", self._resume_on_cpu)
        ui.openRunButton.connect("clicked(bool)", self._open)
        self._timer = qt.QTimer()
        self._timer.setInterval(LOOK_MS)
        self._timer.connect("timeout()", self.look)

    def start(self) -> None:
        """Find the trainings again, running or ended, and follow them."""
        known = {run.path: run for run in self.runs}
        self.runs = [known.get(run.path, run) for run in self._panel.logic.runs()]
        self._fill_table()
        if self.chosen is None and self.runs:
            self._ui.runsTable.selectRow(0)
        self.look()
        self._timer.start()

    def close(self) -> None:
        """The panel goes away; the trainings go on."""
        self._timer.stop()
        self._curves.close()

    def drop_curves(self) -> None:
        """The scene closes."""
        self._curves.drop()

    def take(self, run: RunHandle) -> None:
        """Show a training that was just started or opened."""
        self.runs = [run, *(known for known in self.runs if known.path != run.path)]
        self._fill_table()
        self._ui.runsTable.selectRow(0)
        self.look()

    @property
    def chosen(self) -> RunHandle | None:
        """The training that is selected."""
        row = self._ui.runsTable.currentRow()
        return self.runs[row] if 0 <= row < len(self.runs) else None

    # --- looking ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """See how the trainings do, as many as there is time for; called by the timer."""
        end = time.monotonic() + LOOK_S
        with self._panel.problems_shown():
            reading = False
            for run in sorted(self.runs, key=self._looked_at):
                if time.monotonic() > end:
                    reading = True
                    break
                self._looked[str(run.path)] = time.monotonic()
                state = run.look(end - time.monotonic())
                if state is None:
                    reading = True
                elif state != self._states.get(str(run.path)):
                    self._state_changed(run, state)
            self.settled = not (self._show_chosen(end) or reading)
            self._timer.setInterval(LOOK_MS if self.settled else READING_MS)

    def _looked_at(self, run: RunHandle) -> float:
        """When; the one that is watched comes first."""
        return 0.0 if run is self.chosen else self._looked.get(str(run.path), 0.0)

    def _state_changed(self, run: RunHandle, state: RunState) -> None:
        before = self._states.get(str(run.path))
        self._states[str(run.path)] = state
        self._show_row(self.runs.index(run), run.name, state)
        for notice in self._notices.of(run):
            self._tell(run, notice)
        if state.state == "interrupted" and before is not None and before.state in LIVING:
            self._tell(run, state.cause)  # of which the training itself could not tell
        self._ended.state_changed(run, before, state)
        if run is not self.chosen and state.state not in LIVING:
            run.let_go_of_events()
        if before is None or before.model != state.model or before.state != state.state:
            self._on_models()
        if before is None or before.state != state.state:
            self._on_states()

    def _tell(self, run: RunHandle, notice: str) -> None:
        text = f"{run.name}: {notice}"
        self._ui.noticeLabel.text = text
        slicer.util.showStatusMessage(text, 10000)

    def _show_ended(self, run: RunHandle) -> None:
        for section in (self._ui.cohortSection, self._ui.trainSection):
            section.collapsed = True  # so that the list of trainings lies on top
        self._ui.watchSection.collapsed = False
        self._ui.runsTable.selectRow(self.runs.index(run))

    # --- the one that is watched --------------------------------------------------------------------------

    def _chosen_changed(self) -> None:
        self._curves.let_axes_follow()
        for run in self.runs:
            if run is not self.chosen and run.last_state.state not in LIVING:
                run.let_go_of_events()
        self.look()

    def _show_chosen(self, end: float) -> bool:
        """Show state, log, preview and curves of the selected training; True while some is still to come.

        Args:
            end: when the look at all trainings should end.
        """
        run = self.chosen
        self._ui.watchFrame.visible = run is not None
        if run is None:
            return False
        state = self._states.get(str(run.path))
        if state is None:
            self._ui.stateLabel.text = _("Its history is being read…")
            return True
        ending = str(run.path) in self._stopping
        self._ui.stateLabel.text = state_in_words(state)
        self._ui.stopButton.enabled = state.state in LIVING and not ending
        self._ui.endNowButton.visible = state.state in LIVING and ending
        self._ui.resumeButton.enabled = state.state in RESUMABLE
        self._ui.resumeLaterButton.enabled = state.state in RESUMABLE
        self._ui.resumeLaterButton.visible = any(s.state in LIVING for s in self._states.values())
        share = state.iteration / state.iterations if state.iterations else 0
        self._ui.runProgress.value = round(100 * share)
        self._show_preview(run)
        events, complete = run.events_so_far(end - time.monotonic())
        self._ui.resumeOnCpuButton.visible = state.state in RESUMABLE and run.on_gpu
        self._log.show(run, state, events, complete)
        all_drawn = self._curves.show(run.name, events)
        return not (complete and all_drawn)

    def _show_preview(self, run: RunHandle) -> None:
        previews = run.previews()
        path = str(previews[-1]) if previews else ""
        self._ui.previewLabel.visible = bool(path)
        width = self._ui.logEdit.width
        if not path or self._previewed == (path, width):
            return
        self._ui.previewLabel.toolTip = path
        picture = qt.QPixmap(path)
        if picture.isNull():
            return  # it is still being written
        self._previewed = (path, width)
        self._ui.previewLabel.setPixmap(picture.scaledToWidth(width, qt.Qt.SmoothTransformation))

    # --- acting -------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        self._end(STOP_PATIENCE_S)

    def _end_now(self) -> None:
        self._end(0.0)

    def _end(self, patience: float) -> None:
        run = self.chosen
        self._panel.clear_problem()
        with self._panel.problems_shown():
            task = run.begin_stop(patience)
            self._stopping.add(str(run.path))
            self._panel.follow(task, lambda how: None, lambda: self._stopping.discard(str(run.path)))
        self.look()

    def _resume(self) -> None:
        self._go_on()

    def _resume_later(self) -> None:
        self._go_on(queued=True)

    def _resume_on_cpu(self) -> None:
        self._go_on(device="cpu")

    def _go_on(self, queued: bool = False, device: str = "") -> None:
        self._panel.clear_problem()
        with self._panel.problems_shown():
            self.chosen.resume(self._panel.logic.working() if queued else (), device)
        self.look()

    def _open(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self._ui.runsTable, _("Folder of a training"))
        if folder:
            self._panel.clear_problem()
            with self._panel.problems_shown():
                self.take(self._panel.logic.openRun(folder))

    def _fill_table(self) -> None:
        table = self._ui.runsTable
        table.setRowCount(len(self.runs))
        for row, run in enumerate(self.runs):
            for column in range(COLUMNS):
                item = qt.QTableWidgetItem("")
                item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                item.setToolTip(str(run.path))
                table.setItem(row, column, item)
            state = self._states.get(str(run.path))  # to tell it as news would read its history again
            if state is not None:
                self._show_row(row, run.name, state)
        fit_height(table, ROWS_SHOWN)

    def _show_row(self, row: int, name: str, state: RunState) -> None:
        reached = f"{state.iteration} / {state.iterations}" if state.iterations else "–"
        best, left = number(state.best_dice), duration(state.seconds_left)
        for column, text in enumerate((name, state_word(state.state), reached, best, left)):
            self._ui.runsTable.item(row, column).setText(text)
