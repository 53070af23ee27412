"""What all sections of the panel share: widgets, logic, worker, parameters, and the place for bad news."""

from __future__ import annotations

import platform
import traceback
from collections.abc import Callable
from contextlib import contextmanager

import qt
import slicer
from slicer.i18n import tr as _

from GASNetLib.errors import Cancelled, GASNetError
from GASNetLib.version import VERSION

from .worker_client import Request, WorkerClient

POLL_MS = 100
LAID_OUT_MS = 100
"""By then the views of a new layout have their size."""


class Panel:
    """The panel's shared parts.

    Attributes:
        ui: the widgets of the .ui file by name. logic: of the module. client: of the worker.
        parameters: the scene's parameter node, None while a scene closes.
    """

    def __init__(self, ui, logic, client: WorkerClient) -> None:
        self.ui = ui
        self.logic = logic
        self.client = client
        self.parameters = None
        self._report = ""
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._poll)
        ui.problemFrame.visible = False
        ui.copyReportButton.connect("clicked(bool)", self._copy_report)
        ui.dismissButton.connect("clicked(bool)", self.clear_problem)

    @property
    def segmentation(self):
        """The segmentation node that is shown, or None."""
        return self.parameters.segmentation if self.parameters else None

    # --- the worker ---------------------------------------------------------------------------------------

    def ask(self, request: Request, do: str, array=None, **parameters) -> int:
        """Ask the worker and follow its answers; exceptions of the callbacks are shown, not lost."""
        number = self.client.ask(self._guarded(request), do, array, **parameters)
        self._timer.start()
        return number

    def close(self) -> None:
        """End the worker; the panel goes away."""
        self._timer.stop()
        self.client.close()

    def _poll(self) -> None:
        self.client.poll()
        if not self.client.busy:
            self._timer.stop()

    def _guarded(self, request: Request) -> Request:
        def guarded(function: Callable) -> Callable:
            def call(*arguments) -> None:
                with self.problems_shown():
                    function(*arguments)

            return call

        return Request(
            *(guarded(f) for f in (request.done, request.failed, request.cancelled, request.progress))
        )

    # --- bad news -----------------------------------------------------------------------------------------

    @contextmanager
    def problems_shown(self):
        """Show what goes wrong inside, in words; nothing is swallowed, and nothing gets through."""
        try:
            yield
        except Cancelled:
            pass
        except GASNetError as error:
            self.show_problem(error, traceback.format_exc())
        except Exception as error:  # whatever it is, a person must not be left without a word
            unforeseen = GASNetError(
                _("Something went wrong that was not foreseen ({error}).").format(error=error),
                _("Copy the report and send it to the authors."),
            )
            self.show_problem(unforeseen, traceback.format_exc())

    def show_problem(self, error: GASNetError, details: str = "") -> None:
        """Show cause and advice on top of the panel, and keep a report to copy."""
        slicer_version = f"{slicer.app.majorVersion}.{slicer.app.minorVersion}"
        lines = [str(error), f"GASNet {VERSION}, Slicer {slicer_version}, {platform.platform()}", details]
        self._report = "\n\n".join(line for line in lines if line)
        self.ui.problemLabel.text = str(error)
        self.ui.problemFrame.visible = True

    def clear_problem(self) -> None:
        """Take the message away."""
        self.ui.problemFrame.visible = False
        self._report = ""

    def _copy_report(self) -> None:
        slicer.app.clipboard().setText(self._report)


def single_shot(milliseconds: int, function: Callable[[], None]):
    """A QTimer that calls a function once, so long after it was started last."""
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", function)
    return timer


def fill_table(table, headers: list[str], rows: list[list[str]]) -> None:
    """Fill a QTableWidget with texts."""
    table.setColumnCount(len(headers))
    table.setHorizontalHeaderLabels(headers)
    table.setRowCount(len(rows))
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            table.setItem(row, column, qt.QTableWidgetItem(text))
    table.horizontalHeader().setStretchLastSection(False)
    table.resizeColumnsToContents()
    # Resizing undoes it, and Qt stretches when it is set.
    table.horizontalHeader().setStretchLastSection(True)
