"""What a comparison of models found, ready to be shown."""

from __future__ import annotations

from dataclasses import dataclass

FIGURES = ("dice", "sensitivity", "specificity")


@dataclass(frozen=True)
class ComparisonTable:
    """Figures of every validation case for each model.

    Attributes:
        models: names, the one in use first. cases: names.
        figures: per model, per case: Dice, sensitivity, specificity; None where undefined.
        left_out: cases that one of the models was trained on.
        verdicts: for each model but the first, in words, with how far the evidence goes.
    """

    models: tuple[str, ...]
    cases: tuple[str, ...]
    figures: tuple[tuple[tuple[float | None, ...], ...], ...]
    left_out: tuple[str, ...]
    verdicts: tuple[str, ...]

    @classmethod
    def of(cls, found: dict) -> ComparisonTable:
        """From the answer of a task."""
        figures = tuple(tuple(tuple(case) for case in cases) for cases in found["figures"])
        return cls(
            tuple(found["models"]),
            tuple(found["cases"]),
            figures,
            tuple(found["left_out"]),
            tuple(found["verdicts"]),
        )

    def mean(self, model: int, figure: str) -> float | None:
        """Mean of a figure over the cases where it is defined."""
        values = [case[FIGURES.index(figure)] for case in self.figures[model]]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None
