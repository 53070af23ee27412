"""Seconds by stage, on the clock and of work on all cores, and peak memory; each CT in a process of its own.

    python Testing/benchmarks/segment.py [CT ...] [--model M] [--runs 2]

Without a CT a synthetic one of 512×512×248 voxels is used. The first run of a process pays for start-up; the
estimate beside the measured peak is what the program checks for before it starts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from GASNetLib.device import estimate_memory
from GASNetLib.model import Model, load_model, starter_model_path
from GASNetLib.phantom import make_phantom
from GASNetLib.quantify import report
from GASNetLib.segment import Segmentation, segment
from GASNetLib.volume import read_volume


def synthetic_ct(folder: Path) -> Path:
    """A phantom made at half the resolution and enlarged: fine texture does not matter here."""
    phantom = make_phantom(1, (124, 256, 256), lesions="moderate")
    image = phantom.geometry.image(phantom.hu)
    enlarged = sitk.Expand(image, [2, 2, 2])
    path = folder / "synthetic.nii.gz"
    sitk.WriteImage(enlarged, str(path))
    return path


def timed(ct: Path, model: Model) -> tuple[Segmentation, dict[str, np.ndarray]]:
    """A run, and for each stage the seconds on the clock and of work."""
    marks = []

    def mark(*stage: object) -> None:
        marks.append([time.perf_counter(), time.process_time()])

    mark()
    result = segment(read_volume(ct), model, progress=mark)
    report(result, result.volume.name)
    mark()
    stages = ["read", *result.seconds, "quantify"]
    return result, dict(zip(stages, np.diff(marks, axis=0), strict=True))


def measure(ct: Path, model_path: Path, runs: int) -> None:
    model = load_model(model_path)
    for _ in range(runs):
        result, stages = timed(ct, model)
        volume = result.volume
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        size = "x".join(map(str, volume.geometry.size))
        print(
            f"{volume.name} {size} {result.device}: "
            + ", ".join(f"{stage} {clock:.2f} s ({work:.2f})" for stage, (clock, work) in stages.items())
            + f"; lungs to restore {sum(result.seconds.values()):.2f} s; peak {peak / 2**30:.2f} GB"
            + f" (estimate {estimate_memory(volume.geometry, model.info) / 2**30:.2f} GB)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("cts", nargs="*", type=Path)
    parser.add_argument("--model", type=Path, default=starter_model_path())
    parser.add_argument("--runs", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")  # so that each peak is that CT's own
        for ct in arguments.cts or [synthetic_ct(Path(folder))]:
            process = context.Process(target=measure, args=(ct, arguments.model, arguments.runs))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
