"""Dialogs without a person: what would be shown is recorded, what must be answered has an answer in advance.

    host.dialogs.answer("Replace the lesions", "Yes")       # the next dialog with this text gets "Yes"
    host.dialogs.answer("model folder", "/some/folder")     # a file dialog
    host.dialogs.answer("Options", lambda dialog: ...)      # any QDialog: click in it, return 1 or 0
    assert "out of memory" in host.dialogs.take("error").text

A question that nobody announced, and an error message that the test never looked at, fail the test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6 import QtWidgets

from . import faults
from .pythonqt import SPECIAL_METHODS, SPECIAL_STATIC, enum_value, unwrap, wrap

Buttons = QtWidgets.QMessageBox.StandardButton


@dataclass(frozen=True)
class Dialog:
    """One dialog that a person would have seen."""

    kind: str
    """error, warning, information, question, message, file, input, dialog or delay"""
    title: str
    text: str
    details: str = ""
    answer: Any = None


class Dialogs:
    """The dialogs of one test."""

    def __init__(self):
        self.shown: list[Dialog] = []
        self._taken: set[int] = set()
        self._answers: list[tuple[str, Any]] = []

    def answer(self, text: str, answer: Any) -> None:
        """Answer the next dialog whose title or text contains `text`."""
        self._answers.append((text, answer))

    def take(self, kind: str = "", text: str = "") -> Dialog:
        """Return the oldest dialog of this kind and text that was not taken yet."""
        for number, dialog in enumerate(self.shown):
            if number not in self._taken and kind in ("", dialog.kind) and text in dialog.text:
                self._taken.add(number)
                return dialog
        raise AssertionError(f"No {kind or 'dialog'} with '{text}' was shown; shown were {self.shown}")

    def untaken(self, *kinds: str) -> list[Dialog]:
        return [
            dialog
            for number, dialog in enumerate(self.shown)
            if number not in self._taken and dialog.kind in kinds
        ]

    def unused_answers(self) -> list[tuple[str, Any]]:
        return list(self._answers)

    def ask(self, dialog: Dialog, otherwise: Any, needs_answer: bool = True) -> Any:
        """Record a dialog and return its answer; a fault where it needed one and had none."""
        for entry in self._answers:
            if entry[0] in dialog.text or entry[0] in dialog.title:
                self._answers.remove(entry)
                self.shown.append(Dialog(dialog.kind, dialog.title, dialog.text, dialog.details, entry[1]))
                self._taken.add(len(self.shown) - 1)
                return entry[1]
        self.shown.append(dialog)
        if needs_answer:
            faults.report(f"A dialog waits for an answer that the test did not give: {dialog}")
        return otherwise


_current = Dialogs()


def begin() -> Dialogs:
    """Start a test with no dialogs."""
    global _current
    _current = Dialogs()
    return _current


def current() -> Dialogs:
    return _current


# --- message boxes -------------------------------------------------------------------------------------

_KINDS = {
    QtWidgets.QMessageBox.Icon.Critical: "error",
    QtWidgets.QMessageBox.Icon.Warning: "warning",
    QtWidgets.QMessageBox.Icon.Information: "information",
    QtWidgets.QMessageBox.Icon.Question: "question",
}


def _button(name: Any, buttons: Buttons) -> int:
    """Return the value of a standard button named "Yes", "No" … that is among `buttons`."""
    value = Buttons[name] if isinstance(name, str) else Buttons(int(name))
    if not value & buttons:
        raise ValueError(f"The message box has no button {name}")
    return int(value)


def _message(kind: str, title: str, text: str, details: str, buttons: Buttons) -> int:
    one_button = bin(int(buttons)).count("1") <= 1
    escape = next(
        (button for button in (Buttons.Cancel, Buttons.No, Buttons.Close) if button & buttons), None
    )
    otherwise = buttons if one_button else escape or Buttons.NoButton
    dialog = Dialog(kind, title.strip(), text, details)
    answer = current().ask(dialog, otherwise, needs_answer=not one_button)
    return _button(answer, buttons or Buttons.Ok) if answer is not otherwise else int(otherwise or Buttons.Ok)


def _run_message_box(box: QtWidgets.QMessageBox) -> int:
    details = QtWidgets.QMessageBox.ButtonRole.ActionRole if box.detailedText() else None
    custom = [
        button
        for button in box.buttons()
        if box.standardButton(button) == Buttons.NoButton and box.buttonRole(button) != details
    ]
    if not custom:
        buttons = box.standardButtons()
        return _message(
            _KINDS.get(box.icon(), "message"), box.windowTitle(), box.text(), box.detailedText(), buttons
        )
    answer = current().ask(
        Dialog(_KINDS.get(box.icon(), "message"), box.windowTitle().strip(), box.text(), box.detailedText()),
        None,
    )
    chosen = next((button for button in box.buttons() if button.text() == answer), None)
    if chosen is not None:
        chosen.click()
    return box.result()


def _static_message(kind: str) -> Callable:
    def show(*args):
        _parent, title, text, *rest = args
        buttons = (
            Buttons(int(rest[0]))
            if rest
            else (Buttons.Yes | Buttons.No if kind == "question" else Buttons.Ok)
        )
        return enum_value(Buttons(_message(kind, title, text, "", buttons)))

    return show


# --- other dialogs -------------------------------------------------------------------------------------


def _run_dialog(dialog: QtWidgets.QDialog) -> int:
    text = "\n".join(label.text() for label in dialog.findChildren(QtWidgets.QLabel))
    answer = current().ask(Dialog("dialog", dialog.windowTitle(), text), 0)
    if callable(answer):
        dialog.show()
        result = answer(wrap(dialog))
        result = dialog.result() if result is None else int(result)
        dialog.hide()
        return result
    return {"Accepted": 1, "Rejected": 0}.get(answer, answer)


def _file_dialog(title_position: int, empty: Any) -> Callable:
    def show(*args):
        title = args[title_position] if len(args) > title_position else ""
        return current().ask(Dialog("file", title, title), empty)

    return show


def _input(empty: Any) -> Callable:
    def show(*args):
        answer = current().ask(Dialog("input", args[1], args[2]), None)
        return empty if answer is None else answer

    return show


def _open_url(url) -> bool:
    current().ask(Dialog("open", "", unwrap(url).toString()), True, needs_answer=False)
    return True


def _run_menu(menu: QtWidgets.QMenu, *position) -> Any:
    """A menu is answered by the text of the action to choose."""
    answer = current().ask(
        Dialog("menu", menu.title(), "\n".join(action.text() for action in menu.actions())), None
    )
    chosen = next((action for action in menu.actions() if action.text() == answer), None)
    if chosen is not None:
        chosen.trigger()
    return chosen


def _refuse_event_loop(*_) -> None:
    raise RuntimeError("A second event loop would never end in the test host")


SPECIAL_METHODS.update(
    {
        ("QMessageBox", "exec"): _run_message_box,
        ("QDialog", "exec"): _run_dialog,
        ("QMenu", "exec"): _run_menu,
        ("QCoreApplication", "exec"): _refuse_event_loop,
    }
)
SPECIAL_STATIC.update(
    {
        ("QMessageBox", kind if kind != "error" else "critical"): _static_message(kind)
        for kind in ("question", "information", "warning", "error")
    }
)
SPECIAL_STATIC.update(
    {
        ("QFileDialog", "getOpenFileName"): _file_dialog(1, ""),
        ("QFileDialog", "getSaveFileName"): _file_dialog(1, ""),
        ("QFileDialog", "getExistingDirectory"): _file_dialog(1, ""),
        ("QFileDialog", "getOpenFileNames"): _file_dialog(1, ()),
        ("QInputDialog", "getText"): _input(""),
        ("QInputDialog", "getItem"): _input(""),
        ("QInputDialog", "getInt"): _input(0),
        ("QDesktopServices", "openUrl"): _open_url,
    }
)
