"""Progress on the terminal; results go to standard output and stay clean."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..threshold import checked_threshold


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error that takes a stage in words and the share done, 0 to 1."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda stage, share: bar.update(task, description=stage, completed=share)


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table on standard output; the first column is text, the others are numbers."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    # A pipe has no width: a table that goes to a file is not to be folded at 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def threshold(text: str) -> float:
    """Type of ``--threshold``."""
    try:
        return checked_threshold(float(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def number(value: float | None, digits: int = 1) -> str:
    """A number of a table; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"
