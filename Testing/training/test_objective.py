"""The objective on networks: who learns from what; what D sees; what is watched."""

from __future__ import annotations

import pytest
import torch

from GASNetLib.errors import ResourceError
from GASNetLib.training.batches import Batch, whole_volume
from GASNetLib.training.collapse import SETTLED, CollapseWatch
from GASNetLib.training.objective import (
    as_discriminator_sees,
    discriminator_losses,
    segmenter_generator_losses,
    total,
)
from GASNetLib.training.presets import LEVEL_VIEW, preset
from GASNetLib.training.previews import preview_volumes, write_preview
from GASNetLib.training.settings import DiscriminatorView, changed
from GASNetLib.training.state import fixed, new_state
from GASNetLib.training.validation import DiscriminatorEvidence, discriminator_evidence, predicted, validate
from training.tiny_cohort import SHAPE, names_by_role, tiny_crops

CPU = torch.device("cpu")
SMOKE = changed(preset("smoke"), {"precision": "float32"})
ALL = SMOKE.terms.active(100)


@pytest.fixture(scope="module")
def networks():
    return new_state(SMOKE, CPU).networks


@pytest.fixture(scope="module")
def batch() -> dict[str, Batch]:
    crops = tiny_crops()
    return {role: whole_volume(crops[f"{role}0"], SMOKE, CPU) for role in ("labelled", "diseased", "healthy")}


def learners(networks, losses) -> set[str]:
    for network in networks.named().values():
        network.zero_grad()
    total(losses, SMOKE).backward()
    return {
        name
        for name, network in networks.named().items()
        if any(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    }


def test_discriminator_terms_teach_the_discriminator_alone(networks, batch):
    losses = discriminator_losses(networks, batch["diseased"], batch["healthy"], ALL, SMOKE)
    assert set(losses) == {"d_gan", "d_ig_to_d", "d_id_to_d"}
    assert learners(networks, losses) == {"discriminator"}


@pytest.mark.parametrize(
    ("term", "taught"),
    [
        ("segmentation", {"segmenter"}),
        ("healthy", {"segmenter"}),
        ("gan", {"segmenter", "generator"}),
        ("mil", {"segmenter"}),
        ("ps", {"segmenter"}),
        ("recons", {"generator"}),
        ("transplant", {"segmenter"}),
        ("repair", {"generator"}),
    ],
)
def test_each_term_teaches_whom_the_paper_says(networks, batch, term, taught):
    with fixed(networks.discriminator):
        parts = list(segmenter_generator_losses(networks, batch, frozenset({term}), SMOKE))
        assert [set(losses) for losses, _ in parts] == [{term}]
        # G's last layer starts at zero, so the mask does not matter yet to what D sees: give it a change.
        torch.nn.init.normal_(networks.generator.head.weight, 0, 0.5)
        (losses, _), *_ = segmenter_generator_losses(networks, batch, frozenset({term}), SMOKE)
        assert learners(networks, losses) == taught


def test_ig_to_d_teaches_the_generator_where_the_mask_is_empty(networks, batch):
    active = frozenset({"gan", "ig_to_d"})
    with fixed(networks.discriminator):
        (losses, _), *_ = segmenter_generator_losses(networks, batch, active, SMOKE)
        assert learners(networks, {"ig_to_d": losses["ig_to_d"]}) == {"generator"}


def test_lambda_weighs_the_terms_of_the_segmenter():
    one = torch.tensor(1.0)
    assert total({"gan": one, "recons": one, "ig_to_d": one}, SMOKE).item() == 3
    assert total({"segmentation": one, "healthy": one, "mil": one, "ps": one}, SMOKE).item() == 400


def test_the_common_view_hides_window_noise_and_sharpness_of_the_source():
    torch.manual_seed(0)
    chest = torch.rand(1, 1, *SHAPE) * 2 - 1
    saturated = chest.clamp(max=1 - 100 / 750)  # a window that ends at +150 HU, as in half of the data
    noisy = chest + 0.02 * torch.randn_like(chest)
    seen, seen_saturated, seen_noisy = (
        as_discriminator_sees(volume, (5,), LEVEL_VIEW) for volume in (chest, saturated, noisy)
    )
    assert torch.allclose(seen, seen_saturated, atol=1e-6)
    assert (seen - seen_noisy).std() < 0.5 * (chest - noisy).std()
    assert torch.equal(as_discriminator_sees(chest, (5,), DiscriminatorView()), chest)


def test_evidence_tells_a_discriminator_of_the_source_from_one_of_the_disease():
    """A D that goes by a mark of the source, and one that goes by lesions."""
    settings, crops = SMOKE, tiny_crops()
    for name, crop in crops.items():
        crop.hu[:, 0, 0] = 200 if not name.startswith("healthy") else -1200  # the mark of the source

    class Source(torch.nn.Module):
        def forward(self, x):
            return x[:, 0, :, 0, 0].mean(1)

    class Disease(torch.nn.Module):
        def forward(self, x):
            return ((x > -0.1) & (x < 0.4)).float().mean((1, 2, 3, 4)) - 2e-4

    state, names = new_state(settings, CPU), names_by_role(crops)
    found = {}
    for judge in (Source, Disease):
        networks = type(state.networks)(state.networks.segmenter, state.networks.generator, judge())
        found[judge] = discriminator_evidence(
            networks,
            crops,
            names["labelled"] + names["validation"],
            names["diseased"],
            names["healthy"],
            settings,
            CPU,
        )
    assert found[Source].accuracy == 1.0
    assert found[Source].source_balanced_accuracy == 0.5
    assert found[Source].goes_by_the_source
    assert found[Disease].source_balanced_accuracy > 0.9
    assert not found[Disease].goes_by_the_source
    assert not DiscriminatorEvidence(1.0, 0.5, 1).goes_by_the_source


@pytest.mark.parametrize(
    ("diseased", "healthy", "word"),
    [(0.0, 0.0, "next to nothing"), (0.95, 0.1, "whole lung"), (0.05, 0.05, "vessels")],
)
def test_collapse_is_told_once_and_a_sound_training_is_not_disturbed(diseased, healthy, word):
    watch = CollapseWatch()
    findings = [watch.look(diseased, healthy) for _ in range(3 * SETTLED)]
    told = [finding for finding in findings if finding is not None]
    assert len(told) == 1 and word in told[0][0] and told[0][1]
    sound = CollapseWatch()
    assert not any(sound.look(0.1, 0.001) for _ in range(3 * SETTLED))


def test_validation_of_a_perfect_and_of_an_empty_prediction():
    crops = tiny_crops()
    names = names_by_role(crops)["validation"]

    class Threshold(torch.nn.Module):
        """Lesions of the tiny lungs lie between −650 and −150 HU."""

        def forward(self, x):
            return torch.where((x > -0.2) & (x < 0.46), 9.0, -9.0)

    class Nothing(torch.nn.Module):
        def forward(self, x):
            return torch.full_like(x, -9.0)

    perfect, nothing = (validate(judge(), crops, names, SMOKE, CPU) for judge in (Threshold, Nothing))
    assert perfect.score > 0.98 and perfect.threshold == 0.5
    assert nothing.score == 0.0 and nothing.specificity.mean == 1.0


def test_a_preview_shows_all_volumes(networks, batch, tmp_path):
    volumes = preview_volumes(networks, batch["diseased"], batch["healthy"], SMOKE)
    assert set(volumes) == {
        "diseased",
        "mask",
        "generated",
        "synthetic healthy",
        "healthy",
        "pseudo-labelled",
        "pseudo mask",
    }
    write_preview(tmp_path / "preview.png", volumes, "Iteration 1")
    assert (tmp_path / "preview.png").read_bytes()[:4] == b"\x89PNG"
    (tmp_path / "taken").mkdir()
    with pytest.raises(ResourceError, match="taken"):
        write_preview(tmp_path / "taken", volumes, "Iteration 1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["preview.png", "taken"]


def test_beyond_its_reach_the_segmenter_is_not_heard_and_not_taught(networks):
    near_only = changed(SMOKE, {"reach_mm": 8.0, "result_reach_mm": 4.0})
    crop = tiny_crops()["labelled0"]
    volume = whole_volume(crop, near_only, CPU)
    assert 0 < volume.near.mean() < 1
    logits = networks.segment(volume.image, volume.near)
    assert logits[volume.near == 0].sigmoid().max() < 1e-12
    networks.segmenter.zero_grad()
    logits[volume.near == 0].sum().backward()
    assert all(p.grad is None or p.grad.abs().max() == 0 for p in networks.segmenter.parameters())
    probability = predicted(networks.segmenter, crop, near_only, CPU)
    assert probability[volume.near[0, 0].numpy() == 0].max() < 1e-12
