"""What the widget tests ask of a Slicer session, done by the real one that they run in.

It has the surface of :class:`host.session.Host`, so that a test does not know where it runs. Modules are
those that Slicer was started with (``--additional-module-paths``); each test gets them loaded anew, in an
empty scene.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer

ELSEWHERE = "Data"
"""A module to go to when a test leaves its own."""

SETTINGS = "GASNet/"
LOOK_MS = 50


Answer = str | tuple[str, ...] | Callable[[Any], Any]


class Dialogs:
    """Answers the modal dialogs of one test, as a person would: by their buttons."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._answers: list[tuple[str, Answer]] = []
        self._timer = qt.QTimer()
        self._timer.setInterval(LOOK_MS)
        self._timer.connect("timeout()", self._look)
        self._timer.start()

    def answer(self, text: str, answer: Answer) -> None:
        """Answer the next dialog whose title or text contains `text`: a button's text, a path, several
        paths, or a function that is called with the dialog and returns whether it is accepted."""
        self._answers.append((text, answer))

    def unused_answers(self) -> list[tuple[str, Answer]]:
        return list(self._answers)

    def stop(self) -> None:
        self._timer.stop()

    def _look(self) -> None:
        dialog = slicer.app.activeModalWidget()
        if dialog is None:
            return
        text = dialog.windowTitle + (dialog.text if dialog.inherits("QMessageBox") else "")
        for entry in self._answers:
            if entry[0] in text:
                self._answers.remove(entry)
                self._give(dialog, entry[1])
                return
        self._report(f"A dialog waits for an answer that the test did not give: {text}")
        dialog.reject()

    def _give(self, dialog: Any, answer: Answer) -> None:
        if callable(answer):
            if answer(dialog):
                dialog.accept()
            else:
                dialog.reject()
            return
        if dialog.inherits("QFileDialog"):
            name = slicer.util.findChild(dialog, "fileNameEdit")  # where several are typed in quotes
            name.text = answer if isinstance(answer, str) else " ".join(f'"{path}"' for path in answer)
            dialog.accept()
            return
        buttons = slicer.util.findChildren(dialog, className="QPushButton")
        found = [button for button in buttons if button.text.replace("&", "").lower() == answer.lower()]
        if not found:
            self._report(f"The dialog has no button {answer}")
            dialog.reject()
            return
        found[0].click()


class RealSlicer:
    """One test's session in the Slicer that is running."""

    def __init__(self) -> None:
        self._faults: list[str] = []
        self._hook, sys.excepthook = sys.excepthook, self._slot_failed
        self._settings = self._kept_settings()
        self._forget_settings()  # a person's trainings are none of a test's
        slicer.mrmlScene.Clear(0)
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.dialogs = Dialogs(self._faults.append)

    def _slot_failed(self, kind: type, value: BaseException, trace: Any) -> None:
        """PythonQt and VTK hand the exceptions of slots and observers to sys.excepthook."""
        self._faults.append("".join(traceback.format_exception(kind, value, trace)))

    @staticmethod
    def _kept_settings() -> dict[str, Any]:
        settings = qt.QSettings()
        return {key: settings.value(key) for key in settings.allKeys() if key.startswith(SETTINGS)}

    def _forget_settings(self) -> None:
        for key in self._kept_settings():
            qt.QSettings().remove(key)

    def close(self) -> list[str]:
        """Leave the module, empty the scene, give a person's settings back; return what went wrong."""
        self.leave_module()
        slicer.mrmlScene.Clear(0)
        self.process_events()
        self.dialogs.stop()
        sys.excepthook = self._hook
        self._forget_settings()
        for key, value in self._settings.items():
            qt.QSettings().setValue(key, value)
        return self._faults + [f"No dialog came for the answer {a}" for a in self.dialogs.unused_answers()]

    def load_module(self, path: Path) -> Any:
        """Load a module's file anew."""
        slicer.util.selectModule(path.stem)  # makes its widget
        self.leave_module()
        getattr(slicer.modules, path.stem + "Widget").onReload()
        return slicer.util.getModule(path.stem)

    def startup_completed(self) -> None:
        """It was, when Slicer had started."""

    def click_sample(self, name: str) -> Any:
        """Click a picture in the Sample Data module."""
        import SampleData

        source = SampleData.SampleDataLogic().sourceForSampleName(name)
        return source.customDownloader(source)

    def open_module(self, name: str) -> Any:
        """Show a module; return its Python widget."""
        slicer.util.selectModule(name)
        self.process_events()
        return getattr(slicer.modules, name + "Widget")

    def leave_module(self) -> None:
        """Go to another module."""
        slicer.util.selectModule(ELSEWHERE)
        self.process_events()

    def process_events(self) -> None:
        for _ in range(3):
            slicer.app.processEvents()

    def wait_until(self, condition: Callable[[], Any], seconds: float = 30.0, what: str = "") -> Any:
        """Run the event loop until `condition()` is true and return its value."""
        deadline = time.monotonic() + seconds
        while True:
            slicer.app.processEvents()
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{what or 'The condition'} did not come true in {seconds} s; faults: {self._faults}"
                )
            time.sleep(0.005)

    def picture(self, widget: Any, path: Path, width: int = 480, height: int | None = None) -> Path:
        """Write a picture of a widget as it is."""
        widget.grab().save(str(path))
        return Path(path)

    def take_faults(self) -> list[str]:
        """Return the faults so far and forgive them (for tests of failures)."""
        taken = list(self._faults)
        self._faults.clear()
        return taken
