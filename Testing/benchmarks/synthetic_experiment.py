"""GASNet against plain supervision from one label, on the synthetic cohort, in minutes on a CPU.

    python Testing/benchmarks/synthetic_experiment.py FOLDER [FILE]

FOLDER is that of ``synthetic_cohort.py``, which is run first if the tables are missing. FILE is an experiment
as for ``gasnet experiment``, with tables relative to FOLDER (default: ``synthetic_experiment.json``). The
same engine, in this process and on a grid of 20×40×40, so that it takes minutes of one core. Tables, curves
and runs come to FOLDER/results; what is done stays done.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from synthetic_cohort import write_tables

from GASNetLib.cohort import Cohort, read_cohort
from GASNetLib.cohort.crop_cache import open_crops
from GASNetLib.cohort.network_crop import NetworkCrop
from GASNetLib.geometry import Geometry
from GASNetLib.run.errors import RunError
from GASNetLib.run.folder import RunFolder
from GASNetLib.training.experiment import read_experiment, run_experiment
from GASNetLib.training.session import work_on

COARSER = (2, 4, 4)
"""From 40×160×160 to 20×40×40."""


@dataclass(frozen=True)
class CoarseCrop:
    """A case on a coarser grid; see ``NetworkCrop``."""

    hu: np.ndarray
    lungs: np.ndarray
    lesions: np.ndarray | None
    grid: Geometry
    voxels: str


def coarse(crop: NetworkCrop) -> CoarseCrop:
    """The crop with the voxels of each block averaged."""
    lesions = None if crop.lesions is None else np.rint(_averaged(crop.lesions)).astype(np.uint8)
    inside = _averaged(crop.lungs > 0) >= 0.5
    hu = np.rint(_averaged(crop.hu)).astype(np.int16)
    return CoarseCrop(hu, inside.astype(np.uint8), lesions, _coarser(crop.grid), crop.voxels)


def _averaged(array: np.ndarray) -> np.ndarray:
    blocks = [part for size, n in zip(array.shape, COARSER, strict=True) for part in (size // n, n)]
    return array.astype(np.float32).reshape(blocks).mean(axis=(1, 3, 5))


def _coarser(grid: Geometry) -> Geometry:
    times = COARSER[::-1]
    spacing = tuple(s * n for s, n in zip(grid.spacing, times, strict=True))
    moved = (o + s * (n - 1) / 2 for o, s, n in zip(grid.origin, grid.spacing, times, strict=True))
    size = tuple(count // n for count, n in zip(grid.size, times, strict=True))
    return Geometry(size, spacing, tuple(moved), grid.direction)


class CoarseCrops:
    """In place of ``open_crops``: every case is made coarse once, and a run gets the masks of its roles."""

    def __init__(self, *cohorts: Cohort, cache: Path) -> None:
        both = Cohort(tuple(case for cohort in cohorts for case in cohort))
        self._crops = {name: coarse(crop) for name, crop in open_crops(both, cache).items()}

    def __call__(self, cohort: Cohort, *_: object, **__: object) -> dict[str, CoarseCrop]:
        crops = {case.name: self._crops[case.name] for case in cohort}
        bare = {case.name for case in cohort if case.mask is None}
        return {name: replace(crop, lesions=None) if name in bare else crop for name, crop in crops.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path, nargs="?", default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    if not (folder / "test.csv").exists():
        write_tables(folder)
    shutil.copyfile(arguments.file, folder / "experiment.json")
    experiment = read_experiment(folder / "experiment.json")
    results = folder / "results"
    tables = (read_cohort(experiment.cohort), read_cohort(experiment.test))
    crops = CoarseCrops(*tables, cache=results / "cache")

    def train(run: RunFolder) -> None:
        if work_on(run.path, open_crops=crops) != 0:
            raise RunError(run.state().cause, run.state().advice)
        if run.state().state == "stopped":
            sys.exit("Stopped; the same command goes on.")

    run_experiment(experiment, results, train, "cpu", open_crops=crops)
    print((results / "table.csv").read_text())


if __name__ == "__main__":
    main()
