"""The coded meaning and the colour of the segments (SNOMED CT), as shipped in Resources/Terminology."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import slicer

TERMINOLOGY_FILE = Path("Terminology") / "GASNet.term.json"
REGIONS_FILE = Path("Terminology") / "GASNetRegions.term.json"
CONTEXT = "GASNet lesions and lungs"
REGION_CONTEXT = "GASNet regions"


@dataclass(frozen=True)
class Code:
    """A coded concept of SNOMED CT."""

    value: str
    meaning: str
    scheme: str = "SCT"


NO_CODE = Code("", "", "")


@dataclass(frozen=True)
class Meaning:
    """What a segment is: category, type, modifier and region, and the colour (0 to 1) it is shown in."""

    category: Code
    type: Code
    modifier: Code
    region: Code
    colour: tuple[float, float, float]

    @property
    def entry(self) -> str:
        """The text that Slicer keeps in a segment's terminology tag."""
        codes = [
            f"{code.scheme}^{code.value}^{code.meaning}" for code in (self.category, self.type, self.modifier)
        ]
        region = f"{self.region.scheme}^{self.region.value}^{self.region.meaning}"
        return "~".join([CONTEXT, *codes, REGION_CONTEXT, region, "^^"])


LUNG = Code("39607008", "Lung")
LESION_MEANING = Meaning(
    Code("49755003", "Morphologically Altered Structure"),
    Code("47351003", "Infiltrate"),
    Code("840539006", "COVID-19"),
    LUNG,
    (230 / 255, 76 / 255, 60 / 255),
)
LUNGS_MEANING = Meaning(
    Code("123037004", "Anatomical Structure"), LUNG, NO_CODE, NO_CODE, (197 / 255, 165 / 255, 145 / 255)
)


def describe(segment, meaning: Meaning) -> None:
    """Give a vtkSegment its terminology and its colour."""
    segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), meaning.entry)
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
