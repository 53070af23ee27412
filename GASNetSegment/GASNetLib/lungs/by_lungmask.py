"""Lungs by the package ``lungmask`` (Hofmanninger et al., Eur Radiol Exp 2020), where the user has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ResourceError
from ..volume import Volume

MODELS = ("R231CovidWeb", "R231")  # in order of preference
SLICES_AT_ONCE = 8


def lungmask_lungs(volume: Volume) -> np.ndarray:
    """Labels (z, y, x) uint8 on the CT's grid: 0 none, 1 right, 2 left. Nothing is downloaded.

    Raises:
        ResourceError: the package or its weights are missing or broken.
    """
    try:
        from lungmask.mask import MODEL_URLS, LMInferer
    except ImportError as error:
        raise ResourceError(
            f"The lung method lungmask is not available: {error}.",
            "Install it with 'pip install lungmask', or find the lungs in the way that is built in.",
        ) from error
    name, weights = _weights(MODEL_URLS)
    try:
        inferer = LMInferer(
            modelname=name, modelpath=str(weights), batch_size=SLICES_AT_ONCE, tqdm_disable=True
        )
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ResourceError(
            f"lungmask's weights {weights.name} cannot be read.", f"Delete {weights} and get them again."
        ) from error
    return np.asarray(inferer.apply(volume.geometry.image(volume.hu)), np.uint8)


def _weights(urls: dict[str, tuple[str, int]]) -> tuple[str, Path]:
    """Name and file of the first of lungmask's models that is on this computer."""
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for name in MODELS:
        file = folder / urls[name][0].rsplit("/", 1)[-1]
        if file.is_file():
            return name, file
    address = urls[MODELS[-1]][0]
    raise ResourceError(
        "lungmask is installed, but its weights are not on this computer.",
        f"Download {address} into {folder}, or find the lungs in the way that is built in.",
    )
