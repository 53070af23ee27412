"""What the segments of a result are, in codes (SNOMED CT) that Slicer and DICOM understand; their colours."""

from __future__ import annotations

from dataclasses import dataclass

CONTEXT = "GASNet lesions and lungs"
REGION_CONTEXT = "GASNet regions"
"""Names of the terminologies that the Slicer module brings (Resources/Terminology)."""

NO_CODE = "^^"


@dataclass(frozen=True)
class Code:
    """A coded concept."""

    value: str
    meaning: str
    scheme: str = "SCT"

    def __str__(self) -> str:
        """As in a Slicer terminology entry."""
        return f"{self.scheme}^{self.value}^{self.meaning}"


@dataclass(frozen=True)
class Meaning:
    """One segment: its name, what it is, where, and its colour (RGB, 0 to 1)."""

    name: str
    category: Code
    type: Code
    modifier: Code
    region: Code | None
    colour: tuple[float, float, float]

    @property
    def terminology_entry(self) -> str:
        """The text of Slicer's TerminologyEntry tag."""
        category_and_type = [CONTEXT, str(self.category), str(self.type), str(self.modifier)]
        region = ["", NO_CODE] if self.region is None else [REGION_CONTEXT, str(self.region)]
        return "~".join([*category_and_type, *region, NO_CODE])


LUNG = Code("39607008", "Lung")
ANATOMY = Code("123037004", "Anatomical Structure")

LESION = Meaning(
    "Lesion",
    Code("49755003", "Morphologically Altered Structure"),
    Code("47351003", "Infiltrate"),
    Code("840539006", "COVID-19"),
    LUNG,
    (230 / 255, 76 / 255, 60 / 255),
)
LUNGS = Meaning("Lungs", ANATOMY, LUNG, Code("", "", ""), None, (197 / 255, 165 / 255, 145 / 255))
RIGHT_LUNG = Meaning(
    "Right lung", ANATOMY, LUNG, Code("24028007", "Right"), None, (172 / 255, 138 / 255, 115 / 255)
)
LEFT_LUNG = Meaning(
    "Left lung", ANATOMY, LUNG, Code("7771000", "Left"), None, (202 / 255, 164 / 255, 140 / 255)
)
