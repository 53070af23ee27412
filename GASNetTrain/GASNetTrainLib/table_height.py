"""Tables as high as their rows, so that the panel is scrolled and not each table within it."""

from __future__ import annotations

import qt


def fit_height(table, most_rows: int) -> None:
    """Give a QTableWidget the height of its rows, of at most so many; more are scrolled."""
    parts = [table.rowHeight(row) for row in range(min(table.rowCount, most_rows))]
    parts.append(table.horizontalHeader().sizeHint.height())
    if table.horizontalScrollBarPolicy != qt.Qt.ScrollBarAlwaysOff:
        parts.append(table.horizontalScrollBar().sizeHint.height())
    table.setFixedHeight(sum(parts) + 2 * table.frameWidth)
