"""One picture of a case for a person to look at: three planes through the largest lesion and a projection."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .atomic import write_atomically
from .errors import InputError
from .patient_view import COLUMN, ROW, SLICE, PatientView, Plane, Projection
from .provenance import provenance
from .quantify import MINIMAL_FOCUS_ML, Quantities, Share, quantify

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .segment import Segmentation

LUNG_WINDOW = (-1350.0, 150.0)
"""HU from black to white: level −600, width 1500, the usual lung window."""

NOT_DIAGNOSTIC = "Research only, not for diagnostic use"
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".pdf", ".svg")

DPI = 100
WIDTH, HEIGHT = 1600, 1100  # pixels, as all lengths of the layout
EDGE, GAP, HEADER, SIDEBAR = 20, 14, 64, 300
BACKGROUND, TEXT, FAINT = "#0d0f12", "#f2f2f2", "#98a2ad"
LESION_COLOUR, LUNG_COLOUR, CROSSING_COLOUR = "#ff3b30", "#6fb1e0", "#ffcc00"
THICKNESS_MAP = "plasma"
LEGEND = ((LESION_COLOUR, "Lesion"), (LUNG_COLOUR, "Lung"), (CROSSING_COLOUR, "Planes"))
SCALE_BAR_MM = 50.0
NOTE_COLOUR, NOTE_CHARACTERS, MOST_NOTE_LINES = "#ffb454", 40, 12

# Radiological convention: the patient's right is on the left, anterior is up (axial) or left (sagittal),
# superior is up. Marks: at the left, the right, the top and the bottom of the picture.
PLANES = (
    ("Axial", SLICE, "RLAP"),
    ("Coronal", ROW, "RLSI"),
    ("Sagittal", COLUMN, "APSI"),
)
FRONT_MARKS = "RLSI"


def case_figure(segmentation: Segmentation, path: str | Path, name: str = "") -> Path:
    """Draw a case: axial, coronal and sagittal plane through the largest lesion, the lesions' thickness seen
    from the front over the mean of the chest, and the figures. Without lesions the planes cross a lung.

    Args:
        path: picture, 1600 pixels wide; ``.png``, ``.jpg``, ``.pdf`` or ``.svg``.
        name: of the case, for the title; default: the CT's.

    Returns:
        The path.

    Raises:
        InputError: another ending, or no lungs. ResourceError: the file cannot be written.
    """
    from matplotlib.figure import Figure  # not pyplot: the back end of the host program stays untouched

    path = Path(path)
    if path.suffix.lower() not in PICTURE_ENDINGS:
        raise InputError(f"{path.name} is no picture.", f"Use one of {', '.join(PICTURE_ENDINGS)}.")
    volume, lungs, lesions = segmentation.volume, segmentation.lungs, segmentation.lesions
    measured = quantify(volume.density, lesions, lungs.labels, volume.geometry, minimal_focus_ml=0.0)
    focus = measured.foci[0].centre if measured.foci else None
    view = PatientView(volume, lesions, lungs, focus)
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor=BACKGROUND)
    _text(figure, EDGE, HEIGHT - 40, name or volume.name or "Chest CT", size=19, weight="bold")
    _draw_pictures(figure, view, focus or _within_right_lung(view), measured)
    _draw_sidebar(figure, segmentation, measured)
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:].lower(), facecolor=BACKGROUND)
    write_atomically(path, content.getvalue())
    return path


def _within_right_lung(view: PatientView) -> tuple[float, float, float]:
    """A point to look through where there is no lesion: half way, and a quarter from the patient's right."""
    share = np.array([0.27, 0.5, 0.5])
    return tuple((view.box.lower + share * np.subtract(view.box.upper, view.box.lower)).tolist())


def _draw_pictures(
    figure: Figure, view: PatientView, point: tuple[float, float, float], measured: Quantities
) -> None:
    """Axial and sagittal plane above, coronal plane and projection below, all at one scale."""
    width, depth, height = np.subtract(view.box.upper, view.box.lower)
    column, row = max(width, depth), max(depth, height)  # mm
    room = (WIDTH - SIDEBAR - 3 * EDGE, HEIGHT - HEADER - EDGE)
    scale = min((room[0] - GAP) / (2 * column), (room[1] - GAP) / (2 * row))
    apart = (column * scale + GAP, row * scale + GAP)
    middle = (EDGE + room[0] / 2, EDGE + room[1] / 2)
    middles = {
        (x, y): (middle[0] + (x - 0.5) * apart[0], middle[1] + (0.5 - y) * apart[1])
        for x in (0, 1)
        for y in (0, 1)
    }
    for (title, axis, marks), cell in zip(PLANES, ((0, 0), (1, 0), (0, 1)), strict=True):
        plane = view.plane(axis, point)
        axes = _axes(figure, middles[cell], plane, scale)
        _draw_plane(axes, plane, axis)
        _draw_crossings(axes, axis, point)
        _label(axes, title, marks)
    front = view.front()
    axes = _axes(figure, middles[1, 1], front, scale)
    shown = _draw_front(axes, front)
    _label(axes, "Lesion thickness" if measured.lesion_ml else "Front view", FRONT_MARKS)
    if measured.lesion_ml:
        _draw_colour_bar(figure, shown)


def _axes(figure: Figure, middle: tuple[float, float], picture: Plane | Projection, scale: float) -> Axes:
    """Axes of the picture's size in mm times the scale in pixels per mm, around a point in pixels."""
    width, height = (scale * (ends[1] - ends[0]) for ends in (picture.columns, picture.rows))
    left, bottom = middle[0] - width / 2, middle[1] - height / 2
    axes = figure.add_axes([left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT])
    axes.set_axis_off()
    return axes


def _show(axes: Axes, values: np.ndarray, picture: Plane | Projection, upward: bool, **options):
    """The values in mm; rows run upwards (to superior) or downwards (to posterior)."""
    low, high = picture.rows
    ends = (low, high) if upward else (high, low)
    return axes.imshow(
        values,
        extent=(*picture.columns, *ends),
        origin="lower" if upward else "upper",
        aspect="equal",
        interpolation="bilinear",
        **options,
    )


def _draw_plane(axes: Axes, plane: Plane, axis: int) -> None:
    _show(axes, plane.hu, plane, axis != SLICE, cmap="gray", vmin=LUNG_WINDOW[0], vmax=LUNG_WINDOW[1])
    rows, columns = (
        np.linspace(low, high, 2 * n + 1)[1::2]
        for (low, high), n in zip((plane.rows, plane.columns), plane.hu.shape, strict=True)
    )
    outlines = ((plane.lung, LUNG_COLOUR, 0.7, 0.7), (plane.lesion, LESION_COLOUR, 1.5, 1.0))
    for share, colour, width, alpha in outlines:
        if share.max() >= 0.5 > share.min():
            axes.contour(columns, rows, share, [0.5], colors=colour, linewidths=width, alpha=alpha)
    _draw_scale_bar(axes, plane, axis != SLICE)


def _draw_crossings(axes: Axes, axis: int, point: tuple[float, float, float]) -> None:
    """Short lines at the edges, where the other two planes cross this one."""
    row, column = (a for a in (SLICE, ROW, COLUMN) if a != axis)
    for start, end in ((0.0, 0.03), (0.97, 1.0)):
        axes.axhline(point[2 - row], start, end, color=CROSSING_COLOUR, linewidth=1.2)
        axes.axvline(point[2 - column], start, end, color=CROSSING_COLOUR, linewidth=1.2)


def _draw_front(axes: Axes, front: Projection):
    """Mean of the chest in grey, and over it the thickness, more opaque the thicker; returns the overlay."""
    low, high = np.percentile(front.hu, [2, 99.5])
    _show(axes, front.hu, front, True, cmap="gray", vmin=low, vmax=high)
    thickest = max(10.0, 10.0 * np.ceil(front.thickness_mm.max() / 10.0))
    opacity = np.clip(front.thickness_mm / (0.25 * thickest), 0.0, 1.0)
    overlay = _show(
        axes,
        front.thickness_mm,
        front,
        True,
        cmap=THICKNESS_MAP,
        vmin=0.0,
        vmax=thickest,
        alpha=opacity * 0.85,
    )
    _draw_scale_bar(axes, front, True)
    return overlay


def _draw_scale_bar(axes: Axes, picture: Plane | Projection, upward: bool) -> None:
    right, margin = picture.columns[1] - 8.0, 8.0
    bottom = picture.rows[0] + margin if upward else picture.rows[1] - margin
    axes.plot(
        [right - SCALE_BAR_MM, right], [bottom, bottom], color=TEXT, linewidth=2.5, solid_capstyle="butt"
    )
    axes.annotate(
        f"{SCALE_BAR_MM:.0f} mm",
        (right - SCALE_BAR_MM / 2, bottom),
        (0, 4),
        textcoords="offset points",
        color=TEXT,
        path_effects=_halo(),
        size=10,
        ha="center",
        va="bottom",
    )


def _label(axes: Axes, title: str, marks: str) -> None:
    places = (
        (0.025, 0.5, "left", "center"),
        (0.975, 0.5, "right", "center"),
        (0.5, 0.975, "center", "top"),
        (0.5, 0.025, "center", "bottom"),
    )
    options = {"transform": axes.transAxes, "color": TEXT, "path_effects": _halo()}
    for mark, (x, y, horizontal, vertical) in zip(marks, places, strict=True):
        axes.text(x, y, mark, ha=horizontal, va=vertical, size=14, weight="bold", **options)
    axes.text(0.02, 0.98, title, ha="left", va="top", size=12, **options)


def _halo(width: float = 2.2) -> list:
    """A dark rim, by which white text and lines are legible on bright tissue."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=BACKGROUND)]


def _draw_colour_bar(figure: Figure, shown) -> None:
    axes = figure.add_axes([(WIDTH - SIDEBAR) / WIDTH, 250 / HEIGHT, (SIDEBAR - EDGE) / WIDTH, 14 / HEIGHT])
    bar = figure.colorbar(shown, cax=axes, orientation="horizontal")
    bar.solids.set_alpha(1.0)
    bar.outline.set_visible(False)
    axes.tick_params(colors=FAINT, labelsize=10)
    _text(figure, WIDTH - SIDEBAR, 274, "Lesion thickness, mm", size=11, color=FAINT)


def _draw_notes(figure: Figure, left: float, top: float, notes: tuple[str, ...]) -> None:
    """What qualifies the result belongs on the slide with it."""
    lines = [line for note in notes for line in textwrap.wrap(note, NOTE_CHARACTERS)]
    if len(lines) > MOST_NOTE_LINES:
        lines = [*lines[: MOST_NOTE_LINES - 1], "… more in the report"]
    for step, line in enumerate(lines):
        _text(figure, left, top - 20 * step, line, size=10, color=NOTE_COLOUR)


def _draw_sidebar(figure: Figure, segmentation: Segmentation, measured: Quantities) -> None:
    left, top = WIDTH - SIDEBAR, HEIGHT - HEADER - 24
    found, colour = (
        (_ml(measured.lesion_ml), LESION_COLOUR) if measured.lesion_ml else ("No lesion found", TEXT)
    )
    _text(figure, left, top, found, size=22, color=colour, weight="bold")
    _text(
        figure,
        left,
        top - 34,
        f"{_percent(measured.lesion_percent)} of {_ml(measured.lung_ml)} lung",
        size=14,
    )
    for step, (side, share) in enumerate((("Right", measured.right), ("Left", measured.left))):
        _draw_side(figure, left, top - 90 - 58 * step, side, share)
    listed = [focus for focus in measured.foci if focus.volume_ml >= MINIMAL_FOCUS_ML]
    lines = [f"{len(listed)} foci of {MINIMAL_FOCUS_ML:g} ml or more"]
    if measured.foci:
        lines.append(f"Largest {_ml(measured.foci[0].volume_ml)}, {measured.foci[0].side}")
        if measured.hu.mean is not None:
            lines.append(f"Density {measured.hu.mean:.0f} ± {measured.hu.sd:.0f} HU".replace("-", "−"))
    for step, line in enumerate(lines):
        _text(figure, left, top - 214 - 24 * step, line, size=12)
    _draw_legend(figure, left, top - 330)
    _draw_notes(figure, left, top - 370, segmentation.notes)
    origin = provenance(segmentation)
    small = [
        _shortened(origin["model"], 38),
        f"{origin['model_sha256'][:16]}   threshold {origin['threshold']}",
        f"GASNet {origin['software_version']}   {origin['created'][:16].replace('T', ' ')} UTC",
        "Window −600 / 1500 HU",
    ]
    for step, line in enumerate(small):
        _text(figure, left, 172 - 22 * step, line, size=10, color=FAINT)
    _text(figure, left, EDGE + 20, NOT_DIAGNOSTIC, size=10, color=TEXT)


def _draw_side(figure: Figure, left: float, bottom: float, side: str, share: Share) -> None:
    _text(figure, left, bottom, side, size=14, weight="bold")
    _text(figure, left + 80, bottom, _ml(share.lesion_ml), size=14)
    _text(
        figure, left + 80, bottom - 22, f"{_percent(share.lesion_percent)} of the lung", size=12, color=FAINT
    )


def _draw_legend(figure: Figure, left: float, bottom: float) -> None:
    from matplotlib.lines import Line2D

    for step, (colour, name) in enumerate(LEGEND):
        x, y = left + 92 * step, (bottom + 6) / HEIGHT
        figure.add_artist(Line2D([x / WIDTH, (x + 20) / WIDTH], [y, y], color=colour, linewidth=2.0))
        _text(figure, x + 26, bottom, name, size=11, color=FAINT)


def _text(figure: Figure, x: float, y: float, words: str, color: str = TEXT, **options) -> None:
    """Text whose base line begins at a point in pixels from the lower left; never read as formula."""
    figure.text(x / WIDTH, y / HEIGHT, words, color=color, parse_math=False, **options)


def _shortened(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1] + "…"


def _ml(volume: float) -> str:
    return f"{volume:.0f} ml" if volume >= 100 else f"{volume:.1f} ml"


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{share:.2f} %" if 0.0 < share < 1.0 else f"{share:.1f} %"
