"""Parameters, work and time of one forward pass of each segmenter on the network's grid.

python Testing/benchmarks/segmenters.py [channels]
"""

from __future__ import annotations

import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from GASNetLib.crop import NETWORK_SHAPE
from GASNetLib.networks import SEGMENTERS, create_segmenter


def main(channels: int) -> None:
    print(f"{'name':8} {'channels':>8} {'parameters':>11} {'GFLOP':>7} {'seconds':>8}")
    x = torch.zeros(1, 1, *NETWORK_SHAPE)
    for name in SEGMENTERS:
        network = create_segmenter({"name": name, "channels": channels}).eval()
        counter = FlopCounterMode(display=False)
        with torch.inference_mode(), counter:
            network(x)
        start = time.perf_counter()
        with torch.inference_mode():
            network(x)
        seconds = time.perf_counter() - start
        parameters = sum(p.numel() for p in network.parameters())
        flops = counter.get_total_flops() / 1e9
        print(f"{name:8} {channels:8} {parameters:11,} {flops:7.1f} {seconds:8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16)
