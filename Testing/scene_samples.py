"""What tests of the scene and of the panel put into it: a synthetic CT, a finished result, an untrained
model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import slicer

from GASNetLib.model import ModelInfo, save_model


def add_ct(phantom, name: str = "CT", direction=None):
    """Put a phantom into the scene, perhaps with other axes (3×3, LPS)."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, phantom.hu)
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ phantom.geometry.index_to_physical
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    node.CreateDefaultDisplayNodes()
    return node


PROVENANCE = {
    "model": "tiny",
    "model_sha256": "0" * 64,
    "software_version": "0",
    "threshold": 0.5,
    "device": "cpu",
    "lungs_method": "network",
    "intensities": "hu",
    "created": "2026-01-01T00:00:00+00:00",
    "seconds": {},
    "notes": [],
}


def evidence_of_phantom(phantom) -> np.ndarray:
    """Probability 0.8 in the lesions and 0.3 around them; the phantom's lungs."""
    import SimpleITK as sitk

    near = sitk.GetArrayFromImage(sitk.BinaryDilate(sitk.GetImageFromArray(phantom.lesions), [1, 1, 1]))
    probability = np.where(phantom.lesions, 160, np.where(near, 60, 0))
    return np.stack([probability, phantom.lungs], axis=-1).astype(np.uint8)


def write_tiny_model(path: Path, with_generator: bool = False) -> Path:
    """An untrained model: it finds something everywhere, which is all these tests need."""
    import torch

    from GASNetLib.networks import create_generator, create_segmenter

    torch.manual_seed(0)
    info = ModelInfo(name="tiny with generator" if with_generator else "tiny", segmenter={})
    small = {**info.preprocessing, "shape": [16, 32, 32]}
    segmenter = create_segmenter({"name": "unet", "channels": 4, "levels": 3})
    generator = create_generator({"channels": 2, "residual_blocks": 1}) if with_generator else None
    save_model(path, replace(info, preprocessing=small), segmenter, generator)
    return path
