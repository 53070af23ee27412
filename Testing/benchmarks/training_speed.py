"""One training iteration of GASNet (θ = 5) against a straightforward implementation of the paper's scheme.

``python Testing/benchmarks/training_speed.py [--device cuda] [--batch 4] [--patch 40 160 160] [--repeat 2]``

Both do the same work on the same volumes with the same networks: θ updates of D, each with new volumes, then
one of S and G with all eight terms. The straightforward one is eager float32 with PyTorch's own layers,
reads and augments when it needs a batch, and makes one graph of all terms; ours is the real trainer, in
bfloat16 where the hardware computes it (``--precision float32`` tells how much of the gain is not the
precision's). Each runs in a process of its own, for its peak memory. Besides the time of the clock it gives
that of the processor, which other programs disturb less. Shares are of what a large product of matrices
reaches here, on a CPU by seconds of the processor.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import interpolate, logsigmoid, mse_loss
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "GASNetSegment"))

from GASNetLib.crop import NETWORK_SHAPE
from GASNetLib.networks import (
    blocks,
    create_discriminator,
    create_generator,
    create_segmenter,
    generator,
    segmenters,
)
from GASNetLib.run.folder import RunFolder
from GASNetLib.training.batches import make_batches, read_sample
from GASNetLib.training.data_order import DataOrder, requests_of
from GASNetLib.training.freed_memory import keep_freed_memory
from GASNetLib.training.presets import preset
from GASNetLib.training.settings import Settings, changed
from GASNetLib.training.state import new_state
from GASNetLib.training.trainer import Trainer

ROLES = ("labelled", "diseased", "healthy")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The preset ``paper`` with pseudo-labels from the start, so that every term acts."""
    changes = {
        "terms.ps": 0,
        "batch": arguments.batch,
        "micro_batch": arguments.micro_batch or arguments.batch,
        "patch": list(arguments.patch),
        "iterations": 1 + arguments.repeat,
        "val_every": 10**6,
        "preview_every": 10**6,
        "checkpoint_seconds": 1e9,
        "precision": arguments.precision,
        "compile": arguments.compile,
    }
    return changed(preset("paper"), changes)


def crops() -> dict[str, SimpleNamespace]:
    """Noise in the shape of cases: speed does not depend on what is in them."""
    random, made = np.random.default_rng(0), {}
    for role in ROLES:
        for index in range(4):
            made[f"{role}{index}"] = SimpleNamespace(
                hu=random.integers(-1000, 200, NETWORK_SHAPE).astype(np.int16),
                lungs=np.ones(NETWORK_SHAPE, np.uint8),
                lesions=(random.random(NETWORK_SHAPE) > 0.9).astype(np.uint8) * 255,
                grid=SimpleNamespace(spacing=(2.0, 2.0, 7.0)),
            )
    return made


def cases() -> dict[str, list[str]]:
    return {role: [f"{role}{index}" for index in range(4)] for role in ROLES}


def use_plain_layers() -> None:
    """From now on the networks of this process go without their ways around slow kernels of a CPU."""
    blocks.InstanceNorm.forward = torch.nn.InstanceNorm3d.forward
    generator.OneChannelConv.forward = torch.nn.Conv3d.forward
    for user in (segmenters, generator):
        user.upsampled = lambda x, size: interpolate(x, size=size, mode="trilinear", align_corners=False)


class Straightforward:
    """``algorithm.md`` written down as it stands."""

    def __init__(self, settings: Settings, device: torch.device) -> None:
        self.s = settings
        self.segmenter = create_segmenter(dict(settings.segmenter)).to(device)
        self.generator = create_generator(dict(settings.generator)).to(device)
        self.discriminator = create_discriminator(dict(settings.discriminator)).to(device).train()
        o = settings.optimisation
        self.of_d = torch.optim.Adam(self.discriminator.parameters(), o.rate_d, o.betas)
        self.of_sg = torch.optim.Adam(
            [
                {"params": self.segmenter.parameters(), "lr": o.rate_s},
                {"params": self.generator.parameters(), "lr": o.rate_g},
            ],
            betas=o.betas,
        )

    def iterate(self, take) -> None:
        """``take(update, role)`` gives image, lungs, lesions."""
        for update in range(self.s.theta):
            self.of_d.zero_grad()
            self.discriminator_loss(take(update, "diseased"), take(update, "healthy")).backward()
            self.of_d.step()
        self.of_sg.zero_grad()
        self.segmenter_generator_loss(*(take(self.s.theta, role) for role in ROLES)).backward()
        self.of_sg.step()

    def discriminator_loss(self, diseased, healthy):
        i_d, i_h = diseased[0], healthy[0]
        with torch.no_grad():
            m, g = self.segmenter(i_d).sigmoid(), self.generator(i_d)
            i_s = m * g + (1 - m) * i_d
        fake = [self.discriminator(image) for image in (i_s, g, i_d)]
        real = self.discriminator(i_h)
        return sum(bce(one, torch.ones_like(one)) for one in fake) + bce(real, torch.zeros_like(real))

    def segmenter_generator_loss(self, labelled, diseased, healthy):
        i_d, lungs = diseased[0], diseased[1]
        i_h, lungs_h = healthy[0], healthy[1]
        logits_d = self.segmenter(i_d)
        m, g = logits_d.sigmoid(), self.generator(i_d)
        fooled = [self.discriminator(image) for image in (m * g + (1 - m) * i_d, g)]
        gan = sum(bce(one, torch.zeros_like(one)) for one in fooled)
        l_s = bce(self.segmenter(labelled[0]), labelled[2])
        logits_h = self.segmenter(i_h)
        l_healthy = bce(logits_h, torch.zeros_like(logits_h))
        inside = logits_d.flatten(1).masked_fill(lungs.flatten(1) == 0, -1e9)
        l_mil = -logsigmoid(inside.max(1).values).mean()
        with torch.no_grad():
            blend = m * lungs_h
            i_ps = blend * i_d + (1 - blend) * i_h
            m_ps, known = (blend > 0.7).float(), ((blend > 0.7) | (blend < 0.3)).float()
        l_ps = (bce(self.segmenter(i_ps), m_ps, reduction="none") * known).sum() / known.sum().clamp(min=1)
        recons = mse_loss(self.generator(i_h), i_h)
        return gan + self.s.lambda_s * (l_s + l_healthy + l_mil + l_ps) + recons


def straightforward_seconds(settings: Settings, device: torch.device) -> list[tuple[float, float]]:
    """Seconds of clock and processor of each iteration, the first (warm-up) left out."""
    use_plain_layers()
    torch.manual_seed(0)
    trained, all_crops, order = Straightforward(settings, device), crops(), DataOrder(cases(), 0)
    seconds = []
    for iteration in range(settings.iterations):
        requests = {(r.update, r.role): r for r in requests_of(settings, iteration)}

        def take(update: int, role: str, requests=requests):
            draws = order.draws(requests[update, role], settings)
            samples = [read_sample(all_crops, draw) for draw in draws]
            batch = make_batches({role: samples}, settings, device)[role]
            return batch.image, batch.lungs, batch.lesions

        begin, processor = time.perf_counter(), time.process_time()
        trained.iterate(take)
        synchronise(device)
        seconds.append((time.perf_counter() - begin, time.process_time() - processor))
    return seconds[1:]


def gasnet_seconds(settings: Settings, device: torch.device) -> list[tuple[float, float]]:
    """Seconds of clock and processor of each iteration of the real trainer, the first left out."""
    seconds: list[tuple[float, float]] = []
    processor = time.process_time()

    def report(kind: str, **fields) -> None:
        nonlocal processor
        if kind == "iteration":
            seconds.append((1 / fields["per_second"], time.process_time() - processor))
            processor = time.process_time()

    if device.type == "cpu":
        keep_freed_memory()  # as a training does
    with tempfile.TemporaryDirectory() as folder:
        state = new_state(settings, device)
        if settings.compile:
            for network in state.networks.named().values():
                network.compile()
        run = RunFolder.create(Path(folder) / "run", {})
        Trainer(settings, state, crops(), cases(), run, report).train()
    return seconds[1:]


def flops(settings: Settings) -> float:
    """Floating-point operations that one iteration takes, counted on tensors without content.

    The gradient of D's weights is no part of it while S and G learn: what the straightforward way spends on
    it is not work done.
    """
    meta = torch.device("meta")
    trained = Straightforward(settings, meta)
    volume = torch.empty(settings.batch, 1, *settings.patch, device=meta)
    counter = FlopCounterMode(display=False)
    batch = (volume, volume, volume)
    with counter:
        trained.discriminator_loss(batch, batch).backward()
    of_d = counter.get_total_flops()
    trained.discriminator.requires_grad_(False)
    counter = FlopCounterMode(display=False)
    with counter:
        trained.segmenter_generator_loss(batch, batch, batch).backward()
    return settings.theta * of_d + counter.get_total_flops()


def peak_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product: what this hardware can do.

    On a CPU a second of one core's work, which other programs do not shorten.
    """
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    n = 8192 if device.type == "cuda" else 2048
    a = torch.randn(n, n, device=device, dtype=dtype)
    a @ a
    synchronise(device)
    begin = clock()
    for _ in range(5):
        a @ a
    synchronise(device)
    return 5 * 2 * n**3 / (clock() - begin)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def measure(variant: str, settings: Settings, device: torch.device) -> dict:
    """Median seconds and peak memory in GB of one variant, in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = (gasnet_seconds if variant == "gasnet" else straightforward_seconds)(settings, device)
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated() / 1e9
    else:
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e9
    clock, processor = (statistics.median(column) for column in zip(*seconds, strict=True))
    return {"seconds": clock, "processor": processor, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--micro-batch", type=int)
    parser.add_argument("--patch", type=int, nargs=3, default=NETWORK_SHAPE)
    parser.add_argument("--precision", default="auto", help="of ours: auto, float32 or bf16")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--variant", choices=("gasnet", "straightforward"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device, settings = torch.device(arguments.device), settings_of(arguments)
    if arguments.variant:
        print(json.dumps(measure(arguments.variant, settings, device)))
        return
    figures = {}
    for variant in ("straightforward", "gasnet"):
        command = [sys.executable, __file__, *sys.argv[1:], "--variant", variant]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        figures[variant] = json.loads(output.splitlines()[-1])
    work = flops(settings)
    print(
        f"{work / 1e12:.2f} TFLOP an iteration: θ {settings.theta}, batch {settings.batch}, {settings.patch}"
    )
    peaks = {str(dtype)[6:]: peak_rate(device, dtype) for dtype in (torch.float32, torch.bfloat16)}
    for variant, measured in figures.items():
        rate = work / measured["seconds" if device.type == "cuda" else "processor"]
        shares = ", ".join(f"{rate / peak:.0%} of a {name} product's" for name, peak in peaks.items())
        print(
            f"{variant:16} {measured['seconds']:8.2f} s (processor {measured['processor']:8.2f} s)"
            f"  {measured['memory']:6.2f} GB  {rate / 1e9:8.0f} GFLOP/s ({shares})"
        )
    slow, fast = figures["straightforward"], figures["gasnet"]
    ratios = ", ".join(f"{name} {slow[name] / fast[name]:.2f}" for name in slow)
    print(f"straightforward / gasnet: {ratios}")


if __name__ == "__main__":
    main()
