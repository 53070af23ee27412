"""The run folder of a training that is to begin. No torch here: who starts one does not wait for it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..atomic import written_aside
from ..cohort import Cohort, write_cohort
from ..model import ModelInfo, read_model_info
from ..run.errors import RunError
from ..run.folder import RunFolder
from ..version import VERSION
from .data_order import roles_needed
from .settings import Settings, as_data

LEARNED_FROM = ("labelled", "diseased", "healthy")
"""Roles of the cases whose content the weights depend on."""


def prepare_run(
    path: str | Path,
    cohort: Cohort,
    settings: Settings,
    *,
    device: str = "auto",
    parent: Path | None = None,
    labelled: Sequence[str] = (),
    cache: Path | None = None,
    licence: str = "",
) -> RunFolder:
    """Make the run folder of a training that is to begin.

    Args:
        parent: model package to start from; the networks are then those of the package.
        labelled: names of the labelled cases to use; the others count as diseased. Empty: all.
        cache: folder of the network-grid crops; default: beside the run folder, shared by its neighbours.
        licence: of the models that come out, following the data.

    Raises:
        RunError: the settings and the cohort do not go together, or there is a training already.
        ModelError: the parent cannot be used. ResourceError: the folder cannot be written to.
    """
    run = RunFolder(path)
    cohort = with_labelled(cohort, labelled) if labelled else cohort
    check_roles(cohort, settings)
    origin = None if parent is None else read_model_info(parent)
    if origin is not None:
        settings = with_networks_of(settings, origin)
    config = {
        "settings": as_data(settings),
        "device": device,
        "cache": str(Path(cache or run.path.parent / "cache").absolute()),
        "parent": None if origin is None else {"file": parent.name, "sha256": origin.sha256},
        "licence": licence,
        "software_version": VERSION,
    }

    def fill(run: RunFolder) -> None:
        write_cohort(cohort, run.cohort_file)
        parent_file(run).unlink(missing_ok=True)  # of a creation that was killed
        if parent is not None:
            with written_aside(parent_file(run)) as aside:
                shutil.copyfile(parent, aside)

    return RunFolder.create(run.path, config, fill)


def with_labelled(cohort: Cohort, names: Sequence[str]) -> Cohort:
    """The cohort with only these cases labelled; the other labelled ones count as diseased.

    Raises:
        RunError: a name is not that of a labelled case.
    """
    known = {case.name for case in cohort.with_role("labelled")}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise RunError(f"“{unknown[0]}” is no labelled case of the cohort.", "See the column case.")
    chosen = set(names)
    cases = (
        replace(case, role="diseased", mask=None)
        if case.role == "labelled" and case.name not in chosen
        else case
        for case in cohort
    )
    return Cohort(tuple(cases))


def check_roles(cohort: Cohort, settings: Settings) -> None:
    """Refuse a cohort that lacks what the terms learn from.

    Raises:
        RunError: it does.
    """
    missing = roles_lacking(cohort, settings)
    if missing:
        raise RunError(
            f"The cohort has no {' and no '.join(missing)} cases, and “{settings.name}” learns from them.",
            "Add some, or choose a preset that does without.",
        )


def roles_lacking(cohort: Cohort, settings: Settings) -> list[str]:
    """The roles that the terms learn from and that the cohort has no case of."""
    present = {case.role for case in cohort}
    if "labelled" in present:
        present.add("diseased")  # labelled volumes show the disease: they stand in for diseased ones
    return sorted(roles_needed(settings.terms) - present)


def with_networks_of(settings: Settings, package: ModelInfo) -> Settings:
    """The settings with the architectures of a package."""
    generator = settings.generator if package.generator is None else package.generator
    return replace(settings, segmenter=package.segmenter, generator=generator)


def parent_file(run: RunFolder) -> Path:
    """Where the package that a training starts from is kept."""
    return run.models / "parent.safetensors"
