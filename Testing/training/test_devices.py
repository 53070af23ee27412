"""Whole updates on a device that is not the CPU, where there is none: on tensors without values (``meta``),
with operations on tensors of two devices refused as a GPU would.
"""

from __future__ import annotations

import importlib
from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from GASNetLib.training import augmentation, objective, update
from GASNetLib.training.batches import read_sample, whole_volume
from GASNetLib.training.data_order import DataOrder, requests_of
from GASNetLib.training.distributed import World
from GASNetLib.training.presets import preset
from GASNetLib.training.settings import Settings, changed
from GASNetLib.training.state import new_state, update_average
from training.tiny_cohort import names_by_role, tiny_crops

ELSEWHERE = torch.device("meta")


class OneDevice(TorchDispatchMode):
    """Within, operations take tensors of one device and single numbers of the CPU; only copies take two."""

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        tensors = [leaf for leaf in tree_leaves((arguments, options)) if isinstance(leaf, torch.Tensor)]
        devices = {tensor.device for tensor in tensors if tensor.dim() or tensor.device.type != "cpu"}
        if len(devices) > 1 and operation is not torch.ops.aten.copy_.default:
            raise RuntimeError(f"{operation} on several devices: {devices}")
        return operation(*arguments, **(options or {}))


@pytest.fixture(autouse=True)
def what_that_device_lacks(monkeypatch):
    """Random numbers of a seed, automatic precision, and the fused step."""
    for user in (augmentation, objective):
        monkeypatch.setattr(user, "gaussian", lambda shape, seed, device: torch.randn(shape, device=device))
    monkeypatch.setattr(update, "autocast", lambda settings, device: nullcontext())
    optimizer = importlib.import_module("torch.optim.optimizer")
    supported = lambda: ["cuda", ELSEWHERE.type]  # noqa: E731
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", supported)


def small(name: str) -> Settings:
    """A preset with all its terms at once, and every change of intensities in every volume."""
    changes = {"batch": 2, "micro_batch": 1, "patch": [16, 32, 32], "terms.ps": 0, "lesion_centred": 0.5}
    if name != "paper":
        changes |= {f"augmentation.{what}": 1.0 for what in ("blur", "thick", "window", "eight_bit")}
        changes |= {f"terms.{term}": 0 for term in ("gan", "ig_to_d", "id_to_d", "recons", "mil", "repair")}
    return changed(preset(name), changes)


def iterate(settings: Settings) -> dict[str, torch.Tensor]:
    """One update of D and one of S and G, and what a validation computes; the losses and results."""
    crops = tiny_crops()
    order = DataOrder(names_by_role(crops), 0)
    samples = {
        (request.update, request.role): [read_sample(crops, draw) for draw in order.draws(request, settings)]
        for request in requests_of(settings, 0)
    }
    with OneDevice():
        state = new_state(settings, ELSEWHERE)
        updater = update.Updater(settings, state, World(), print)
        losses = {}
        for number, trained in ((0, ["discriminator"]), (settings.theta, ["segmenter", "generator"])):
            own = {role: found for (at, role), found in samples.items() if at == number}
            losses |= updater.update(own, settings.terms.active(0), *trained)
        update_average(state, settings.optimisation.ema)
        networks, volume = state.networks, whole_volume(crops["validation0"], settings, ELSEWHERE)
        losses["validated"] = networks.segment(volume.image, volume.near)
        seen = objective.as_discriminator_sees(volume.image, volume.seeds, settings.discriminator_view)
        losses["probed"] = networks.discriminator(seen)
    return losses


@pytest.mark.parametrize("name", ["paper", "improved"])
def test_an_iteration_mixes_no_devices(name):
    losses = iterate(small(name))
    assert {"d_gan", "gan", "ps", "recons", "gradient_discriminator", "gradient_generator"} <= set(losses)
    assert {value.device for value in losses.values()} == {ELSEWHERE}


def test_a_tensor_left_on_the_cpu_is_noticed(monkeypatch):
    monkeypatch.setattr(objective, "gaussian", lambda shape, seed, device: torch.zeros(shape))
    with pytest.raises(RuntimeError, match="several devices"):
        iterate(small("improved"))
