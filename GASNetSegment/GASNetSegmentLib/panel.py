"""What all sections of the panel share: widgets, logic, worker, parameters, and the place for bad news."""

from __future__ import annotations

import platform
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial

import qt
import slicer
from slicer.i18n import tr as _

from GASNetLib.errors import Cancelled, GASNetError, PackageError
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
        on_broken_package: called with the name of a package that the worker could not load.
    """

    def __init__(self, ui, logic, client: WorkerClient) -> None:
        self.ui = ui
        self.logic = logic
        self.client = client
        self.parameters = None
        self.on_broken_package: Callable[[str], None] = lambda package: None
        self._report = ""
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._poll)
        self._grown = None
        self._scroll_later = single_shot(LAID_OUT_MS, lambda: _bring_into_view(self._grown))
        for widget in vars(ui).values():
            if widget.inherits("ctkCollapsibleButton"):
                widget.connect("contentsCollapsed(bool)", partial(self._on_section, widget))
        ui.problemFrame.visible = False
        ui.copyReportButton.connect("clicked(bool)", self._copy_report)
        ui.dismissButton.connect("clicked(bool)", self.clear_problem)

    @property
    def segmentation(self):
        """The segmentation node that is shown, or None."""
        return self.parameters.segmentation if self.parameters else None

    def bring_into_view(self, widget) -> None:
        """Scroll to a widget that comes or grows now, once it has its size: on a small screen it would lie
        out of sight."""
        self._grown = widget
        self._scroll_later.start()

    def _on_section(self, section, collapsed: bool) -> None:
        if not collapsed:
            self.bring_into_view(section)

    # --- the worker ---------------------------------------------------------------------------------------

    def ask(self, request: Request, do: str, array=None, **parameters) -> int:
        """Ask the worker and follow its answers; exceptions of the callbacks are shown, not lost."""
        number = self.client.ask(self._guarded(request), do, array, **parameters)
        self._timer.start()
        return number

    def close(self) -> None:
        """End the worker; the panel goes away."""
        self._timer.stop()
        self._scroll_later.stop()
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

        def failed(error: GASNetError, details: str) -> None:
            if isinstance(error, PackageError):
                self.on_broken_package(error.package)
            request.failed(error, details)

        return Request(*(guarded(f) for f in (request.done, failed, request.cancelled, request.progress)))

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
        self.bring_into_view(self.ui.problemFrame)

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


def _bring_into_view(widget) -> None:
    """Scroll the panel so that all of a widget is seen, or its upper part where it is too high for that."""
    area = widget.parent()
    while area is not None and not area.inherits("QScrollArea"):
        area = area.parent()
    if area is None:
        return
    bar = area.verticalScrollBar()
    top = widget.mapTo(area.widget(), qt.QPoint(0, 0)).y()
    bottom = top + widget.height
    bar.value = min(top, max(bar.value, bottom - area.viewport().height))


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
