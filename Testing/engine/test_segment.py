"""segment(): from a CT to the probability on its own grid, with progress, cancel and fallback."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
import torch
from scipy.ndimage import distance_transform_edt

from GASNetLib.device import check_memory, choose_device, gpu_problem
from GASNetLib.errors import Cancelled, InputError, ModelError, NotAChestCT, ResourceError
from GASNetLib.geometry import Geometry
from GASNetLib.model import ModelInfo, load_model, save_model
from GASNetLib.networks import create_generator, create_segmenter
from GASNetLib.phantom import make_phantom
from GASNetLib.segment import restore_healthy, segment
from GASNetLib.volume import Volume, volume_from_array

PREPROCESSING = {"shape": [16, 48, 48], "window_hu": [-1250.0, 250.0], "margin_mm": 5.0}
SHAPE = (40, 64, 64)


@pytest.fixture(scope="module")
def volume() -> Volume:
    phantom = make_phantom(seed=1, shape=SHAPE, lesions="moderate")
    return volume_from_array(phantom.hu, phantom.geometry, "phantom")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network whose probability follows density: enough to tell places apart, without training."""
    torch.manual_seed(0)
    segmenter = create_segmenter(
        {"name": "unet", "channels": 4, "levels": 2, "norm": "none", "full_resolution_norm": "none"}
    )
    with torch.no_grad():
        logits = segmenter(torch.linspace(-1, 1, 16**3).reshape(1, 1, 16, 16, 16))
        segmenter.head.weight.div_(logits.std() / 2)
        segmenter.head.bias.zero_().sub_(segmenter(torch.zeros(1, 1, 16, 16, 16)).mean())
    info = ModelInfo("density", segmenter.architecture, preprocessing=PREPROCESSING)
    path = tmp_path_factory.mktemp("model") / "density.safetensors"
    save_model(path, info, segmenter, create_generator({}))
    return load_model(path)


@pytest.fixture(scope="module")
def result(volume, model):
    return segment(volume, model, device="cpu")


def test_the_result_lies_on_the_grid_of_the_ct(volume, model, result):
    assert result.probability.shape == volume.hu.shape
    assert result.probability.dtype == np.float32
    assert result.lungs.labels.shape == volume.hu.shape
    assert result.model == model.info
    assert result.device == "cpu"
    assert {"lungs", "crop", "network", "restore"} == set(result.seconds)


def test_nothing_is_found_outside_the_box_around_the_lungs(result):
    lungs = np.argwhere(result.lungs.labels)
    margin = np.ceil(6.0 / np.array(result.volume.geometry.spacing[::-1])).astype(int)
    outside = np.ones(result.probability.shape, bool)
    low, high = np.maximum(lungs.min(axis=0) - margin, 0), lungs.max(axis=0) + margin + 1
    outside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = False
    assert outside.any()
    assert (result.probability[outside] == 0).all()


def test_with_a_reach_nothing_is_found_far_from_the_lungs(volume, model, result):
    limited = replace(model, info=replace(model.info, preprocessing={**PREPROCESSING, "reach_mm": 10.0}))
    near = segment(volume, limited, device="cpu", lungs=result.lungs)
    spacing = volume.geometry.spacing[::-1]
    far = distance_transform_edt(result.lungs.labels == 0, sampling=spacing)
    # A corner of the box of ±10 mm, and the interpolation from the coarse grid.
    beyond = far > 10 * np.sqrt(3) + 2 * max(spacing) + 10
    assert (result.probability[beyond] > 0).any()
    assert (near.probability[beyond] == 0).all()
    inside = result.lungs.labels > 0
    assert np.allclose(near.probability[inside], result.probability[inside], atol=1e-6)


def test_images_of_0_to_255_are_seen_in_the_patches_that_the_network_learned_on(volume, model, result):
    in_patches = replace(model, info=replace(model.info, preprocessing={**PREPROCESSING, "patch": [16] * 3}))
    equalised = replace(volume, intensities="window")
    whole, parts = (segment(equalised, m, device="cpu", lungs=result.lungs) for m in (model, in_patches))
    difference = np.abs(parts.probability - whole.probability)[result.lungs.labels > 0]
    assert 0 < difference.mean() < 0.05
    of_hu = segment(volume, in_patches, device="cpu", lungs=result.lungs)
    np.testing.assert_array_equal(of_hu.probability, result.probability)


def test_images_of_0_to_255_are_seen_without_margin(volume, model, result):
    wider = replace(model, info=replace(model.info, preprocessing={**PREPROCESSING, "margin_mm": 20.0}))
    equalised = replace(volume, intensities="window")
    near, far = (segment(equalised, m, device="cpu", lungs=result.lungs).probability for m in (model, wider))
    np.testing.assert_array_equal(near, far)
    of_hu = segment(volume, wider, device="cpu", lungs=result.lungs).probability
    assert np.abs(of_hu - result.probability).max() > 0.01


def test_the_threshold_is_a_view(result):
    low, high = result.with_threshold(0.2), result.with_threshold(0.8)
    assert low.probability is result.probability
    np.testing.assert_array_equal(low.lesions, result.probability > 0.2)
    assert high.lesions.sum() < low.lesions.sum()


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0, float("nan")])
def test_a_threshold_that_is_none_is_refused(result, threshold):
    with pytest.raises(ValueError, match="between 0 and 1"):
        result.with_threshold(threshold)


def reoriented(volume: Volume, order: str) -> Volume:
    image = sitk.DICOMOrient(volume.geometry.image(volume.hu), order)
    return replace(volume, hu=sitk.GetArrayFromImage(image), geometry=Geometry.of(image))


@pytest.mark.parametrize("order", ["RAI", "LAS", "SPL", "PIR", "AIL"])
def test_the_orientation_of_the_storage_changes_nothing(volume, model, result, order):
    turned = segment(reoriented(volume, order), model, device="cpu")
    back = sitk.DICOMOrient(turned.volume.geometry.image(turned.probability), "LPS")
    assert Geometry.of(back).same_as(volume.geometry, tolerance_mm=0.01)
    difference = np.abs(sitk.GetArrayFromImage(back) - result.probability)
    assert np.mean(difference > 0.05) < 0.01


def test_a_rotated_patient_keeps_the_lesions_where_they_are(volume, model, result):
    """The same scene sampled on an oblique grid gives the same probability at the same places in mm."""
    angle = np.radians(12)
    c, s = np.cos(angle), np.sin(angle)
    direction = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    size = np.array([80, 80, 40])
    centre = volume.geometry.corners().mean(axis=0)
    origin = centre - direction @ (np.array(volume.geometry.spacing) * (size - 1) / 2)
    oblique = Geometry(
        tuple(size.tolist()), volume.geometry.spacing, tuple(origin), tuple(direction.flatten())
    )
    source = volume.geometry.image(volume.hu)
    grid = oblique.image(np.zeros(oblique.shape, np.int16))
    sampled = sitk.Resample(source, grid, sitk.Transform(), sitk.sitkLinear, -1024)
    turned = segment(Volume(sitk.GetArrayFromImage(sampled), oblique), model, lungs=None, device="cpu")
    back = sitk.Resample(oblique.image(turned.probability), source, sitk.Transform(), sitk.sitkLinear, 0.0)
    both = (sitk.GetArrayFromImage(back) > 0.05) & (result.probability > 0.05)
    assert both.sum() > 0.8 * (result.probability > 0.05).sum()
    assert np.corrcoef(sitk.GetArrayFromImage(back)[both], result.probability[both])[0, 1] > 0.85


def test_progress_rises_to_the_end(volume, model):
    seen = []
    segment(volume, model, device="cpu", progress=lambda stage, share: seen.append((stage, share)))
    shares = [share for _, share in seen]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert len({stage for stage, _ in seen}) >= 5


@pytest.mark.parametrize("stages", range(1, 6))
def test_cancel_stops_at_the_next_stage(volume, model, stages):
    asked = iter([False] * stages + [True] * 99)
    seen = []
    with pytest.raises(Cancelled):
        segment(
            volume,
            model,
            device="cpu",
            progress=lambda stage, share: seen.append(stage),
            cancelled=lambda: next(asked),
        )
    assert "Done" not in seen


def test_without_lungs_it_is_no_chest(model):
    water = np.full((40, 64, 64), -1000, np.int16)
    _, y, x = np.indices(water.shape)
    water[(y - 32) ** 2 + (x - 32) ** 2 < 400] = 0
    geometry = Geometry((64, 64, 40), (5.0, 5.0, 5.0))
    with pytest.raises(NotAChestCT):
        segment(Volume(water, geometry), model, device="cpu")


def test_lungs_without_a_lung_are_no_chest(volume, model, result):
    none = replace(result.lungs, labels=np.zeros_like(result.lungs.labels))
    with pytest.raises(NotAChestCT, match="No lungs are marked"):
        segment(volume, model, device="cpu", lungs=none)


def test_lungs_of_another_grid_are_refused(volume, model, result):
    grid = result.lungs.geometry
    moved = replace(result.lungs, geometry=replace(grid, origin=(grid.origin[0] + 1.0, *grid.origin[1:])))
    turned = replace(result.lungs, geometry=replace(grid, direction=(-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)))
    part = replace(result.lungs, labels=result.lungs.labels[:-1])
    for lungs in (moved, turned, part):
        with pytest.raises(InputError, match="do not lie on the grid of the CT"):
            segment(volume, model, device="cpu", lungs=lungs)


def test_too_large_a_ct_is_refused_with_what_it_needs(model):
    side = int(psutil.virtual_memory().total ** (1 / 3)) + 1  # one byte a voxel would fill the computer
    with pytest.raises(ResourceError, match=r"needs about [\d.]+ GB of memory, and [\d.]+ GB are free"):
        check_memory(Geometry((side, side, side), (0.1, 0.1, 0.1)), model.info)


@pytest.mark.parametrize("run", [segment, restore_healthy])
def test_the_memory_is_checked_before_anything_runs(model, run):
    side = int(psutil.virtual_memory().total ** (1 / 3)) + 1
    one = np.broadcast_to(np.int16(0), (side, side, side))  # takes no memory itself
    with pytest.raises(ResourceError, match=r"GB of memory"):
        run(Volume(one, Geometry(one.shape, (0.1, 0.1, 0.1))), model, device="cpu")


def test_the_device_is_one_that_works():
    works = gpu_problem() is None
    assert choose_device("auto") == ("cuda" if works else "cpu")
    assert choose_device("cpu") == "cpu"
    if not works:
        with pytest.raises(ResourceError, match="GPU cannot be used"):
            choose_device("cuda")
    with pytest.raises(ValueError, match="unknown device"):
        choose_device("tpu")


def test_restoring_changes_only_what_the_network_marks(volume, model, result):
    restored, difference = restore_healthy(volume, model, device="cpu", lungs=result.lungs)
    np.testing.assert_allclose(restored.hu, volume.hu + difference, atol=1e-3)
    assert np.abs(difference[result.probability == 0]).max() == 0
    assert np.abs(difference).max() > 0
    assert restored.geometry == volume.geometry


def test_a_network_that_gives_no_numbers_is_no_healthy_patient(volume, model):
    """Weights can be finite and their products not."""
    broken = copy.deepcopy(model.segmenter)
    with torch.no_grad():
        broken.head.weight.fill_(3e38)
        broken.encoders[0][0][0].weight.mul_(1e30)
    with pytest.raises(ModelError, match="not numbers"):
        segment(volume, replace(model, segmenter=broken), device="cpu")


@pytest.fixture
def lost_gpu(monkeypatch):
    """A device that takes a network and gives nothing back, as a GPU after an error in a kernel."""
    monkeypatch.setattr("GASNetLib.segment.choose_device", lambda wanted: "meta")


def test_where_a_gpu_is_lost_the_cpu_takes_over(volume, model, result, lost_gpu):
    fallen = segment(volume, model, lungs=result.lungs)
    assert fallen.device == "cpu"
    assert any("The GPU failed" in note and "CPU was used" in note for note in fallen.notes)
    np.testing.assert_array_equal(fallen.probability, result.probability)
    assert {p.device.type for p in model.segmenter.parameters()} == {"cpu"}  # it is the caller's


def test_restoring_falls_back_to_the_cpu_too(volume, model, result, request):
    expected, _ = restore_healthy(volume, model, device="cpu", lungs=result.lungs)
    request.getfixturevalue("lost_gpu")
    restored, _ = restore_healthy(volume, model, lungs=result.lungs)
    assert "The GPU failed" in restored.notes[-1]
    np.testing.assert_array_equal(restored.hu, expected.hu)


def test_a_generator_on_a_lost_gpu_says_so(volume, model, result):
    there = replace(model, generator=copy.deepcopy(model.generator).to("meta"))
    with pytest.raises(ResourceError, match="network could not be run"):
        restore_healthy(volume, there, device="cpu", lungs=result.lungs)


def test_restoring_looks_for_the_lungs_in_the_way_that_is_asked_for(volume, model, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ResourceError, match="lungmask"):
        restore_healthy(volume, model, device="cpu", lungs_method="lungmask")


def test_a_model_on_a_lost_gpu_says_so(volume, model, result, lost_gpu):
    there = replace(model, segmenter=copy.deepcopy(model.segmenter).to("meta"))
    with pytest.raises(ResourceError, match=r"network could not be run .* start this one again"):
        segment(volume, there, lungs=result.lungs)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(), RuntimeError("DefaultCPUAllocator: not enough")])
def test_what_the_cpu_cannot_do_is_said_in_a_sentence(volume, model, result, error):
    failing = copy.deepcopy(model.segmenter)

    def fail(network, given):
        raise error

    failing.register_forward_pre_hook(fail)
    with pytest.raises(ResourceError, match=r"not be run \((OutOfMemoryError|Default.*enough)\)\. Close"):
        segment(volume, replace(model, segmenter=failing), device="cpu", lungs=result.lungs)


def test_a_model_without_generator_says_so(volume, model):
    with pytest.raises(ModelError, match="no generator"):
        restore_healthy(volume, replace(model, generator=None))
