"""A model package: weights and everything needed to use them, in one ``.safetensors`` file.

The header of the file carries one JSON text (key ``gasnet``) with the fields of :class:`ModelInfo`. Loading
reads numbers and JSON, builds the network that the JSON names and checks that the weights fit; nothing in the
file is ever executed (safetensors is no pickle).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from .atomic import write_atomically
from .crop import NETWORK_SHAPE
from .errors import ModelError
from .file_digest import sha256_of
from .version import VERSION
from .volume import WINDOW_HU

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1
"""Version of the package format; a package of a newer one is refused."""

METADATA_KEY = "gasnet"
ENDING = ".safetensors"


TEXTS = ("name", "licence", "created", "software_version", "weights_sha256")
OBJECTS = ("segmenter", "preprocessing", "training", "metrics")
"""Fields of :class:`ModelInfo` of either kind, as a package must hold them."""

DEFAULT_PREPROCESSING = {
    "shape": list(NETWORK_SHAPE),
    "window_hu": list(WINDOW_HU),
    "margin_mm": 5.0,
    "reach_mm": None,
    "patch": None,
}


@dataclass(frozen=True)
class ModelInfo:
    """What a model package says of itself.

    Attributes:
        name: shown to people.
        segmenter, generator: architectures as the networks give them; ``generator`` None if there is none.
        preprocessing: ``shape`` (depth, height, width), ``window_hu`` (low, high), ``margin_mm`` of the box,
            ``reach_mm`` around the lungs beyond which no lesion is looked for (None: no limit), ``patch``
            (depth, height, width) that the networks learned on (None: whole crops).
        threshold: probability above which a voxel is lesion.
        training: provenance: data, recipe, seed, duration, parent model.
        metrics: figures on data the model was not trained on, as the model card gives them.
        licence: of the weights, following the data they were trained on.
        created: ISO date. software_version: of the program that wrote it.
        weights_sha256: hash of the tensors, checked on loading.
        sha256: hash of the whole file; filled on reading, not stored in it.
    """

    name: str
    segmenter: dict
    generator: dict | None = None
    preprocessing: dict = field(default_factory=lambda: dict(DEFAULT_PREPROCESSING))
    threshold: float = 0.5
    training: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    licence: str = ""
    created: str = ""
    software_version: str = VERSION
    weights_sha256: str = ""
    sha256: str = ""
    format: int = FORMAT


@dataclass(frozen=True)
class Model:
    """A model ready to use: networks in evaluation mode on one device."""

    info: ModelInfo
    segmenter: nn.Module
    generator: nn.Module | None = None


def save_model(
    path: str | Path, info: ModelInfo, segmenter: nn.Module, generator: nn.Module | None = None
) -> ModelInfo:
    """Write a package; the file appears whole or not at all.

    Returns:
        The info as stored, with its hashes.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    path = Path(path)
    tensors = _named_tensors(segmenter, "segmenter.")
    if generator is not None:
        tensors |= _named_tensors(generator, "generator.")
    info = replace(
        info,
        segmenter=segmenter.architecture,
        generator=None if generator is None else generator.architecture,
        weights_sha256=_hash_of(tensors),
    )
    stored = {key: value for key, value in asdict(info).items() if key != "sha256"}
    content = serialise(tensors, {METADATA_KEY: json.dumps(stored)})
    write_atomically(path, content)
    return replace(info, sha256=hashlib.sha256(content).hexdigest())


def read_model_info(path: str | Path) -> ModelInfo:
    """The info of a package; the weights are not loaded, and torch is not needed.

    Raises:
        ModelError: no such file, truncated, of another program, or of a newer version.
    """
    return _read(Path(path), with_weights=False)[0]


def load_model(path: str | Path, device: str = "cpu") -> Model:
    """Networks of a package on a device.

    Raises:
        ModelError: as :func:`read_model_info`; also altered weights, or weights that do not fit the network.
    """
    from .networks import create_generator, create_segmenter

    path = Path(path)
    info, tensors = _read(path, with_weights=True)
    if _hash_of(tensors) != info.weights_sha256:
        raise ModelError(
            f"The weights in {path.name} are not those that were saved: the checksum differs.",
            "Get the file again from where it came.",
        )
    segmenter = _built(create_segmenter, info.segmenter, tensors, "segmenter.", device, path)
    _refuse_too_small(segmenter, info.preprocessing, path)
    generator = None
    if info.generator is not None:
        generator = _built(create_generator, info.generator, tensors, "generator.", device, path)
    return Model(info, segmenter, generator)


def starter_model_path() -> Path | None:
    """The model that comes with GASNet, or None where it is not installed."""
    here = Path(__file__).resolve().parent
    # In the source tree, in an installed extension (beside the modules' scripts), in the package of pip.
    places = [here.parent.parent, here.parent, here]
    found = [path for place in places for path in find_models(place / "Resources" / "Models")]
    return found[0] if found else None


def find_models(folder: str | Path) -> list[Path]:
    """Files with the ending of a model package in a folder, by name; empty where there is no such folder."""
    return sorted(Path(folder).glob(f"*{ENDING}"))


def _named_tensors(network: nn.Module, prefix: str) -> dict[str, np.ndarray]:
    state = network.state_dict()
    return {prefix + key: value.detach().cpu().contiguous().numpy() for key, value in state.items()}


def _hash_of(tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(f"{key} {tensors[key].dtype} {tensors[key].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[key]).tobytes())
    return digest.hexdigest()


def _read(path: Path, with_weights: bool) -> tuple[ModelInfo, dict[str, np.ndarray]]:
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.", "Choose another model.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()} if with_weights else {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:  # also: bfloat16
        raise ModelError(
            f"{path.name} is no model file, or it is damaged ({error}).",
            "Get the file again from where it came.",
        ) from error
    info = _parsed(metadata.get(METADATA_KEY), path)
    return replace(info, sha256=sha256_of(path)), tensors


def _parsed(text: str | None, path: Path) -> ModelInfo:
    if text is None:
        raise ModelError(
            f"{path.name} was made by another program: it carries no GASNet description.",
            "Choose a model saved by GASNet.",
        )
    try:
        stored = json.loads(text)
        version = stored["format"]
        if isinstance(version, int) and version > FORMAT:
            raise ModelError(
                f"{path.name} has format {version}; this program reads up to {FORMAT}.", "Update GASNet."
            )
        known = {f.name for f in fields(ModelInfo)}
        info = ModelInfo(**{key: value for key, value in stored.items() if key in known})
        sound = all(isinstance(getattr(info, key), str) for key in TEXTS)
        sound = sound and all(isinstance(getattr(info, key), dict) for key in OBJECTS)
        sound = sound and isinstance(info.generator, (dict, type(None)))
        depth, height, width = (int(n) for n in info.preprocessing["shape"])
        low, high = (float(v) for v in info.preprocessing["window_hu"])
        sound = sound and min(depth, height, width) >= 16 and max(depth, height, width) <= 1024
        sound = sound and (low, high) == WINDOW_HU
        sound = sound and isinstance(info.threshold, float) and 0.0 < info.threshold < 1.0
        sound = sound and 0.0 <= float(info.preprocessing["margin_mm"]) <= 100.0
        reach = info.preprocessing.get("reach_mm")
        sound = sound and (reach is None or 0.0 <= float(reach) <= 100.0)
        patch = info.preprocessing.get("patch")
        sound = sound and (patch is None or (len(patch) == 3 and min(int(n) for n in patch) >= 16))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The description in {path.name} is incomplete ({error}).", "Export the model again."
        ) from error
    if not sound:
        raise ModelError(f"The description in {path.name} makes no sense.", "Export the model again.")
    return info


def _refuse_too_small(segmenter: nn.Module, preprocessing: dict, path: Path) -> None:
    """Refuse a network that cannot be run on the crops or the patches that it is meant for."""
    shape = [int(n) for n in preprocessing["shape"]]
    patch = preprocessing.get("patch") or shape
    for size in (shape, [min(int(n), own) for n, own in zip(patch, shape, strict=True)]):
        if not segmenter.config.fits(size):
            raise ModelError(
                f"The network in {path.name} has too many levels for {'×'.join(map(str, size))} voxels.",
                "Export the model again.",
            )


def _built(create, architecture: dict, tensors: dict, prefix: str, device: str, path: Path) -> nn.Module:
    import torch

    own = {key[len(prefix) :]: torch.from_numpy(t) for key, t in tensors.items() if key.startswith(prefix)}
    try:
        with torch.device("meta"):  # what a file claims is not allocated before its weights are seen to fit
            network = create(architecture)
        network.load_state_dict(own, strict=True, assign=True)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"The weights in {path.name} do not fit the network it names ({str(error).splitlines()[0]}).",
            "Export the model again.",
        ) from error
    if not all(bool(torch.isfinite(t).all()) for t in own.values() if t.is_floating_point()):
        raise ModelError(
            f"The weights in {path.name} are not numbers: the training that made it failed.",
            "Choose another model.",
        )
    # Three times as fast on the CPU as the default memory format (Testing/benchmarks/segmenters.py).
    return network.eval().to(device, memory_format=torch.channels_last_3d)
