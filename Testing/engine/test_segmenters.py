"""The three segmenters behind one interface."""

from __future__ import annotations

import pytest
import torch

from GASNetLib.networks import SEGMENTERS, create_segmenter


@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize("shape", [(16, 32, 32), (20, 33, 41)])
def test_gives_a_logit_for_each_voxel_of_any_size(name, shape):
    network = create_segmenter({"name": name, "channels": 4})
    assert network(torch.randn(2, 1, *shape)).shape == (2, 1, *shape)


@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize(
    ("levels", "shape"),
    [(5, (16, 16, 32)), (5, (16, 16, 16)), (5, (17, 19, 23)), (2, (2, 2, 4)), (3, (4, 3, 9)), (3, (4, 7, 7))],
)
def test_it_says_which_sizes_it_cannot_work_on(name, levels, shape):
    network = create_segmenter({"name": name, "channels": 1, "levels": levels})
    if network.config.fits(shape):
        assert network(torch.zeros(1, 1, *shape)).shape == (1, 1, *shape)
    else:
        with pytest.raises((ValueError, RuntimeError)):
            network(torch.zeros(1, 1, *shape))


@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize("full_resolution_norm", ["instance", "none"])
def test_its_architecture_builds_the_same_network_again(name, full_resolution_norm):
    torch.manual_seed(0)
    network = create_segmenter(
        {"name": name, "channels": 4, "levels": 3, "full_resolution_norm": full_resolution_norm}
    ).eval()
    again = create_segmenter(network.architecture).eval()
    again.load_state_dict(network.state_dict())
    x = torch.randn(1, 1, 16, 24, 24)
    torch.testing.assert_close(network(x), again(x))


@pytest.mark.parametrize("name", SEGMENTERS)
def test_every_parameter_learns(name):
    torch.manual_seed(0)
    network = create_segmenter({"name": name, "channels": 4, "levels": 3})
    network(torch.randn(2, 1, 16, 24, 24)).square().mean().backward()
    silent = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_without_norm_at_full_resolution_absolute_density_reaches_the_skip():
    """Instance normalisation removes a constant offset before the first skip connection; none keeps it."""

    def first_level_change(kind: str) -> float:
        torch.manual_seed(0)
        config = {"channels": 4, "levels": 2, "full_resolution_norm": kind}
        encoder = create_segmenter(config).eval().encoders[0]
        x = torch.randn(1, 1, 16, 24, 24)
        # The zero padding at the border sees the offset either way: look at the inside.
        before, after = (encoder(image)[..., 4:-4, 4:-4, 4:-4] for image in (x, x + 1.0))
        return ((after - before).abs().mean() / before.std()).item()

    assert first_level_change("none") > 3 * first_level_change("instance")


@pytest.mark.parametrize(
    "architecture",
    [
        {"name": "transformer"},
        {"chanels": 8},
        {"channels": 0},
        {"levels": 99},
        {"norm": "batch"},
    ],
)
def test_refuses_what_it_cannot_build(architecture):
    with pytest.raises(ValueError):
        create_segmenter(architecture)
