"""The figures of a result as rows of text: for the table, the clipboard and the CSV file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from slicer.i18n import tr as _

from GASNetLib.atomic import write_atomically
from GASNetLib.quantify import Quantities


def headers() -> list[str]:
    """Of the table of both lungs."""
    return ["", _("Lesion ml"), _("Lung ml"), _("% of lung")]


def foci_headers() -> list[str]:
    """Of the table of foci."""
    return [_("Focus"), _("ml"), _("Lung"), _("Mean HU")]


def rows(quantities: Quantities) -> list[list[str]]:
    """A row for both lungs, one for the right and one for the left."""
    parts = [
        (_("Both lungs"), quantities),
        (_("Right lung"), quantities.right),
        (_("Left lung"), quantities.left),
    ]
    return [
        [name, _number(part.lesion_ml), _number(part.lung_ml, 0), _number(part.lesion_percent)]
        for name, part in parts
    ]


def foci_rows(quantities: Quantities) -> list[list[str]]:
    """A row for each focus, largest first."""
    sides = {"right": _("right"), "left": _("left")}
    return [
        [str(number), _number(focus.volume_ml), sides[focus.side], _number(focus.mean_hu, 0)]
        for number, focus in enumerate(quantities.foci, 1)
    ]


def density(quantities: Quantities) -> str:
    """Number of foci and density in one line; grey levels of 0–255 images are no density."""
    if quantities.hu.mean is None:
        return _("{number} foci").format(number=quantities.components)
    mean, sd = _number(quantities.hu.mean, 0), _number(quantities.hu.sd, 0)
    return _("{number} foci, mean density {mean} HU (SD {sd})").format(
        number=quantities.components, mean=mean, sd=sd
    )


def as_text(quantities: Quantities) -> str:
    """Both tables with tabs, as spreadsheets and word processors take them."""
    lines = [headers(), *rows(quantities), [density(quantities)], foci_headers(), *foci_rows(quantities)]
    return "\n".join("\t".join(line) for line in lines) + "\n"


def write_csv(path: Path, quantities: Quantities, provenance: dict) -> None:
    """Write both tables and where the result comes from.

    Raises:
        ResourceError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([headers(), *rows(quantities), [], foci_headers(), *foci_rows(quantities), []])
    writer.writerows([key, value] for key, value in provenance.items())
    write_atomically(path, text.getvalue().encode("utf-8-sig"))


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
