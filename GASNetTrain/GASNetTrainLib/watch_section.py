"""The section *Trainings*: all that are known, and one of them watched: state, curves, preview, log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from .curves import CHARTS, Curves
from .panel import TrainPanel
from .run_states import LIVING, RESUMABLE
from .words import duration, event_in_words, notice_of, number, state_in_words

if TYPE_CHECKING:
    from GASNetLib.run.folder import RunState

    from .run_handle import RunHandle

LOOK_MS = 1000
STOP_PATIENCE_S = 600.0


class WatchSection:
    """Follows the trainings by their folders, on a timer."""

    def __init__(self, panel: TrainPanel, on_models: Callable[[], None]) -> None:
        self._panel, self._ui, self._on_models = panel, panel.ui, on_models
        self.runs: list[RunHandle] = []
        self._states: dict[str, RunState] = {}
        self._curves: Curves | None = None
        self._layout_before: int | None = None
        self._told: dict[str, int] = {}
        self._logged: tuple[str, int] = ("", 0)
        self._stopping: set[str] = set()
        self._previewed: tuple[str, int] = ("", 0)
        ui = self._ui
        ui.runsTable.setColumnCount(5)
        headers = [_("Training"), _("State"), _("Iteration"), _("Best Dice"), _("Left")]
        ui.runsTable.setHorizontalHeaderLabels(headers)
        ui.runsTable.horizontalHeader().setStretchLastSection(True)
        ui.previewLabel.setMinimumWidth(1)  # a picture must not keep the panel from becoming narrower
        for name in CHARTS:
            ui.chartBox.addItem(name)
        ui.runsTable.connect("itemSelectionChanged()", self.show_chosen)
        ui.stopButton.connect("clicked(bool)", self._stop)
        ui.endNowButton.connect("clicked(bool)", self._end_now)
        ui.resumeButton.connect("clicked(bool)", self._resume)
        ui.openRunButton.connect("clicked(bool)", self._open)
        ui.curvesButton.connect("toggled(bool)", self._show_curves)
        ui.chartBox.connect("currentIndexChanged(int)", self._choose_chart)
        self._timer = qt.QTimer()
        self._timer.setInterval(LOOK_MS)
        self._timer.connect("timeout()", self.look)

    def start(self) -> None:
        """Find the trainings again, running or ended, and follow them."""
        known = {run.path: run for run in self.runs}
        self.runs = [known.get(run.path, run) for run in self._panel.logic.runs()]
        self._fill_table()
        self.look()
        if self.chosen is None and self.runs:
            self._ui.runsTable.selectRow(0)
        self._timer.start()

    def stop(self) -> None:
        """Look no more; the trainings go on."""
        self._timer.stop()
        self.drop_curves()

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

    @property
    def living(self) -> list[RunHandle]:
        """The trainings that have a process."""
        return [run for run in self.runs if run.state().state in LIVING]

    # --- looking ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """See how all trainings do; called by the timer."""
        with self._panel.problems_shown():
            for row, run in enumerate(self.runs):
                state = run.state()
                if state != self._states.get(str(run.path)):
                    self._state_changed(row, run, state)
            self.show_chosen()

    def _state_changed(self, row: int, run: RunHandle, state: RunState) -> None:
        before = self._states.get(str(run.path))
        self._states[str(run.path)] = state
        reached = f"{state.iteration} / {state.iterations}" if state.iterations else "–"
        texts = (run.name, state.state, reached, number(state.best_dice), duration(state.seconds_left))
        for column, text in enumerate(texts):
            self._ui.runsTable.item(row, column).setText(text)
        self._tell(run, known=before is not None)
        if before is None or before.model != state.model or before.state != state.state:
            self._on_models()

    def _tell(self, run: RunHandle, known: bool) -> None:
        """A notice about what has just happened; what is older than this session is no news."""
        events, told = run.events(), self._told.get(str(run.path), 0)
        self._told[str(run.path)] = len(events)
        notices = [notice_of(event) for event in events[told:]] if known else []
        for notice in filter(None, notices):
            text = f"{run.name}: {notice}"
            self._ui.noticeLabel.text = text
            slicer.util.showStatusMessage(text, 10000)

    # --- the one that is watched --------------------------------------------------------------------------

    def show_chosen(self) -> None:
        """Show state, log, preview and curves of the selected training."""
        run = self.chosen
        self._ui.watchFrame.visible = run is not None
        if run is None:
            return
        state = self._states.get(str(run.path)) or run.state()
        ending = str(run.path) in self._stopping
        self._ui.stateLabel.text = state_in_words(state)
        self._ui.stopButton.enabled = state.state in LIVING and not ending
        self._ui.endNowButton.visible = state.state in LIVING and ending
        self._ui.resumeButton.enabled = state.state in RESUMABLE
        share = state.iteration / state.iterations if state.iterations else 0
        self._ui.runProgress.value = round(100 * share)
        self._show_log(run, state)
        self._show_preview(run)
        if self._curves is not None:
            self._curves.show(run.name, run.events())

    def _show_log(self, run: RunHandle, state: RunState) -> None:
        events = run.events()
        shown, count = self._logged
        if shown == str(run.path) and count == len(events):
            return
        self._logged = (str(run.path), len(events))
        lines = [line for line in map(event_in_words, events) if line]
        if state.state in ("failed", "interrupted"):
            lines.append(run.log())
        self._ui.logEdit.setPlainText("\n".join(lines))
        self._ui.logEdit.moveCursor(qt.QTextCursor.End)

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

    # --- curves -------------------------------------------------------------------------------------------

    def _show_curves(self, shown: bool) -> None:
        manager = slicer.app.layoutManager()
        if not shown:
            if manager is not None and self._layout_before is not None:
                manager.setLayout(self._layout_before)
            self.drop_curves()
            return
        self._layout_before = manager.layout if manager is not None else None
        self._curves = Curves()
        self.show_chosen()
        self._choose_chart()

    def _choose_chart(self) -> None:
        if self._curves is None or slicer.app.layoutManager() is None:
            return
        chart = self._curves.charts[self._ui.chartBox.currentText]
        slicer.modules.plots.logic().ShowChartInLayout(chart)

    def drop_curves(self) -> None:
        """Take the curves out of the scene, which may be closing."""
        if self._curves is not None:
            self._curves.remove()
        self._curves = None
        self._ui.curvesButton.checked = False

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
        self._panel.clear_problem()
        with self._panel.problems_shown():
            self.chosen.resume()
        self.look()

    def _open(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self._ui.runsTable, _("Folder of a training"))
        if folder:
            self._panel.clear_problem()
            with self._panel.problems_shown():
                self.take(self._panel.logic.openRun(folder))

    def _fill_table(self) -> None:
        table = self._ui.runsTable
        self._states.clear()
        table.setRowCount(len(self.runs))
        for row, run in enumerate(self.runs):
            for column in range(5):
                item = qt.QTableWidgetItem("")
                item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                item.setToolTip(str(run.path))
                table.setItem(row, column, item)
