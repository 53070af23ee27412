"""Champion and challenger: models on the same validation cases, on the native grid of the CTs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cohort import Case, Cohort
from ..cohort.content import content_digest, voxel_digest
from ..lungs import find_lungs
from ..metrics import Overlap, Summary, overlap, summary
from ..model import Model, ModelInfo, load_model
from ..run.errors import RunError
from ..segment import segment
from ..volume import Volume, read_mask, read_volume

THIN = 5
"""With fewer cases a difference says little."""


@dataclass(frozen=True)
class Comparison:
    """Agreement with the reference of every case, for each model.

    Attributes:
        models: names, the champion first.
        cases: names. overlaps: per model, per case.
        left_out: cases that one of the models was trained on.
    """

    models: tuple[str, ...]
    cases: tuple[str, ...]
    overlaps: tuple[tuple[Overlap, ...], ...]
    left_out: tuple[str, ...]

    def figure(self, model: int, name: str) -> Summary:
        """Mean ± SD of ``dice``, ``sensitivity`` or ``specificity`` of a model."""
        return summary(getattr(found, name) for found in self.overlaps[model])

    def gain(self, model: int) -> Summary:
        """Mean ± SD of the Dice of a model minus that of the first, case by case."""
        pairs = zip(self.overlaps[0], self.overlaps[model], strict=True)
        return summary(None if a.dice is None or b.dice is None else b.dice - a.dice for a, b in pairs)

    def verdict(self, model: int) -> str:
        """The comparison with the first model in words, with how far it can be trusted."""
        gain = self.gain(model)
        if gain.mean is None:
            return "No case tells the models apart."
        cases = "1 case" if gain.n == 1 else f"{gain.n} cases"
        said = f"{self.models[model]}: the Dice is {_difference(gain.mean)} over {cases}"
        if gain.n < THIN:
            return f"{said}. So few cases are thin evidence: look at the results yourself."
        if _is_none(gain.mean):
            return f"{said}."
        # 2 standard errors of the paired differences.
        if abs(gain.mean) <= 2 * (gain.sd or 0.0) / gain.n**0.5:
            return f"{said}, which is within the chance of these cases."
        return f"{said}, which is more than the chance of these cases."


def compare_models(
    packages: Sequence[Path],
    cohort: Cohort,
    device: str = "auto",
    progress: Callable[[str, float], None] | None = None,
) -> Comparison:
    """Segment the validation cases of a cohort with every model; lungs are looked for once a case.

    Raises:
        RunError: no case is left to compare on. ModelError, InputError: a file cannot be used.
    """
    models = [load_model(path) for path in packages]
    asked = cohort.with_role("validation")
    cases, left_out, found = [], [], []
    for position, case in enumerate(asked):
        if progress is not None:
            progress(case.name, position / len(asked))
        volume = read_volume(case.ct)
        if seen_in_training(case, volume, [model.info for model in models]):
            left_out.append(case.name)
        else:
            cases.append(case.name)
            found.append(_overlaps(case, volume, models, device))
    if not cases:
        raise RunError(
            "There is no validation case that none of the models was trained on.",
            "Add cases with masks and the role validation.",
        )
    return Comparison(
        models=tuple(model.info.name for model in models),
        cases=tuple(cases),
        overlaps=tuple(zip(*found, strict=True)),
        left_out=tuple(left_out),
    )


def seen_in_training(case: Case, volume: Volume, models: Sequence[ModelInfo]) -> bool:
    """Whether a model has seen the CT, under whatever name; by its name for models that remember no more."""
    recipes = [model.training for model in models]
    voxels, older = (_union(recipes, key) for key in ("trained_on_voxels", "trained_on_content"))
    bare = [r for r in recipes if not (r.get("trained_on_voxels") or r.get("trained_on_content"))]
    if case.name in _union(bare, "trained_on"):
        return True
    if (voxels or older) and voxel_digest(volume) in voxels | older:
        return True
    # Models of before voxels were remembered knew their files: only for them are these read once more.
    return bool(older) and content_digest(case.ct) in older


def _union(recipes: Sequence[Mapping], key: str) -> set[str]:
    return {value for recipe in recipes for value in recipe.get(key, ())}


def _is_none(gain: float) -> bool:
    """Whether a difference of Dice vanishes in the digits that are shown."""
    return f"{abs(gain):.3f}" == "0.000"


def _difference(gain: float) -> str:
    if _is_none(gain):
        return "the same"
    return f"{abs(gain):.3f} {'higher' if gain > 0 else 'lower'}"


def _overlaps(case: Case, volume: Volume, models: Sequence[Model], device: str) -> list[Overlap]:
    reference, _ = read_mask(case.mask, volume.geometry)
    lungs = find_lungs(volume)
    return [
        overlap(segment(volume, model, device=device, lungs=lungs).lesions, reference) for model in models
    ]
