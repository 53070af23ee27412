"""The coded meaning and the colour of the segments (SNOMED CT), as shipped in Resources/Terminology."""

from __future__ import annotations

from pathlib import Path

import slicer

from GASNetLib.export.segment_meaning import ANATOMY, CONTEXT, LESION, LUNG, Code, Meaning

TERMINOLOGY_FILE = Path("Terminology") / "GASNet.term.json"
REGIONS_FILE = Path("Terminology") / "GASNetRegions.term.json"

LESION_MEANING = LESION
LUNGS_MEANING = Meaning("Lungs", ANATOMY, LUNG, Code("", "", ""), None, (197 / 255, 165 / 255, 145 / 255))


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
