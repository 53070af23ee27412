"""Model packages: what is saved is what is loaded; anything else is refused, and nothing is executed."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from GASNetLib.errors import ModelError, ResourceError
from GASNetLib.model import (
    DEFAULT_PREPROCESSING,
    METADATA_KEY,
    ModelInfo,
    find_models,
    load_model,
    read_model_info,
    save_model,
    starter_model_path,
)
from GASNetLib.networks import create_generator, create_segmenter

ARCHITECTURE = {"name": "unet", "channels": 4, "levels": 3}


@pytest.fixture
def segmenter():
    torch.manual_seed(0)
    return create_segmenter(ARCHITECTURE)


@pytest.fixture
def package(tmp_path, segmenter):
    path = tmp_path / "tiny.safetensors"
    info = ModelInfo("tiny", ARCHITECTURE, threshold=0.4, metrics={"dice": 0.5}, licence="CC0")
    save_model(path, info, segmenter)
    return path


def rewritten(package, **changes):
    """The package with other fields in its description (None removes one), weights untouched."""
    with safe_open(package, framework="numpy") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        stored = json.loads(file.metadata()[METADATA_KEY])
    stored = {key: value for key, value in (stored | changes).items() if value is not None}
    save_file(tensors, package, {METADATA_KEY: json.dumps(stored)})
    return package


def test_the_loaded_network_computes_the_same(package, segmenter):
    model = load_model(package)
    x = torch.randn(1, 1, 16, 24, 24)
    with torch.no_grad():
        torch.testing.assert_close(model.segmenter(x), segmenter.eval()(x), rtol=1e-4, atol=1e-5)
    assert not model.segmenter.training
    assert model.generator is None


def test_a_generator_travels_with_it(tmp_path, segmenter):
    generator = create_generator({})
    path = tmp_path / "both.safetensors"
    save_model(path, ModelInfo("both", ARCHITECTURE), segmenter, generator)
    loaded = load_model(path)
    assert loaded.info.generator == generator.architecture
    for key, value in generator.state_dict().items():
        torch.testing.assert_close(loaded.generator.state_dict()[key], value)


def test_loading_does_not_import_the_compiler(tmp_path, segmenter):
    """torch._dynamo takes seconds, and crashed Slicer by way of triton."""
    path = tmp_path / "both.safetensors"
    save_model(path, ModelInfo("both", ARCHITECTURE), segmenter, create_generator({}))
    program = f"""import sys
from GASNetLib.model import load_model
load_model({str(path)!r})
sys.exit("torch._dynamo" in sys.modules)"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0


def test_the_description_is_read_without_the_weights(package, segmenter):
    saved = save_model(package, ModelInfo("tiny", {}, threshold=0.4, licence="CC0"), segmenter)
    info = read_model_info(package)
    assert info == saved
    assert info.segmenter == segmenter.architecture
    assert (info.name, info.threshold, info.licence) == ("tiny", 0.4, "CC0")
    assert len(info.sha256) == 64


def test_two_files_with_the_same_content_have_the_same_hash(tmp_path, segmenter):
    infos = [
        save_model(tmp_path / f"{n}.safetensors", ModelInfo("m", {}), segmenter) for n in ("first", "second")
    ]
    assert infos[0].sha256 == infos[1].sha256


def test_a_truncated_file_is_refused(package):
    package.write_bytes(package.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        load_model(package)
    with pytest.raises(ModelError, match="damaged"):
        read_model_info(package)


def test_a_pickle_is_refused_and_not_executed(tmp_path):
    marker = tmp_path / "executed"

    class Bomb:
        def __reduce__(self):
            return (marker.write_text, ("boom",))

    path = tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match="no model file"):
        load_model(path)
    assert not marker.exists()


def test_a_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, path)
    with pytest.raises(ModelError, match="another program"):
        load_model(path)


def test_altered_weights_are_refused(package):
    content = bytearray(package.read_bytes())
    content[-5] ^= 0x40
    package.write_bytes(content)
    with pytest.raises(ModelError, match="checksum"):
        load_model(package)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 99}, "format 99"),
        ({"segmenter": None}, "incomplete"),
        ({"preprocessing": {"shape": [40, 160]}}, "incomplete"),
        ({"preprocessing": {"shape": [4, 4, 4], "window_hu": [-1250, 250], "margin_mm": 5}}, "no sense"),
        ({"preprocessing": {**DEFAULT_PREPROCESSING, "patch": [4, 4, 4]}}, "no sense"),
        ({"preprocessing": {"shape": [40, 160, 160], "window_hu": [0, 1], "margin_mm": 5}}, "no sense"),
        ({"threshold": 7}, "no sense"),
        ({"threshold": "0.3"}, "no sense"),
        ({"segmenter": {"name": "unet", "channels": 256, "levels": 7}}, "do not fit"),
        ({"segmenter": {"name": "unet", "channels": 8, "levels": 3}}, "do not fit"),
        ({"segmenter": {"name": "os.system"}}, "do not fit"),
        ({"segmenter": "rm"}, "no sense"),
        ({"generator": []}, "no sense"),
        ({"name": 7}, "no sense"),
        ({"licence": {"spdx": "MIT"}}, "no sense"),
        ({"training": "long"}, "no sense"),
        ({"metrics": [0.9]}, "no sense"),
    ],
)
def test_a_description_that_does_not_hold_is_refused(package, changes, says):
    with pytest.raises(ModelError, match=says):
        load_model(rewritten(package, **changes))


@pytest.mark.parametrize(
    ("levels", "changes", "size"),
    [
        (7, {}, "40×160×160"),
        (5, {"shape": [16, 16, 16]}, "16×16×16"),
        (5, {"patch": [16, 16, 16]}, "16×16×16"),
        (5, {"shape": [16, 31, 31], "patch": [16, 48, 48]}, "16×31×31"),
    ],
)
def test_a_network_with_too_many_levels_for_its_crops_is_refused(tmp_path, levels, changes, size):
    path = tmp_path / "deep.safetensors"
    network = create_segmenter({"name": "vbnet", "channels": 1, "levels": levels})
    save_model(path, ModelInfo("deep", {}, preprocessing={**DEFAULT_PREPROCESSING, **changes}), network)
    with pytest.raises(ModelError, match=f"too many levels for {size} voxels"):
        load_model(path)


def test_numbers_of_a_kind_that_is_not_read_are_refused(package):
    with safe_open(package, framework="numpy") as file:
        metadata = file.metadata()
    save_torch_file({"segmenter.head.bias": torch.zeros(1, dtype=torch.bfloat16)}, package, metadata)
    with pytest.raises(ModelError, match="no model file"):
        load_model(package)


def test_weights_that_are_no_numbers_are_refused(package, segmenter):
    with torch.no_grad():
        segmenter.head.bias.fill_(float("nan"))
    save_model(package, ModelInfo("diverged", {}), segmenter)
    with pytest.raises(ModelError, match="not numbers"):
        load_model(package)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"no model file .*nowhere"):
        load_model(tmp_path / "nowhere.safetensors")


def test_a_package_appears_whole_or_not_at_all(package, segmenter, tmp_path):
    before = package.read_bytes()
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    with pytest.raises(ResourceError):
        save_model(in_the_way / "m.safetensors", ModelInfo("m", {}), segmenter)
    save_model(package, replace(read_model_info(package), name="new"), segmenter)
    assert package.read_bytes() != before
    assert [p.name for p in find_models(tmp_path)] == ["tiny.safetensors"]
    assert not list(tmp_path.glob("*.part"))


def test_the_starter_model_is_there_and_small():
    path = starter_model_path()
    assert path is not None
    assert path.stat().st_size <= 25 * 2**20
    info = load_model(path).info
    assert info.licence and info.training and info.metrics
