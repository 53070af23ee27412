"""What went wrong in a place where Slicer would only print it: slots, observers, connections.

Slicer swallows an exception in a slot; a test that went on would prove nothing. Each fault is kept here, and
the `host` fixture fails the test that has one.
"""

from __future__ import annotations

import sys
import traceback

_faults: list[str] = []


def report(text: str) -> None:
    """Keep one fault and show it at once."""
    _faults.append(text)
    print(text, file=sys.stderr)


def report_exception(where: str) -> None:
    """Keep the exception that is being handled, with its traceback."""
    report(f"Exception in {where}:\n{traceback.format_exc()}")


def take() -> list[str]:
    """Return the faults so far and forget them."""
    taken = list(_faults)
    _faults.clear()
    return taken
