"""Roles and statuses of cases in a person's words; files and Python keep the engine's names."""

from __future__ import annotations

from slicer.i18n import tr as _

from .cohort_table import ACCEPTED, FLAGGED, REFUSED, UNCHECKED

KEYS = {"labelled": "L", "diseased": "D", "healthy": "H", "validation": "V"}
"""Which key gives the selected cases a role."""


def role_title(role: str) -> str:
    """What the cases of a role are."""
    return {
        "labelled": _("Lesions marked"),
        "diseased": _("Diseased, nothing marked"),
        "healthy": _("Healthy"),
        "validation": _("Validation, lesions marked"),
    }[role]


def role_needed(role: str) -> str:
    """What a training needs of a role, and what for."""
    return {
        "labelled": _("At least one CT with marked lesions is needed, to learn from."),
        "diseased": _("At least one diseased CT is needed, better dozens; nothing has to be marked in them."),
        "healthy": _("At least one healthy CT is needed, better dozens."),
        "validation": _(
            "At least one CT with marked lesions is needed for validation: it is not learned from, but tells"
            " when the network is at its best."
        ),
    }[role]


def status_word(status: str) -> str:
    """What a check has found, in a word or two."""
    return {
        UNCHECKED: _("not checked"),
        ACCEPTED: _("accepted"),
        FLAGGED: _("see reason"),
        REFUSED: _("refused"),
    }[status]
