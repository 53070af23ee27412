"""What the host changes in slicer-core's `slicer.util`, which is the desktop's own file.

All the rest is used as it is: its dialogs, loadUI, findChildren, arrays … run over the host's `qt` and `ctk`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from .dialogs import Dialog, Dialogs

_originals: dict[str, Any] = {}


def install(util: ModuleType, dialogs: Dialogs) -> None:
    """Replace what would wait, install packages or end the process."""

    def delay_display(message: str, autoCloseMsec: int = 1000, parent: Any = None, **options: Any) -> None:
        dialogs.ask(Dialog("delay", "", message), None, needs_answer=False)

    def refused(name: str) -> Any:
        def refuse(*args: Any, **options: Any) -> None:
            dialogs.ask(Dialog("forbidden", name, str(args)), None, needs_answer=False)
            raise RuntimeError(f"slicer.util.{name}{args}: the test host installs nothing and does not end")

        return refuse

    original_try = util.tryWithErrorDisplay

    @contextmanager
    def try_with_error_display(*args: Any, **options: Any) -> Iterator[None]:
        try:
            with original_try(*args, **options):
                yield
        except Exception as error:
            error.shown_in_dialog = True  # the error dialog speaks for it: `pythonqt.deliver` needn't
            raise

    replaced = {"delayDisplay": delay_display, "tryWithErrorDisplay": try_with_error_display}
    replaced |= {name: refused(name) for name in ("pip_install", "pip_uninstall", "restart", "exit", "quit")}
    for name, function in replaced.items():
        _originals.setdefault(name, getattr(util, name))
        setattr(util, name, function)


def remove(util: ModuleType) -> None:
    for name, function in _originals.items():
        setattr(util, name, function)
    _originals.clear()
