"""The section *Cohort*: cases with their roles, filled from many places, checked in the background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from GASNetLib.cohort import ROLES, Cohort

from .cohort_table import FLAGGED, REFUSED, CohortTable
from .panel import TrainPanel
from .scene_cases import add_scene_case
from .task import Task

CASE, STATUS = 0, 2
THUMBNAIL_PIXELS = 40
KEYS = {"labelled": "L", "diseased": "D", "healthy": "H", "validation": "V"}
COLOURS = {REFUSED: "#c0392b", FLAGGED: "#b9770e"}


class CohortSection:
    """The table, what fills it, and the check."""

    def __init__(self, panel: TrainPanel, on_changed: Callable[[], None]) -> None:
        self._panel, self._ui, self._on_changed = panel, panel.ui, on_changed
        self.cohort = panel.logic.newCohort()
        self._task: Task | None = None
        self._checked: Cohort | None = None
        self._installed = True
        ui = self._ui
        ui.cohortTable.setColumnCount(4)
        ui.cohortTable.setHorizontalHeaderLabels([_("Case"), _("Role"), _("Status"), _("Reason")])
        ui.cohortTable.setIconSize(qt.QSize(THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        ui.cohortTable.horizontalHeader().setStretchLastSection(True)
        for role in ROLES:
            ui.addRoleBox.addItem(role)
        ui.addRoleBox.currentIndex = ROLES.index("diseased")
        self._add_actions()
        for button, function in {
            ui.addSamplesButton: self._add_samples,
            ui.addFolderButton: self._add_folder,
            ui.addFilesButton: self._add_files,
            ui.addSceneButton: self._add_from_scene,
            ui.newCohortButton: self._new,
            ui.openCohortButton: self._open,
            ui.saveCohortButton: self._save,
            ui.checkButton: self._check,
            ui.checkCancelButton: self._cancel,
        }.items():
            button.connect("clicked(bool)", function)
        self.show()

    @property
    def checking(self) -> bool:
        """Whether a check is going on."""
        return self._task is not None

    def set_installed(self, installed: bool) -> None:
        """Tell whether what the engine needs is there."""
        self._installed = installed
        self.show()

    # --- filling ------------------------------------------------------------------------------------------

    def _add_samples(self) -> None:
        self._attempt(lambda: self._say_added(self.cohort.add_samples(self._panel.logic.case_folder)))

    def _add_folder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(
            self._ui.cohortTable,
            _("Folder with CTs (NIfTI, NRRD, DICOM), perhaps sorted into folders by role"),
        )
        if folder:
            self._attempt(
                lambda: self._say_added(self.cohort.add_path(folder, self._ui.addRoleBox.currentText))
            )

    def _add_files(self) -> None:
        files = qt.QFileDialog.getOpenFileNames(self._ui.cohortTable, _("CTs, or tables of cases (CSV)"))
        if files:
            self._attempt(lambda: self._say_added(sum(self._add_path(path) for path in files)))

    def _add_path(self, path: str) -> int:
        return self.cohort.add_path(path, self._ui.addRoleBox.currentText)

    def _add_from_scene(self) -> None:
        node, role = self._ui.sceneVolumeSelector.currentNode(), self._ui.addRoleBox.currentText
        folder = self._panel.logic.case_folder
        self._attempt(lambda: self._say_added(add_scene_case(self.cohort, node, role, folder)))

    def _say_added(self, new: int) -> None:
        slicer.util.showStatusMessage(_("{new} cases are new.").format(new=new), 5000)

    # --- changing -----------------------------------------------------------------------------------------

    def _add_actions(self) -> None:
        """Menu and keys of the table: roles for all selected rows, mask, remove."""
        self._ui.cohortTable.setContextMenuPolicy(qt.Qt.ActionsContextMenu)
        for role in ROLES:
            self._add_action(
                _("Role: {role}").format(role=role), KEYS[role], lambda role=role: self.set_role(role)
            )
        self._add_action(_("Lesion mask…"), "M", self._choose_mask)
        self._add_action(_("Take out"), "Del", self._remove)

    def _add_action(self, text: str, key: str, function: Callable[[], None]) -> None:
        action = qt.QAction(text, self._ui.cohortTable)
        action.setShortcut(qt.QKeySequence(key))
        action.setShortcutContext(qt.Qt.WidgetShortcut)
        action.connect("triggered()", function)
        self._ui.cohortTable.addAction(action)

    @property
    def selected(self) -> list[str]:
        """Names of the selected cases."""
        table = self._ui.cohortTable
        rows = sorted({item.row() for item in table.selectedItems()})
        return [self.cohort.rows[row].case.name for row in rows]

    def set_role(self, role: str) -> None:
        """Give the selected cases a role."""
        names = self.selected
        self._attempt(lambda: self.cohort.set_role(names, role))

    def _choose_mask(self) -> None:
        names = self.selected
        if len(names) != 1:
            return
        file = qt.QFileDialog.getOpenFileName(
            self._ui.cohortTable, _("Lesion mask of {case}").format(case=names[0])
        )
        if file:
            self._attempt(lambda: self.cohort.set_mask(names[0], file))

    def _remove(self) -> None:
        names = self.selected
        self._attempt(lambda: self.cohort.remove(names))

    # --- file ---------------------------------------------------------------------------------------------

    def _new(self) -> None:
        self._cancel()
        self.cohort = self._panel.logic.newCohort()
        self.show()

    def _open(self) -> None:
        file = qt.QFileDialog.getOpenFileName(self._ui.cohortTable, _("Open a cohort"), "", "CSV (*.csv)")
        if file:
            self._attempt(lambda: self._take(self._panel.logic.newCohort(file)))

    def _take(self, cohort: CohortTable) -> None:
        self._cancel()
        self.cohort = cohort

    def _save(self) -> None:
        file = qt.QFileDialog.getSaveFileName(
            self._ui.cohortTable, _("Save the cohort"), "cohort.csv", "CSV (*.csv)"
        )
        if file:
            self._attempt(lambda: self.cohort.save(Path(file).with_suffix(".csv")))

    # --- check --------------------------------------------------------------------------------------------

    def _check(self) -> None:
        self._attempt(self._begin_check)

    def _begin_check(self) -> None:
        self._checked = self.cohort.cohort
        task = self._panel.logic.beginCheck(self._checked)
        self._task = self._panel.follow(task, self._take_findings, self._check_ended, self._check_progress)

    def _check_progress(self, stage: str, share: float) -> None:
        self._ui.checkProgress.value = round(share * 100)
        self._ui.checkLabel.text = stage

    def _take_findings(self, findings: list[dict]) -> None:
        self.cohort.take_findings(self._checked, findings)
        self.show()

    def _check_ended(self) -> None:
        self._task = None
        self.show()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    # --- show ---------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Show the cohort as it is."""
        table = self._ui.cohortTable
        table.setRowCount(len(self.cohort))
        for position, row in enumerate(self.cohort):
            texts = (row.case.name, row.case.role, row.status, row.reason.replace("\n", " "))
            for column, text in enumerate(texts):
                table.setItem(position, column, _cell(text, row, column))
        table.resizeColumnsToContents()
        table.resizeRowsToContents()
        self._ui.cohortLabel.text = self._in_words()
        self._ui.checkButton.enabled = self._installed and bool(len(self.cohort)) and not self.checking
        for widget in (self._ui.checkCancelButton, self._ui.checkProgress, self._ui.checkLabel):
            widget.visible = self.checking
        self._on_changed()

    def _in_words(self) -> str:
        totals = ", ".join(f"{count} {role}" for role, count in self.cohort.totals().items())
        refused = sum(row.status == REFUSED for row in self.cohort)
        said = [_("Usable: {totals}.").format(totals=totals)]
        if refused:
            said.append(_("Refused: {refused}; they are left out.").format(refused=refused))
        return "\n".join([*said, *self.cohort.still_missing()])

    def _attempt(self, change: Callable[[], None]) -> None:
        self._panel.clear_problem()
        with self._panel.problems_shown():
            change()
        self.show()


def _cell(text: str, row, column: int) -> qt.QTableWidgetItem:
    item = qt.QTableWidgetItem(text)
    item.setToolTip(f"{row.case.ct}\n{row.reason}".strip())
    item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
    if column == STATUS and row.status in COLOURS:
        item.setForeground(qt.QBrush(qt.QColor(COLOURS[row.status])))
    if column == CASE and row.thumbnail is not None:
        item.setIcon(qt.QIcon(str(row.thumbnail)))
    return item
