"""Trainings to choose from: data, no code. What a preset does not name is the paper's (:class:`Settings`)."""

from __future__ import annotations

from dataclasses import replace

from ..run.errors import RunError
from .settings import Augmentation, DiscriminatorView, Optimisation, Settings, Terms

OFF = None

STRONG_AUGMENTATION = Augmentation(
    rotation_degrees=15.0,
    zoom=(0.8, 1.2),
    flips=0.5,
    noise_hu=40.0,
    shift_hu=25.0,
    gain=0.05,
    gamma=0.08,
    blur=0.25,
    sharpen=0.15,
    thick=0.25,
    window=0.15,
    eight_bit=0.3,
)
"""Against sources that differ in window, resolution, noise and storage. HU stay within some 50 of the truth:
±60 HU, ±15 % and a gamma of 0.3 made diffuse ground glass look like lung."""

TRANSPLANT_HU = (-100.0, 450.0)
"""Networks that had seen ground glass alone found half of a consolidation: Dice 0.46 → 0.64 on medseg_02."""

REACH_MM = 10.0
"""Holds 99 % of the reference lesions in each of the eight CTs of the model card; 6 mm hold 97 %."""

RESULT_REACH_MM = 2.5
"""Of what is marked farther out, more is fat, heart and chest wall than lesion (figures: the model card)."""

LEVEL_VIEW = DiscriminatorView(ceiling_hu=150.0, floor_hu=-1200.0, blur=0.8, noise_hu=30.0)
"""What all sources of the development data have in common."""

ABSOLUTE_HU_SEGMENTER = {"name": "unet", "channels": 16, "full_resolution_norm": "none"}
"""Without the norm at the full resolution S keeps absolute HU (the largest single gain found)."""

PAPER = Settings()
"""As published."""

IMPROVED = Settings(
    name="improved",
    segmenter=ABSOLUTE_HU_SEGMENTER,
    generator={"channels": 16, "residual_blocks": 6, "upsampling": "resize", "identity": True},
    terms=Terms(gan=1000, ig_to_d=1000, id_to_d=1000, recons=500, mil=500, ps=1000, transplant=0, repair=500),
    reach_mm=REACH_MM,
    result_reach_mm=RESULT_REACH_MM,
    transplant_hu=TRANSPLANT_HU,
    optimisation=Optimisation(
        rate_s=5e-4, rate_g=1e-4, rate_d=1e-4, warm_up=200, cosine=True, clip_norm=5.0, ema=0.998
    ),
    augmentation=STRONG_AUGMENTATION,
    discriminator_view=LEVEL_VIEW,
    dice=True,
    mil_voxels=32,
    calibrate=True,
)
"""The paper's scheme with what trials taught: a warm start of S on the labels, then of G, then all terms."""

FINETUNE = replace(
    IMPROVED,
    name="finetune",
    terms=Terms(gan=300, ig_to_d=300, id_to_d=300, recons=0, mil=300, ps=300, transplant=0, repair=0),
    optimisation=replace(IMPROVED.optimisation, rate_s=1e-4, warm_up=100),
    iterations=4000,
    val_every=100,
    preview_every=250,
    patience=15,
)
"""From an existing model to a hospital's own CTs; hours on a GPU."""

QUICK = Settings(
    name="quick",
    segmenter={"name": "unet", "channels": 8, "full_resolution_norm": "none"},
    generator={"channels": 8, "residual_blocks": 4, "upsampling": "resize", "identity": True},
    discriminator={"channels": 8, "levels": 3},
    terms=Terms(gan=OFF, ig_to_d=OFF, id_to_d=OFF, recons=OFF, mil=OFF, ps=100, transplant=0),
    reach_mm=REACH_MM,
    result_reach_mm=RESULT_REACH_MM,
    transplant_hu=TRANSPLANT_HU,
    optimisation=Optimisation(
        rate_s=2e-3,
        betas=(0.9, 0.999),
        weight_decay=1e-2,
        warm_up=30,
        cosine=True,
        clip_norm=5.0,
        ema=0.98,
    ),
    augmentation=STRONG_AUGMENTATION,
    iterations=400,
    batch=2,
    micro_batch=2,
    patch=(24, 96, 96),
    lambda_s=1.0,
    dice=True,
    lesion_centred=0.7,
    val_every=50,
    preview_every=100,
    checkpoint_seconds=60.0,
    calibrate=True,
)
"""Minutes on a CPU: labels, healthy volumes and pseudo-labels. The adversarial part is left out: in minutes
it added 0.01 to the Dice and cost most of the time."""

SMOKE = Settings(
    name="smoke",
    segmenter={"name": "unet", "channels": 4, "levels": 3, "full_resolution_norm": "none"},
    generator={"channels": 4, "residual_blocks": 1, "upsampling": "resize", "identity": True},
    discriminator={"channels": 4, "levels": 2},
    terms=Terms(ps=2),
    optimisation=Optimisation(rate_s=1e-3, rate_g=1e-3, rate_d=1e-3, ema=0.5),
    iterations=6,
    theta=2,
    batch=2,
    micro_batch=2,
    patch=(16, 32, 32),
    lesion_centred=0.5,
    val_every=3,
    preview_every=3,
    checkpoint_seconds=0.0,
)
"""Every part in seconds, on small patches: for tests."""

SUPERVISED = Settings(
    name="supervised",
    terms=Terms(gan=OFF, ig_to_d=OFF, id_to_d=OFF, healthy=OFF, recons=OFF, mil=OFF, ps=OFF),
)
"""Baseline: the plain segmenter on the labelled volumes."""

MIL = Settings(
    name="mil",
    terms=Terms(gan=OFF, ig_to_d=OFF, id_to_d=OFF, segmentation=OFF, recons=OFF, ps=OFF),
)
"""Baseline: multiple-instance learning alone, from the labels of the volumes without any mask."""

PRESETS = {p.name: p for p in (PAPER, IMPROVED, FINETUNE, QUICK, SMOKE, SUPERVISED, MIL)}

OURS = ("terms.transplant", "terms.repair")
"""Terms that the paper does not have."""

ABLATIONS: dict[str, dict[str, int | None]] = {
    "all": {},
    "without L_ps": {"terms.ps": OFF, "terms.transplant": OFF},
    "without L_IdToD": {"terms.id_to_d": OFF},
    "without L_IgToD": {"terms.ig_to_d": OFF},
    "without L_recons": {"terms.recons": OFF},
    "without L_MIL": {"terms.mil": OFF},
    "without healthy": {"terms.healthy": OFF},
    "L_GAN and L_S only": {
        "terms.ps": OFF,
        "terms.id_to_d": OFF,
        "terms.ig_to_d": OFF,
        "terms.recons": OFF,
        "terms.mil": OFF,
        "terms.healthy": OFF,
        **dict.fromkeys(OURS),
    },
    "supervised": dict.fromkeys(
        (*OURS, "terms.gan", "terms.healthy", "terms.recons", "terms.mil", "terms.ps"), OFF
    ),
    "without L_GAN": dict.fromkeys(("terms.gan", "terms.recons", "terms.repair"), OFF),
    "MIL": dict.fromkeys((*OURS, "terms.gan", "terms.segmentation", "terms.recons", "terms.ps"), OFF),
}
"""Changes to any preset, for the paper's ablation table and the baselines under the same settings. Without
L_ps there are no transplanted lesions at all, labelled ones neither."""


def preset(name: str) -> Settings:
    """The preset of a name.

    Raises:
        RunError: unknown name.
    """
    if name not in PRESETS:
        raise RunError(f"There is no preset “{name}”.", f"Choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]
