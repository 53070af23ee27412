"""Pictures of what the networks make of a volume (Xu et al. 2020, Figures 7 and 8)."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch

from ..atomic import write_atomically
from ..crop import denormalise
from .batches import Batch
from .objective import Networks
from .precision import autocast
from .pseudo_labels import pseudo_labelled, synthetic_healthy
from .settings import Settings

LUNG_WINDOW_HU = (-1250.0, 250.0)

OUTLINES = {"mask": {0.5: "red"}, "pseudo mask": {0.75: "red", 0.25: "orange"}}
"""Levels and colours; in M_ps *ignore* is 0.5, so that it lies between orange and red."""


@torch.no_grad()
def preview_volumes(
    networks: Networks, diseased: Batch, healthy: Batch | None, settings: Settings
) -> dict[str, np.ndarray]:
    """The volumes (D, H, W) of a preview by name; HU, or a mask in [0, 1] for names that end in ``mask``."""
    with autocast(settings, diseased.image.device):
        mask = networks.segment(diseased.image, diseased.near).sigmoid()
        made = {"diseased": diseased.image, "mask": mask}
        if networks.generator is not None:
            made["generated"] = networks.generator(diseased.image).float()
            made["synthetic healthy"] = synthetic_healthy(diseased.image, made["generated"], mask)
    if healthy is not None and healthy.image.shape == diseased.image.shape:
        pseudo = pseudo_labelled(diseased.image, healthy.image, mask, healthy.lungs, settings.xi)
        made |= {"healthy": healthy.image, "pseudo-labelled": pseudo.image}
        made["pseudo mask"] = torch.where(pseudo.known > 0, pseudo.mask, 0.5)
    arrays = {name: tensor[0, 0].cpu().numpy() for name, tensor in made.items()}
    return {n: a if n.endswith("mask") else denormalise(a) for n, a in arrays.items()}


def write_preview(path: Path, volumes: dict[str, np.ndarray], title: str) -> None:
    """One PNG: the axial slice with most lesion, input, mask, generated, synthetic healthy, pseudo-labelled.

    Raises:
        ResourceError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    slice_ = int(volumes["mask"].sum(axis=(1, 2)).argmax())
    panels = [
        ("input I_d", "diseased", None),
        ("mask M̂", "mask", None),
        ("input with M̂ > 0.5", "diseased", "mask"),
        ("generated G(I_d)", "generated", None),
        ("synthetic healthy I_s", "synthetic healthy", None),
        ("healthy I_h", "healthy", None),
        ("pseudo-labelled I_ps", "pseudo-labelled", None),
        ("I_ps with M_ps: lesion, ignore", "pseudo-labelled", "pseudo mask"),
    ]
    panels = [panel for panel in panels if panel[1] in volumes and (panel[2] is None or panel[2] in volumes)]
    columns = (len(panels) + 1) // 2
    figure = Figure(figsize=(3 * columns, 6.6), facecolor="black", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{title}, slice {slice_ + 1}", color="white")
    for place, (name, shown, outlined) in enumerate(panels, start=1):
        axes = figure.add_subplot(2, columns, place)
        low, high = (0, 1) if shown.endswith("mask") else LUNG_WINDOW_HU
        # Rows run to posterior and columns to the patient's left: shown as a radiologist looks at it.
        axes.imshow(volumes[shown][slice_], cmap="gray", vmin=low, vmax=high, interpolation="bilinear")
        if outlined is not None:
            _outline(axes, volumes[outlined][slice_], OUTLINES[outlined])
        axes.set_title(name, color="white", fontsize=10)
        axes.set_axis_off()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    write_atomically(path, picture.getvalue())


def _outline(axes, mask: np.ndarray, levels: dict[float, str]) -> None:
    for level, colour in levels.items():
        if mask.min() < level < mask.max():
            axes.contour(mask, levels=[level], colors=[colour], linewidths=0.8)
