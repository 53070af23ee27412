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
    x = torch.zeros(1, 1, *NETWORK_SHAPE)
    print(f"{'name':8} {'channels':>8} {'parameters':>11} {'GFLOP':>7} {'seconds':>8} {'channels last':>14}")
    for name in SEGMENTERS:
        network = create_segmenter({"name": name, "channels": channels}).eval()
        counter = FlopCounterMode(display=False)
        with torch.inference_mode(), counter:
            network(x)
        default = seconds(network, x)
        last = seconds(network.to(memory_format=torch.channels_last_3d), x)
        parameters = sum(p.numel() for p in network.parameters())
        flops = counter.get_total_flops() / 1e9
        print(f"{name:8} {channels:8} {parameters:11,} {flops:7.1f} {default:8.2f} {last:14.2f}")


def seconds(network: torch.nn.Module, x: torch.Tensor) -> float:
    """Best of three passes, the input in the memory format of the weights."""
    weight = next(p for p in network.parameters() if p.dim() == 5)
    last = weight.is_contiguous(memory_format=torch.channels_last_3d) and not weight.is_contiguous()
    x = x.contiguous(memory_format=torch.channels_last_3d if last else torch.contiguous_format)
    times = []
    with torch.inference_mode():
        for _ in range(3):
            start = time.perf_counter()
            network(x)
            times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16)
