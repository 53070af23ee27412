"""A scene for each test. The tests run with slicer-core, and inside a real Slicer too."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from GASNetLib.model_store import ModelStore  # noqa: E402
from GASNetLib.phantom import make_phantom  # noqa: E402
from scene_samples import PROVENANCE, add_ct, evidence_of_phantom, write_tiny_model  # noqa: E402

LOGICS = {
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "volumes": "vtkSlicerVolumesLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
    "sequences": "vtkSlicerSequencesLogic",
}


@pytest.fixture
def scene(monkeypatch, tmp_path):
    """An empty scene: Slicer's own, or one of slicer-core with the logics it needs."""
    if hasattr(slicer, "app"):
        slicer.mrmlScene.Clear(0)
        yield slicer.mrmlScene
        slicer.mrmlScene.Clear(0)
        return
    scene = slicer.vtkMRMLScene()
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    monkeypatch.setattr(slicer, "modules", _modules(scene), raising=False)
    yield scene
    scene.Clear(1)


def _modules(scene) -> types.SimpleNamespace:
    modules = types.SimpleNamespace()
    vtk.vtkObject.GlobalWarningDisplayOff()  # they look for the desktop's terminologies and colours
    for name, class_name in LOGICS.items():
        logic = getattr(slicer, class_name)()
        logic.SetMRMLScene(scene)
        setattr(modules, name, types.SimpleNamespace(logic=lambda logic=logic: logic))
    vtk.vtkObject.GlobalWarningDisplayOn()
    return modules


@pytest.fixture(scope="session")
def phantom():
    """A sick chest, small."""
    return make_phantom(seed=3, shape=(48, 96, 96), lesions="moderate")


@pytest.fixture(scope="session")
def model_file(tmp_path_factory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.safetensors")


@pytest.fixture
def logic(scene, model_file, tmp_path):
    from GASNetSegmentLib.scene_logic import SceneLogic

    store = ModelStore(tmp_path / "models")
    store.deploy(model_file)
    return SceneLogic(store, tmp_path / "cases")


@pytest.fixture
def ct(scene, phantom):
    return add_ct(phantom)


@pytest.fixture
def segmented(logic, ct, phantom):
    """A CT with a finished result: the phantom's own lesions as what the AI found."""
    return logic.putResult(ct, None, evidence_of_phantom(phantom), PROVENANCE)
