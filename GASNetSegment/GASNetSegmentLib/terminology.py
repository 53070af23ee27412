"""Slicer's side of what the segments mean (:mod:`GASNetLib.export.segment_meaning`): tags, and the shipped
terminologies."""

from __future__ import annotations

from pathlib import Path

import slicer

from GASNetLib.export.segment_meaning import CONTEXT, Meaning

TERMINOLOGY_FILE = Path("Terminology") / "GASNet.term.json"
REGIONS_FILE = Path("Terminology") / "GASNetRegions.term.json"


def describe(segment, meaning: Meaning) -> None:
    """Give a vtkSegment its terminology and its colour."""
    segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), meaning.terminology_entry)
    segment.SetColor(*meaning.colour)


def register(terminologies_logic, resources: Path) -> None:
    """Make Slicer's terminology selector know the codes.

    Raises:
        RuntimeError: the shipped files cannot be read.
    """
    if terminologies_logic.IsTerminologyContextLoaded(CONTEXT):
        return
    for file in (TERMINOLOGY_FILE, REGIONS_FILE):
        if not terminologies_logic.LoadContextFromFile(str(resources / file)):
            raise RuntimeError(f"Slicer refuses the terminology file {resources / file}")
