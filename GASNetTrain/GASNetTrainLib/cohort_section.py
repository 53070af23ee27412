"""The section *Cohort*: cases with their roles, filled from many places, checked in the background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from GASNetLib.cohort import ROLES, Cohort

from .cohort_table import REFUSED, CohortTable
from .cohort_tree import CohortTree
from .cohort_words import KEYS, lacking_in_words, role_title
from .dicom_database import add_series, stored_ct_series
from .dicom_dialog import choose_series
from .panel import TrainPanel
from .scene_cases import add_scene_case
from .task import Task


class CohortSection:
    """The table, what fills it, and the check."""

    def __init__(self, panel: TrainPanel, on_changed: Callable[[], None]) -> None:
        self._panel, self._ui, self._on_changed = panel, panel.ui, on_changed
        self.cohort = panel.logic.lastCohort()
        self._task: Task | None = None
        self._checked: Cohort | None = None
        self._installed = True
        ui = self._ui
        self._tree = CohortTree(ui.cohortTree, self.take_roles)
        for role in ROLES:
            ui.addRoleBox.addItem(role_title(role))
        ui.addRoleBox.currentIndex = ROLES.index("diseased")
        self._add_actions()
        for button, function in {
            ui.addSamplesButton: self._add_samples,
            ui.addFolderButton: self._add_folder,
            ui.addFilesButton: self._add_files,
            ui.addDicomButton: self._add_from_dicom,
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
        self._update()

    @property
    def _role_to_add(self) -> str:
        return ROLES[self._ui.addRoleBox.currentIndex]

    # --- filling ------------------------------------------------------------------------------------------

    def _add_samples(self) -> None:
        self._attempt(lambda: self._say_added(self.cohort.add_samples(self._panel.logic.case_folder)))

    def _add_folder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(
            self._ui.cohortTree,
            _("Folder with CTs (NIfTI, NRRD, DICOM), perhaps sorted into folders by role"),
        )
        if folder:
            self._attempt(lambda: self._say_added(self._add_path(folder)))

    def _add_files(self) -> None:
        files = qt.QFileDialog.getOpenFileNames(self._ui.cohortTree, _("CTs, or tables of cases (CSV)"))
        if files:
            self._attempt(lambda: self._say_added(sum(self._add_path(path) for path in files)))

    def _add_path(self, path: str) -> int:
        return self.cohort.add_path(path, self._role_to_add)

    def _add_from_scene(self) -> None:
        node, role = self._ui.sceneVolumeSelector.currentNode(), self._role_to_add
        folder = self._panel.logic.case_folder
        self._attempt(lambda: self._say_added(add_scene_case(self.cohort, node, role, folder)))

    def _add_from_dicom(self) -> None:
        self._attempt(self._choose_from_dicom)

    def _choose_from_dicom(self) -> None:
        role = self._role_to_add
        series = stored_ct_series(getattr(slicer, "dicomDatabase", None))
        chosen = choose_series(self._ui.cohortTree, series, role_title(role))
        if chosen:
            self._say_added(add_series(self.cohort, chosen, role))

    def _say_added(self, new: int) -> None:
        slicer.util.showStatusMessage(_("New cases: {new}").format(new=new), 5000)

    # --- changing -----------------------------------------------------------------------------------------

    def _add_actions(self) -> None:
        """Menu and keys of the table: roles for all selected rows, mask, remove."""
        self._ui.cohortTree.setContextMenuPolicy(qt.Qt.ActionsContextMenu)
        for role in ROLES:
            self._add_action(
                _("Role: {role}").format(role=role_title(role)),
                KEYS[role],
                lambda role=role: self.set_role(role),
            )
        self._add_action(_("Lesion mask…"), "M", self._choose_mask)
        self._add_action(_("Take out"), "Del", self._remove)

    def _add_action(self, text: str, key: str, function: Callable[[], None]) -> None:
        action = qt.QAction(text, self._ui.cohortTree)
        action.setShortcut(qt.QKeySequence(key))
        action.setShortcutContext(qt.Qt.WidgetShortcut)
        action.connect("triggered()", function)
        self._ui.cohortTree.addAction(action)

    @property
    def selected(self) -> list[str]:
        """Names of the selected cases."""
        return self._tree.selected

    def set_role(self, role: str) -> None:
        """Give the selected cases a role."""
        names = self.selected
        self._attempt(lambda: self.cohort.set_role(names, role))

    def take_roles(self, roles: dict[str, str]) -> None:
        """Give cases the roles of the groups that they were dragged to."""

        def change() -> None:
            for role in set(roles.values()):
                self.cohort.set_role([name for name, own in roles.items() if own == role], role)

        self._attempt(change)

    def _choose_mask(self) -> None:
        names = self.selected
        if len(names) != 1:
            return
        file = qt.QFileDialog.getOpenFileName(
            self._ui.cohortTree, _("Lesion mask of {case}").format(case=names[0])
        )
        if file:
            self._attempt(lambda: self.cohort.set_mask(names[0], file))

    def _remove(self) -> None:
        names = self.selected
        self._attempt(lambda: self.cohort.remove(names))

    # --- file ---------------------------------------------------------------------------------------------

    def _new(self) -> None:
        self._attempt(lambda: self._take(self._panel.logic.newCohort()))

    def _open(self) -> None:
        file = qt.QFileDialog.getOpenFileName(self._ui.cohortTree, _("Open a cohort"), "", "CSV (*.csv)")
        if file:
            self._attempt(lambda: self._take(self._panel.logic.newCohort(file)))

    def _take(self, cohort: CohortTable) -> None:
        self._cancel()
        self.cohort = cohort

    def _save(self) -> None:
        file = qt.QFileDialog.getSaveFileName(
            self._ui.cohortTree, _("Save the cohort"), "cohort.csv", "CSV (*.csv)"
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
        self._update()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    # --- show ---------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Show the cohort as it is."""
        self._tree.show(self.cohort)
        self._update()

    def _update(self) -> None:
        """Show what can be done with it; hundreds of rows would take long for that."""
        self._ui.cohortLabel.text = self._in_words()
        self._ui.checkButton.enabled = self._installed and bool(len(self.cohort)) and not self.checking
        for widget in (self._ui.checkCancelButton, self._ui.checkProgress, self._ui.checkLabel):
            widget.visible = self.checking
        self._on_changed()

    def _in_words(self) -> str:
        totals = "; ".join(f"{role_title(role)} ({n})" for role, n in self.cohort.totals().items())
        refused = sum(row.status == REFUSED for row in self.cohort)
        said = [_("Usable: {totals}.").format(totals=totals)]
        if refused:
            said.append(_("Refused: {refused}; they are left out.").format(refused=refused))
        said.append(lacking_in_words(self.cohort.lacking()))
        return "\n".join(filter(None, said))

    def _attempt(self, change: Callable[[], None]) -> None:
        self._panel.clear_problem()
        with self._panel.problems_shown():
            change()
            self._panel.logic.keepCohort(self.cohort)
        self.show()
