"""Presets and devices in a person's words; the engine's names stay the data of the boxes."""

from __future__ import annotations

from collections.abc import Iterable

import qt
from slicer.i18n import tr as _

PRESETS_OFFERED = ("finetune", "quick", "improved", "paper", "supervised", "mil", "smoke")
"""What most people want comes first."""


def preset_title(preset: str) -> str:
    """What a preset is called."""
    return {
        "finetune": _("Adapt a model to your CTs"),
        "quick": _("Quick"),
        "improved": _("Thorough"),
        "paper": _("As published"),
        "supervised": _("Comparison: marked lesions only"),
        "mil": _("Comparison: without any mask"),
        "smoke": _("Trial of a few iterations"),
    }[preset]


def preset_about(preset: str) -> str:
    """What a preset is for."""
    return {
        "finetune": _("From a model to your own CTs: hours on a GPU, days on a CPU."),
        "quick": _("Minutes, on a CPU tens of minutes; without generator against discriminator."),
        "improved": _(
            "The published method improved, after a warm start; the best found for a training from scratch."
        ),
        "paper": _("As published: 14,000 iterations."),
        "supervised": _("For comparison: from the CTs with marked lesions alone."),
        "mil": _("For comparison: from what is known of whole CTs (diseased or healthy), without any mask."),
        "smoke": _("A few iterations, to try whether everything works. The model is of no use."),
    }[preset]


def fill_presets(box) -> None:
    """Offer the presets in a QComboBox."""
    in_python = _("{about} In Python: “{name}”.")
    _fill(
        box,
        [
            (name, preset_title(name), in_python.format(about=preset_about(name), name=name))
            for name in PRESETS_OFFERED
        ],
    )


def fill_devices(box) -> None:
    """Offer the devices in a QComboBox."""
    _fill(
        box,
        (
            ("auto", _("Automatic"), _("The GPU if there is one, else the CPU.")),
            ("cpu", _("CPU"), _("Works on every computer, and slowly.")),
            ("cuda", _("GPU (CUDA)"), _("An NVIDIA GPU; without one the training does not begin.")),
        ),
    )


def choice(box) -> str:
    """The engine's name of what is chosen in a QComboBox."""
    return str(box.itemData(box.currentIndex))


def _fill(box, entries: Iterable[tuple[str, str, str]]) -> None:
    for row, (name, title, about) in enumerate(entries):
        box.addItem(title, name)
        box.setItemData(row, about, qt.Qt.ToolTipRole)
