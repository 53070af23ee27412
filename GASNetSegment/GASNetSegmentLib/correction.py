"""What a person changed in the AI's result."""

from __future__ import annotations

from dataclasses import dataclass

from GASNetLib.metrics import overlap

from .result import Result


@dataclass(frozen=True)
class Changes:
    """The corrected lesion against the AI's.

    Attributes:
        added_ml, removed_ml: lesion that the person marked, and that the person took away.
        dice: agreement of both, None if both are empty.
    """

    added_ml: float
    removed_ml: float
    dice: float | None

    @property
    def any(self) -> bool:
        """Whether anything was changed."""
        return self.added_ml + self.removed_ml > 0


def changes(result: Result) -> Changes:
    """Compare the lesion segment with the AI's original at the threshold."""
    agreement = overlap(*result.lesion_and_ai_part())
    voxel_ml = result.geometry.voxel_ml
    return Changes(agreement.false_positives * voxel_ml, agreement.false_negatives * voxel_ml, agreement.dice)
