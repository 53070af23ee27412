"""Roles and statuses of cases in a person's words; files and Python keep the engine's names."""

from __future__ import annotations

from collections.abc import Mapping

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


def role_purpose(role: str) -> str:
    """What a training does with the cases of a role, and how many there should be."""
    return {
        "labelled": _("The network learns from them what a lesion looks like. One is enough."),
        "diseased": _(
            "The network learns from them without any marks. At least five are recommended, better dozens."
        ),
        "healthy": _("The network learns from them what is no lesion. At least five, better dozens."),
        "validation": _(
            "Not learned from: they tell when the network is at its best, and whether it is better than the"
            " one in use. At least one, better several."
        ),
    }[role]


def lacking_in_words(lacking: Mapping[str, int]) -> str:
    """What is missing to the recommended cohort, and what it means; empty if nothing is."""
    if not lacking:
        return ""
    named = {
        "labelled": _("{n} with lesions marked"),
        "diseased": _("{n} diseased"),
        "healthy": _("{n} healthy"),
        "validation": _("{n} with lesions marked for validation"),
    }
    missing = ", ".join(named[role].format(n=n) for role, n in lacking.items())
    return _(
        "Still missing: {missing}. Recommended are at least one CT with lesions marked, five diseased, five"
        " healthy, and one with lesions marked for validation; dozens are better."
    ).format(missing=missing)


def status_word(status: str) -> str:
    """What a check has found, in a word or two."""
    return {
        UNCHECKED: _("not checked"),
        ACCEPTED: _("accepted"),
        FLAGGED: _("see reason"),
        REFUSED: _("refused"),
    }[status]
