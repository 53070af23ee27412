"""The cohort in a QTreeWidget, grouped by role: rows are dragged from one group to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager

import qt
from slicer.i18n import tr as _

from GASNetLib.cohort import ROLES

from .cohort_table import FLAGGED, REFUSED, Row
from .cohort_words import KEYS, role_purpose, role_title, status_word

CASE, STATUS, REASON = range(3)
THUMBNAIL_PIXELS = 40
COLOURS = {REFUSED: "#c0392b", FLAGGED: "#b9770e"}
CASE_WIDTH, STATUS_WIDTH, INDENTATION = 180, 92, 12


class CohortTree:
    """Shows rows below their roles, and tells of rows that were dragged to another role.

    Qt itself moves what is dragged. Python only looks afterwards where each row lies now: PythonQt does not
    let it take part in a drop.
    """

    def __init__(self, tree, on_dragged: Callable[[dict[str, str]], None]) -> None:
        """
        Args:
            on_dragged: called with the new role of each case that was dragged.
        """
        self._tree, self._on_dragged = tree, on_dragged
        self._shown: dict[str, str] = {}
        self._filling = False
        tree.setHeaderLabels([_("Case"), _("Status"), _("Reason")])
        tree.setIconSize(qt.QSize(THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        tree.setSelectionMode(qt.QAbstractItemView.ExtendedSelection)
        tree.setDragDropMode(qt.QAbstractItemView.InternalMove)
        tree.setIndentation(INDENTATION)
        tree.setColumnWidth(CASE, CASE_WIDTH)
        tree.setColumnWidth(STATUS, STATUS_WIDTH)
        root = tree.invisibleRootItem()
        root.setFlags(root.flags() & ~qt.Qt.ItemIsDropEnabled)  # a case lies in a role, never beside them
        self._groups = {role: self._group(role) for role in ROLES}
        self._after_drop = qt.QTimer()
        self._after_drop.setSingleShot(True)
        self._after_drop.setInterval(0)  # when Qt has finished the drop: the rows are replaced then
        self._after_drop.connect("timeout()", self._take_drop)
        tree.model().connect("rowsInserted(QModelIndex,int,int)", self._rows_inserted)

    @property
    def selected(self) -> list[str]:
        """Names of the selected cases, as shown from top to bottom."""
        return [name for name, item in self._items() if item.isSelected()]

    def show(self, rows: Iterable[Row]) -> None:
        """Show these rows; what was selected stays selected."""
        rows, selected = list(rows), set(self.selected)
        with self._fills():
            for role, group in self._groups.items():
                group.takeChildren()
                own = [row for row in rows if row.case.role == role]
                for row in own:
                    item = _item(row)
                    group.addChild(item)
                    item.setSelected(row.case.name in selected)
                title = f"{role_title(role)} ({len(own)})"
                hint = _("drag or press {key}").format(key=KEYS[role])
                group.setText(CASE, title if own else f"{title}: {hint}")
        self._shown = {row.case.name: row.case.role for row in rows}

    def _items(self) -> list[tuple[str, object]]:
        children = [
            group.child(position) for group in self._groups.values() for position in range(group.childCount())
        ]
        return [(str(item.data(CASE, qt.Qt.UserRole)), item) for item in children]

    def _group(self, role: str):
        group = qt.QTreeWidgetItem()
        group.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsDropEnabled)
        group.setToolTip(CASE, role_purpose(role))
        font = group.font(CASE)
        font.setBold(True)
        group.setFont(CASE, font)
        self._tree.addTopLevelItem(group)
        group.setFirstColumnSpanned(True)  # acts on rows of a tree only
        group.setExpanded(True)
        return group

    @contextmanager
    def _fills(self):
        self._filling = True
        try:
            yield
        finally:
            self._filling = False

    def _rows_inserted(self, *_arguments) -> None:
        if not self._filling:
            self._after_drop.start()

    def _take_drop(self) -> None:
        now = {
            str(group.child(position).data(CASE, qt.Qt.UserRole)): role
            for role, group in self._groups.items()
            for position in range(group.childCount())
        }
        dragged = {name: role for name, role in now.items() if self._shown.get(name) != role}
        self._on_dragged(dragged)
        for name, item in self._items():
            item.setSelected(name in dragged)  # for the next key or drag


def _item(row: Row):
    item = qt.QTreeWidgetItem()
    item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled | qt.Qt.ItemIsDragEnabled)
    item.setData(CASE, qt.Qt.UserRole, row.case.name)
    texts = (row.case.name, status_word(row.status), row.reason.replace("\n", " "))
    for column, text in enumerate(texts):
        item.setText(column, text)
        item.setToolTip(column, f"{row.case.ct}\n{row.reason}".strip())
    if row.status in COLOURS:
        item.setForeground(STATUS, qt.QBrush(qt.QColor(COLOURS[row.status])))
    if row.thumbnail is not None:
        item.setIcon(CASE, qt.QIcon(str(row.thumbnail)))
    return item
