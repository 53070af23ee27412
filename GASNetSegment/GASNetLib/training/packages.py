"""From a training to a deployable model package, with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import ResourceError
from ..model import DEFAULT_PREPROCESSING, ModelInfo, save_model
from .settings import Settings, as_data
from .state import TrainingState
from .validation import Validation


def write_package(
    path: Path,
    state: TrainingState,
    settings: Settings,
    provenance: Mapping[str, Any],
    validation: Validation | None,
) -> None:
    """Save the averaged S, and G if there is one, with recipe, provenance and validation figures.

    Raises:
        ResourceError: it cannot be written.
    """
    training = {
        **provenance,
        "settings": as_data(settings),
        "iteration": state.progress.iteration,
        "seconds": round(state.progress.seconds, 1),
    }
    info = ModelInfo(
        name=str(provenance.get("name", settings.name)),
        segmenter=dict(settings.segmenter),
        preprocessing={
            **DEFAULT_PREPROCESSING,
            "reach_mm": settings.result_reach_mm,
            "patch": list(settings.patch),
        },
        threshold=state.progress.threshold if validation is None else validation.threshold,
        training=training,
        metrics={} if validation is None else {"validation": asdict(validation)},
        licence=str(provenance.get("licence", "")),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    try:
        save_model(path, info, state.averaged, state.networks.generator)
    except OSError as error:
        raise ResourceError(
            f"The model cannot be saved: {error.strerror or error}.",
            "Free disk space or make the folder writable, then resume.",
        ) from error
