"""Which model is in use: deploying overwrites nothing, and one step goes back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from GASNetLib import model_store
from GASNetLib.errors import ModelError, ResourceError
from GASNetLib.model import ModelInfo, save_model
from GASNetLib.model_store import ModelStore
from GASNetLib.networks import create_segmenter
from GASNetLib.run.process import exclusive


def make_model(path, seed: int):
    import torch

    torch.manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(
        path, ModelInfo(f"model {seed}", {}), create_segmenter({"name": "unet", "channels": 4, "levels": 3})
    )
    return path


@pytest.fixture
def starter(tmp_path, monkeypatch):
    path = make_model(tmp_path / "installed" / "starter.safetensors", 0)
    monkeypatch.setattr(model_store, "_starter", lambda: path)
    return path


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def test_starter_is_in_use_at_first(store, starter):
    assert store.in_use() == starter and store.models() == [starter]


def test_no_model_at_all_is_said(store, monkeypatch):
    monkeypatch.setattr(model_store, "_starter", lambda: None)

    with pytest.raises(ModelError, match="no model"):
        store.in_use()


def test_deployed_model_is_in_use_for_every_program(store, starter, tmp_path):
    deployed = store.deploy(make_model(tmp_path / "run" / "best.safetensors", 1))

    assert ModelStore(store.folder).in_use() == deployed
    assert store.models() == [starter, deployed]


def test_deploying_overwrites_nothing(store, starter, tmp_path):
    first = store.deploy(make_model(tmp_path / "a" / "best.safetensors", 1))
    content = first.read_bytes()

    second = store.deploy(make_model(tmp_path / "b" / "best.safetensors", 2))

    assert second.name == "best-2.safetensors" and first.read_bytes() == content
    assert store.in_use() == second


def test_same_model_is_not_kept_twice(store, starter, tmp_path):
    path = make_model(tmp_path / "a" / "best.safetensors", 1)

    assert store.deploy(path) == store.deploy(path)
    assert len(store.models()) == 2


def test_roll_back_to_the_starter_and_no_further(store, starter, tmp_path):
    first = store.deploy(make_model(tmp_path / "a" / "one.safetensors", 1))
    store.deploy(make_model(tmp_path / "b" / "two.safetensors", 2))

    assert store.roll_back() == first
    assert store.roll_back() == starter
    with pytest.raises(ModelError, match="No other model"):
        store.roll_back()


def test_deleted_model_falls_back(store, starter, tmp_path):
    store.deploy(make_model(tmp_path / "a" / "one.safetensors", 1)).unlink()

    assert store.in_use() == starter


def test_foreign_files_are_refused(store, starter, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"nonsense")

    with pytest.raises(ModelError):
        store.deploy(tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="model folder"):
        store.use(make_model(tmp_path / "elsewhere" / "y.safetensors", 3))
    assert store.in_use() == starter


def test_folder_that_cannot_be_written_to(starter, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ResourceError, match="model folder"):
        ModelStore(tmp_path / "file" / "models").deploy(make_model(tmp_path / "a" / "one.safetensors", 1))


def test_damaged_choice_file_is_told_and_mended_by_a_new_choice(store, starter, tmp_path):
    first = store.deploy(make_model(tmp_path / "a" / "one.safetensors", 1))
    choice = store.folder / model_store.CHOICE_FILE
    choice.write_bytes(choice.read_bytes()[:-3])

    for ask in (store.in_use, store.roll_back):
        with pytest.raises(ModelError, match=r"in-use\.json is damaged"):
            ask()
    assert store.models() == [starter, first]

    store.use(first)
    assert store.in_use() == first and store.roll_back() == starter


DEPLOY = """
import sys, time
from pathlib import Path
from GASNetLib.model_store import ModelStore
from GASNetLib.run import process
from GASNetLib import model
folder, source, start = map(Path, sys.argv[1:])
print("ready", flush=True)
while not start.exists():
    time.sleep(0.001)
print(ModelStore(folder).deploy(source))
"""


def test_deploys_at_once_overwrite_and_forget_nothing(store, starter, tmp_path):
    sources = [make_model(tmp_path / str(seed) / "best.safetensors", seed) for seed in range(1, 7)]
    start = tmp_path / "start"
    commands = [[sys.executable, "-c", DEPLOY, str(store.folder), str(path), str(start)] for path in sources]
    deploying = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    for process in deploying:
        assert process.stdout.readline() == "ready\n"
    start.touch()
    deployed = [Path(process.communicate()[0].strip()) for process in deploying]

    assert len(set(deployed)) == len(sources)
    for source, path in zip(sources, deployed, strict=True):
        assert path.read_bytes() == source.read_bytes()
    before = [store.in_use(), *(store.roll_back() for _ in sources)]
    assert sorted(before[:-1]) == sorted(deployed) and before[-1] == starter


def test_a_change_waits_for_another_one(store, starter, tmp_path, monkeypatch):
    monkeypatch.setattr(model_store, "PATIENCE_S", 0.2)
    path = make_model(tmp_path / "a" / "one.safetensors", 1)
    store.folder.mkdir()

    with (
        exclusive(store.folder / model_store.LOCK_FILE),
        pytest.raises(ResourceError, match="Another program"),
    ):
        store.deploy(path)

    assert store.models() == [starter]
    assert store.deploy(path) == store.in_use()
