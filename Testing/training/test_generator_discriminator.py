"""The generator and the discriminator: shapes, start, spectral norm; gradients in bfloat16."""

from __future__ import annotations

import pytest
import torch

from GASNetLib.networks import create_discriminator, create_generator, create_segmenter
from GASNetLib.networks.blocks import normalisation, upsampled
from GASNetLib.networks.generator import OneChannelConv


@pytest.mark.parametrize("size", [(16, 32, 32), (17, 30, 35), (40, 16, 21)])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_generator_gives_one_volume_of_the_same_size_within_the_window(size, upsampling):
    torch.manual_seed(0)
    generator = create_generator({"channels": 4, "residual_blocks": 1, "upsampling": upsampling})
    out = generator(torch.randn(2, 1, *size) * 3)
    assert out.shape == (2, 1, *size)
    assert out.abs().max() <= 1


def test_generator_with_identity_starts_by_changing_nothing_but_learns():
    torch.manual_seed(0)
    x = torch.rand(1, 1, 16, 32, 32) * 1.8 - 0.9
    generator = create_generator({"channels": 4, "identity": True})
    assert torch.allclose(generator(x), x, atol=1e-5)
    generator(x).mean().backward()
    assert generator.head.weight.grad.abs().max() > 0


@pytest.mark.parametrize(("upsampling", "striped"), [("transposed", True), ("resize", False)])
def test_transposed_convolutions_leave_stripes_on_even_tissue_and_resizing_does_not(upsampling, striped):
    torch.manual_seed(0)
    generator = create_generator(
        {"channels": 4, "residual_blocks": 0, "norm": "none", "upsampling": upsampling}
    )
    with torch.no_grad():
        for layer in (generator.stem[0], *generator.downs, *generator.ups, generator.head):
            layer.weight.mul_(5)  # CycleGAN's start is so small that the stripes are too
        inside = generator(torch.full((1, 1, 64, 64, 64), 0.5))[0, 0, 20:44, 20:44, 20:44]
    assert (inside.std() / inside.mean().abs() > 0.01) == striped
    if not striped:
        assert inside.std() < 1e-6


def same_with_gradients(ours, plain, x: torch.Tensor, *parameters: torch.Tensor) -> None:
    """Both functions of a volume give the same, and the same gradients."""
    values, expected = ours(x), plain(x)
    assert torch.allclose(values, expected, atol=1e-5)
    upstream, inputs = torch.randn_like(expected), (x, *parameters)
    found = torch.autograd.grad(values, inputs, upstream)
    for one, other in zip(found, torch.autograd.grad(expected, inputs, upstream), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4 * other.abs().max().item())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("size", [(10, 12, 14), (9, 13, 15), (5, 6, 7)])
def test_interpolation_by_products_is_the_trilinear_one(size, layout):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 6, 7).contiguous(memory_format=layout).requires_grad_()

    def plain(x):
        return torch.nn.functional.interpolate(x, size=size, mode="trilinear", align_corners=False)

    with torch.inference_mode():  # what is remembered from here must serve gradients too
        assert torch.allclose(upsampled(x, torch.Size(size)), plain(x), atol=1e-5)
    same_with_gradients(lambda x: upsampled(x, torch.Size(size)), plain, x)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_normalisation_is_that_of_each_channel(layout):
    torch.manual_seed(0)
    x = (torch.randn(2, 4, 16, 48, 48) * 3 + 5).contiguous(memory_format=layout).requires_grad_()
    ours = normalisation("instance", 4)
    torch.nn.init.normal_(ours.weight)
    same_with_gradients(ours, lambda x: torch.nn.InstanceNorm3d.forward(ours, x), x, ours.weight, ours.bias)


def test_a_convolution_to_one_channel_by_the_slices_of_its_kernel_is_the_plain_one():
    torch.manual_seed(0)
    ours, x = OneChannelConv(3, 7), torch.randn(2, 3, 8, 9, 10, requires_grad=True)
    same_with_gradients(ours, lambda x: torch.nn.Conv3d.forward(ours, x), x, ours.weight, ours.bias)


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_the_gradient_of_a_batch_is_the_mean_of_those_of_its_volumes(upsampling):
    torch.manual_seed(0)
    generator = create_generator({"channels": 4, "residual_blocks": 1, "upsampling": upsampling})
    x = torch.randn(2, 1, 16, 32, 32).clamp(-1, 1).contiguous(memory_format=torch.channels_last_3d)

    def gradients(volumes: torch.Tensor) -> list[torch.Tensor]:
        loss = (generator(volumes) - 0.3).abs().mean()
        # The others' biases are taken out again by the normalisation: theirs is 0 within rounding.
        return torch.autograd.grad(loss, [p for p in generator.parameters() if p.dim() > 1])

    apart = zip(*(gradients(x[k : k + 1]) for k in range(2)), strict=True)
    for whole, parts in zip(gradients(x), apart, strict=True):
        assert torch.allclose(whole, sum(parts) / 2, rtol=1e-3, atol=1e-3 * whole.abs().max().item())


def test_discriminator_gives_one_logit_per_volume():
    assert create_discriminator({"channels": 4})(torch.zeros(3, 1, 24, 32, 40)).shape == (3,)


def test_spectral_norm_of_every_convolution_tends_to_one():
    torch.manual_seed(0)
    discriminator = create_discriminator({"channels": 4})
    for _ in range(30):
        discriminator.step_spectral_norm()
    weights = [layer.weight for layer in discriminator.body if isinstance(layer, torch.nn.Conv3d)]
    assert len(weights) == 5
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_forward_passes_leave_the_spectral_norm_alone_so_that_micro_batches_agree():
    torch.manual_seed(0)
    discriminator = create_discriminator({"channels": 4})
    x = torch.randn(4, 1, 16, 32, 32)
    whole = discriminator(x)
    assert torch.allclose(whole, torch.cat([discriminator(part) for part in x.split(1)]), atol=1e-6)


@pytest.mark.parametrize("create", [create_generator, create_discriminator])
@pytest.mark.parametrize("architecture", [{"channels": 0}, {"depth": 3}, {"upsampling": "none"}])
def test_impossible_architectures_are_refused(create, architecture):
    with pytest.raises(ValueError):
        create(architecture)


def test_architecture_builds_the_same_network():
    for network, create in [
        (create_generator({"channels": 3, "identity": True, "upsampling": "resize"}), create_generator),
        (create_discriminator({"channels": 3, "levels": 2}), create_discriminator),
    ]:
        create(network.architecture).load_state_dict(network.state_dict())


def gradients(network: torch.nn.Module, x: torch.Tensor, bf16: bool) -> list[torch.Tensor]:
    network.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        out = network(x)
    out.float().square().sum().backward()
    return [parameter.grad.clone() for parameter in network.parameters()]


@pytest.mark.parametrize(
    "network",
    [
        create_discriminator({"channels": 8, "levels": 3}),
        create_segmenter({"channels": 4, "levels": 4, "norm": "none", "full_resolution_norm": "none"}),
    ],
    ids=["D", "S"],
)
def test_layers_whose_volume_is_thinner_than_the_kernel_have_true_gradients_in_bfloat16(network):
    """At a depth of 16 the deepest layers see 2 or 3 slices, where the library's gradient is garbage."""
    torch.manual_seed(0)
    network.to(memory_format=torch.channels_last_3d)
    x = torch.rand(2, 1, 16, 32, 32) * 2 - 1
    expected = gradients(network, x, bf16=False)
    found = gradients(network, x, bf16=True)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).norm() <= 0.3 * theirs.norm()
