"""What the curves of a training are called for people: what is measured, and not the paper's symbols."""

from __future__ import annotations

from slicer.i18n import tr as _


def chart_title(key: str) -> str:
    """Title of a chart of :data:`.curves.CHARTS`."""
    return {
        "validation": _("Validation Dice"),
        "segmentation": _("Segmentation error"),
        "adversarial": _("Generator against discriminator"),
        "reconstruction": _("Error of the restored lungs"),
        "pseudo-label": _("Error on transplanted lesions"),
    }[key]


def curve_label(quantity: str) -> str:
    """Name of a curve in the legend."""
    return {
        "dice": _("mean of the validation cases"),
        "segmentation": _("marked lesions"),
        "healthy": _("healthy CTs"),
        "mil": _("diseased CTs"),
        "gan": _("generator: lesions taken out"),
        "ig_to_d": _("generator: whole lungs"),
        "d_gan": _("discriminator: lesions taken out"),
        "d_ig_to_d": _("discriminator: whole lungs"),
        "d_id_to_d": _("discriminator: diseased CTs"),
        "recons": _("healthy CTs"),
        "repair": _("lesions taken out"),
        "ps": _("lesions the network found"),
        "transplant": _("marked lesions"),
    }[quantity]


def axis_title(key: str) -> str:
    """Title of an axis: ``iteration``, ``dice`` or ``loss``."""
    return {"iteration": _("Iteration"), "dice": _("Dice"), "loss": _("Error (loss)")}[key]
