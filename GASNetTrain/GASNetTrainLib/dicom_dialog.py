"""The dialog that lists the CT series of Slicer's DICOM database, to choose from."""

from __future__ import annotations

from collections.abc import Sequence

import qt
from slicer.i18n import tr as _

from .dicom_database import StoredSeries


def choose_series(parent, series: Sequence[StoredSeries], role_title: str) -> list[StoredSeries]:
    """Let the person choose; empty when the dialog is cancelled.

    Args:
        role_title: what the chosen ones will be, as people call it.
    """
    dialog = qt.QDialog(parent)
    dialog.setWindowTitle(_("CTs of the DICOM database"))
    dialog.resize(760, 480)
    layout = qt.QVBoxLayout(dialog)
    about = qt.QLabel(
        _("The CTs that you select are added as “{role}”. Several: with Ctrl or Shift.").format(
            role=role_title
        )
    )
    layout.addWidget(about)
    narrow = qt.QLineEdit()
    narrow.setPlaceholderText(_("Show only what contains this text"))
    layout.addWidget(narrow)
    tree = _tree(series)
    layout.addWidget(tree)
    buttons = qt.QDialogButtonBox(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
    buttons.connect("accepted()", dialog.accept)
    buttons.connect("rejected()", dialog.reject)
    layout.addWidget(buttons)
    narrow.connect("textChanged(QString)", lambda text: _narrow(tree, text))
    tree.connect("itemDoubleClicked(QTreeWidgetItem*,int)", lambda item, column: dialog.accept())
    if dialog.exec_() != qt.QDialog.Accepted:
        return []
    items = [tree.topLevelItem(row) for row in range(len(series))]
    return [one for one, item in zip(series, items, strict=True) if item.isSelected() and not item.isHidden()]


def _tree(series: Sequence[StoredSeries]) -> qt.QTreeWidget:
    tree = qt.QTreeWidget()
    tree.setHeaderLabels([_("Patient"), _("Study"), _("Series"), _("Images")])
    tree.setRootIsDecorated(False)
    tree.setAlternatingRowColors(True)
    tree.setSelectionMode(qt.QAbstractItemView.ExtendedSelection)
    for one in series:
        item = qt.QTreeWidgetItem()
        for column, text in enumerate((one.patient, one.study, one.description, one.images)):
            item.setText(column, text)
        tree.addTopLevelItem(item)
    for column in range(4):
        tree.resizeColumnToContents(column)
    return tree


def _narrow(tree, text: str) -> None:
    wanted = text.lower()
    for row in range(tree.topLevelItemCount):
        item = tree.topLevelItem(row)
        told = " ".join(item.text(column) for column in range(4)).lower()
        item.setHidden(wanted not in told)
