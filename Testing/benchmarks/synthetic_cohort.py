"""A synthetic cohort on which one labelled case is not enough: for ``synthetic_experiment.json``.

    python Testing/benchmarks/synthetic_cohort.py FOLDER

Writes ``cohort.csv`` (3 labelled, of which a training uses one, 38 diseased, 40 healthy, 6 validation) and
``test.csv`` (12 cases that no training sees or is chosen by). Every case is another patient on another
scanner: lesions of 2 to 25 % of the lungs that stand out by 35 to 100 % of their density, lungs less or more
inflated, another noise, kernel and calibration. Ill and well patients are drawn alike but for the lesions.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from GASNetLib.cohort import Case, Cohort, write_cohort
from GASNetLib.phantom import Phantom, make_phantom, write_labels, write_phantom

SHAPE = (40, 128, 128)
COUNTS = {"labelled": 3, "diseased": 38, "healthy": 40, "validation": 6, "test": 12}
MASKED = ("labelled", "validation", "test")
FIRST_SEED = 7000


def make_case(seed: int, ill: bool) -> Phantom:
    """The patient of a seed on the scanner of that seed."""
    random = np.random.default_rng([seed, 1])
    extent, strength = random.uniform(0.02, 0.25), random.uniform(0.35, 1.0)
    scanner = {"kernel": str(random.choice(["soft", "sharp"])), "noise_hu": float(random.uniform(10, 45))}
    inflation, gain, shift = random.uniform(-30, 70), random.uniform(0.93, 1.07), random.uniform(-40, 40)
    well = make_phantom(seed, SHAPE, lesions="none", **scanner)
    phantom = make_phantom(seed, SHAPE, lesions=extent, **scanner) if ill else well
    # The same patient, noise included, ill and well: in between the lesions are fainter.
    hu = well.hu + strength * (phantom.hu.astype(np.float32) - well.hu)
    hu = np.where(phantom.lungs > 0, hu + inflation, hu)
    hu = (hu + 1000) * gain - 1000 + shift
    return replace(phantom, hu=np.rint(np.clip(hu, -1024, 3071)).astype(np.int16))


def write_case(folder: Path, number: int, role: str) -> Case:
    """CT and, where the role has one, mask."""
    phantom = make_case(FIRST_SEED + number, role != "healthy")
    name = f"{role}-{number:03d}"
    ct = write_phantom(phantom, folder / f"{name}.nii.gz")
    mask = None
    if role in MASKED:
        mask = write_labels(phantom.lesions, phantom.geometry, folder / f"{name}_mask.nii.gz")
    return Case(name, ct, mask, "validation" if role == "test" else role)


def write_tables(folder: Path) -> None:
    """The cases and both tables."""
    roles = [role for role, count in COUNTS.items() for _ in range(count)]
    cases = []
    for number, role in enumerate(roles):
        print(f"{number + 1} of {len(roles)}: {role}", flush=True)
        cases.append(write_case(folder / "cases", number, role))
    for table, is_test in (("cohort.csv", False), ("test.csv", True)):
        own = (c for c, role in zip(cases, roles, strict=True) if (role == "test") == is_test)
        write_cohort(Cohort(tuple(own)), folder / table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    write_tables(parser.parse_args().folder.absolute())


if __name__ == "__main__":
    main()
