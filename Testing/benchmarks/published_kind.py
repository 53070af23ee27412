"""GASNet's way through one CT beside a pipeline of the kind the paper's authors published, in one run.

    python Testing/benchmarks/published_kind.py CT [--slices 8]

The other pipeline: lungs by a 2-D U-Net on every slice at 256×256 (the size of the network of `lungmask`: 64
basic channels, 5 levels; random weights, since only time counts), `scipy.ndimage.zoom` of the CT to the
network's grid, a 16-channel 3-D U-Net in plain eager torch, `scipy.ndimage.zoom` of the result back. Its 2-D
network is timed on a few slices and multiplied up; all else is run whole. Beside seconds on the clock stand
those of work on all cores together, which mean something on a busy machine too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import zoom
from torch import nn

from GASNetLib.crop import NETWORK_SHAPE, normalise
from GASNetLib.model import load_model, starter_model_path
from GASNetLib.networks import create_segmenter
from GASNetLib.segment import segment
from GASNetLib.volume import Volume, read_volume

LUNG_SLICE = 256


class SliceUNet(nn.Module):
    """A 2-D U-Net of 64 basic channels and 5 levels: about the work of lungmask's network a slice."""

    def __init__(self) -> None:
        super().__init__()
        widths = [64, 128, 256, 512, 1024]
        self.downs = nn.ModuleList(self._step(a, b) for a, b in zip([1, *widths[:-1]], widths, strict=True))
        self.ups = nn.ModuleList(
            self._step(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(64, 3, 1)

    @staticmethod
    def _step(inputs: int, outputs: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level, step in enumerate(self.downs):
            x = step(x if level == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for step, skip in zip(self.ups, skips[-2::-1], strict=True):
            x = step(torch.cat([skip, nn.functional.interpolate(x, size=skip.shape[2:])], 1))
        return self.head(x)


def seconds(work: Callable[[], object]) -> np.ndarray:
    """Seconds on the clock and seconds of work on all cores."""
    clock, cores = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - clock, time.process_time() - cores])


def published_kind(volume: Volume, slices: int) -> dict[str, np.ndarray]:
    lungs = SliceUNet().eval()
    network = create_segmenter({"name": "unet", "channels": 16}).eval()
    image = torch.zeros(1, 1, LUNG_SLICE, LUNG_SLICE)
    factors = np.divide(NETWORK_SHAPE, volume.hu.shape)
    with torch.inference_mode():
        lungs(image)
        per_slice = seconds(lambda: [lungs(image) for _ in range(slices)]) / slices
        shrunk = np.zeros(NETWORK_SHAPE, np.float32)
        crop = seconds(lambda: zoom(volume.hu.astype(np.float32), factors, order=1))
        pass_ = seconds(lambda: network(torch.from_numpy(normalise(shrunk))[None, None]))
        back = seconds(lambda: zoom(shrunk, 1 / factors, order=1))
    return {"lungs": per_slice * volume.hu.shape[0], "crop": crop, "network": pass_, "restore": back}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("ct", type=Path)
    parser.add_argument("--slices", type=int, default=8, help="slices the 2-D network is timed on")
    arguments = parser.parse_args()
    volume = read_volume(arguments.ct)
    model = load_model(starter_model_path())
    segment(volume, model, device="cpu")
    results = []
    ours = seconds(lambda: results.append(segment(volume, model, device="cpu")))
    theirs = published_kind(volume, arguments.slices)
    for stage, clock in results[0].seconds.items():
        print(f"{stage:8} ours {clock:7.2f} s, published kind {theirs[stage][0]:8.2f} s")
    for name, own, other in zip(("clock", "work"), ours, sum(theirs.values()), strict=True):
        print(f"{name:8} ours {own:7.2f} s, published kind {other:8.2f} s: ratio {other / own:.0f}")


if __name__ == "__main__":
    main()
