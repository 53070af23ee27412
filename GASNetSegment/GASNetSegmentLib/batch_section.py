"""The section *Many cases*: all loaded CTs or a folder, one after the other, in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from GASNetLib.errors import GASNetError, InputError
from GASNetLib.folder_run import TABLE_FILE, BatchReport, cases_in

from .ct_nodes import ct_array, geometry_of
from .panel import Panel, fill_table
from .restored import MADE_OF
from .worker_client import Request


@dataclass(frozen=True)
class Case:
    """One case of a batch: its name, and how it is asked of the worker."""

    name: str
    ask: Callable[[Request], int]
    row: Callable[[dict, Callable], list[str]]


class BatchSection:
    """Works off a list of cases; one that fails stops none of the others."""

    def __init__(self, panel: Panel, options: Callable[[], dict]) -> None:
        self._panel, self._ui, self._options = panel, panel.ui, options
        self._waiting: list[Case] = []
        self._rows: list[list[str]] = []
        self._number: int | None = None
        self._cases = 0
        self._installed = True
        self._ui.batchFolderButton.connect("clicked(bool)", self._start_folder)
        self._ui.batchLoadedButton.connect("clicked(bool)", self._start_loaded)
        self._ui.batchCancelButton.connect("clicked(bool)", self.cancel)

    def set_installed(self, installed: bool) -> None:
        """Tell whether what the engine needs is there."""
        self._installed = installed
        self._show_running(self._number is not None)

    def cancel(self) -> None:
        """Stop: what waits is dropped, what runs ends with its stage."""
        self._waiting.clear()
        if self._number is not None:
            self._panel.client.cancel(self._number)

    # --- what to do ---------------------------------------------------------------------------------------

    def _start_loaded(self) -> None:
        volumes = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            if node.GetClassName() == "vtkMRMLScalarVolumeNode"
            and not node.GetHideFromEditors()
            and not node.GetAttribute(MADE_OF)
        ]
        with self._panel.problems_shown():
            if not volumes:
                raise InputError(_("No CT is loaded."), _("Load CTs, or segment a folder."))
            self._start([self._loaded_case(node.GetID(), node.GetName()) for node in volumes])

    def _start_folder(self) -> None:
        with self._panel.problems_shown():
            if not self._ui.batchInputEdit.currentPath or not self._ui.batchOutputEdit.currentPath:
                raise InputError(_("A folder with CTs and a folder for the results are needed."))
            output = Path(self._ui.batchOutputEdit.currentPath)
            cases, faults = cases_in(self._ui.batchInputEdit.currentPath, [output])
            overwrite = self._ui.batchOverwriteBox.checked
            table = BatchReport(output / TABLE_FILE, overwrite)
            for fault in faults:
                table.put(fault)
            self._start([self._file_case(case, output, overwrite, table) for case in cases], faults)

    def _loaded_case(self, volume_id: str, name: str) -> Case:
        def ask(request: Request) -> int:
            volume = slicer.mrmlScene.GetNodeByID(volume_id)
            array, geometry = ct_array(volume), geometry_of(volume)
            return self._panel.ask(request, "segment", array, geometry=geometry, name=name, **self._options())

        def row(answer: dict, read) -> list[str]:
            volume = slicer.mrmlScene.GetNodeByID(volume_id)
            node = self._panel.logic.putResult(volume, None, read(answer["evidence"]), answer["provenance"])
            node.GetDisplayNode().SetVisibility(False)  # over another patient's CT it would mislead
            found = self._panel.logic.quantify(node)
            shares = (
                found.lesion_ml,
                found.lesion_percent,
                found.right.lesion_percent,
                found.left.lesion_percent,
            )
            return [
                name,
                *map(_number, shares),
                str(found.components),
                " ".join(answer["provenance"]["notes"]),
            ]

        return Case(name, ask, row)

    def _file_case(self, case, output: Path, overwrite: bool, table: BatchReport) -> Case:
        def ask(request: Request) -> int:
            where = {"ct": case.ct, "name": case.name, "output": output, "overwrite": overwrite}
            return self._panel.ask(request, "segment_file", **where, **self._options())

        def row(answer: dict, read) -> list[str]:
            report = table.put(answer["report"])
            if "error" in report:
                return _error_row(report["case"], report["error"])
            shares = [report["lesion_ml"], report["lesion_percent"]]
            shares += [report[side]["lesion_percent"] for side in ("right", "left")]
            return [case.name, *map(_number, shares), str(report["components"]), " ".join(report["notes"])]

        return Case(case.name, ask, row)

    # --- one after the other ------------------------------------------------------------------------------

    def _start(self, cases: list[Case], faults: Sequence[dict] = ()) -> None:
        """Work off the cases; the faults of their folder stand in the table first."""
        self._panel.clear_problem()
        self._waiting = list(cases)
        self._cases = len(cases)
        self._rows = [_error_row(fault["case"], fault["error"]) for fault in faults]
        self._show_rows()
        self._next()

    def _next(self) -> None:
        self._number = None
        if self._waiting:
            case = self._waiting.pop(0)
            self._say(case, _("Starting"))
            request = Request(
                lambda answer, read: self._finish(case, lambda: case.row(answer, read)),
                lambda error, details: self._finish(case, lambda: _error_row(case.name, str(error))),
                lambda: self._finish(case, lambda: _error_row(case.name, _("cancelled"))),
                lambda stage, share: self._say(case, stage),
            )
            try:
                self._number = case.ask(request)
            except GASNetError as error:
                reason = error
                self._finish(case, lambda: _error_row(case.name, str(reason)))
        self._show_running(self._number is not None)

    def _finish(self, case: Case, row: Callable[[], list[str]]) -> None:
        try:
            self._rows.append(row())
        except GASNetError as error:
            self._rows.append(_error_row(case.name, str(error)))
        self._show_rows()
        self._next()

    def _say(self, case: Case, stage: str) -> None:
        self._ui.batchLabel.text = _("Case {number} of {cases}, {name}: {stage}").format(
            number=self._cases - len(self._waiting), cases=self._cases, name=case.name, stage=stage
        )

    def _show_rows(self) -> None:
        headers = [
            _("Case"),
            _("Lesion ml"),
            _("% of lung"),
            _("Right %"),
            _("Left %"),
            _("Foci"),
            _("Remark"),
        ]
        fill_table(self._ui.batchTable, headers, self._rows)

    def _show_running(self, running: bool) -> None:
        for button in (self._ui.batchFolderButton, self._ui.batchLoadedButton):
            button.enabled = self._installed and not running
        self._ui.batchCancelButton.enabled = running
        if not running:
            self._ui.batchLabel.text = self._conclusion()

    def _conclusion(self) -> str:
        if not self._rows:
            return ""
        failed = sum(not row[1] for row in self._rows)
        return (
            _("{measured} measured, {failed} not: see the remarks.").format(
                measured=len(self._rows) - failed, failed=failed
            )
            if failed
            else _("{measured} measured.").format(measured=len(self._rows))
        )


def _error_row(name: str, why: str) -> list[str]:
    return [name, "", "", "", "", "", why]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
