"""Makes synthetic chest CTs as files: one for a demo, or a cohort to train on.

    python Testing/make_samples.py demo FOLDER [--seed 1] [--lesions moderate] [--format .nrrd]
    python Testing/make_samples.py cohort FOLDER [--diseased 5] [--healthy 5] [--validation 2]

Needs the engine (``pip install -e .``, or PYTHONPATH=GASNetSegment).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from GASNetLib.phantom import make_phantom, write_labels, write_phantom

SEVERITIES = ("moderate", "severe", "mild")


def write_demo(
    folder: Path,
    seed: int = 1,
    shape: tuple[int, int, int] = (120, 256, 256),
    lesions: str = "moderate",
    suffix: str = ".nii.gz",
) -> Path:
    """Write a CT, ``synthetic_ct`` + suffix (without one: a DICOM folder), and its ``lesions.nii.gz`` and
    ``lungs.nii.gz``.

    Returns:
        The path of the CT.
    """
    phantom = make_phantom(seed, shape, lesions=lesions)
    write_labels(phantom.lesions, phantom.geometry, folder / "lesions.nii.gz")
    write_labels(phantom.lungs, phantom.geometry, folder / "lungs.nii.gz")
    return write_phantom(phantom, folder / f"synthetic_ct{suffix}")


def write_cohort_folder(
    folder: Path,
    diseased: int = 5,
    healthy: int = 5,
    validation: int = 2,
    shape: tuple[int, int, int] = (48, 96, 96),
    seed: int = 100,
) -> Path:
    """Write one labelled case, and as many of the other roles as asked for, each of another patient.

    Returns:
        The path of the table, ``cohort.csv`` in the folder, with the columns case, ct, mask, role.
    """
    roles = ["labelled"] + ["diseased"] * diseased + ["healthy"] * healthy + ["validation"] * validation
    rows = []
    for number, role in enumerate(roles):
        lesions = "none" if role == "healthy" else SEVERITIES[number % len(SEVERITIES)]
        phantom = make_phantom(seed + number, shape, lesions=lesions)
        case = f"phantom-{seed + number}"
        ct = write_phantom(phantom, folder / role / f"{case}_ct.nii.gz")
        mask = ""
        if role in ("labelled", "validation"):
            mask = write_labels(phantom.lesions, phantom.geometry, folder / role / f"{case}_lesion.nii.gz")
        rows.append([case, *(Path(p).relative_to(folder).as_posix() if p else "" for p in (ct, mask)), role])
    table = folder / "cohort.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["case", "ct", "mask", "role"], *rows])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Make synthetic chest CTs.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    demo = kinds.add_parser("demo", help="one CT with lesion and lung masks")
    demo.add_argument("folder", type=Path)
    demo.add_argument("--seed", type=int, default=1)
    demo.add_argument("--shape", type=int, nargs=3, default=(120, 256, 256), metavar=("Z", "Y", "X"))
    demo.add_argument("--lesions", default="moderate", choices=("none", "mild", "moderate", "severe"))
    demo.add_argument("--format", default=".nii.gz", help="suffix of the CT; empty for a DICOM folder")
    cohort = kinds.add_parser("cohort", help="a folder of cases with a table")
    cohort.add_argument("folder", type=Path)
    cohort.add_argument("--diseased", type=int, default=5)
    cohort.add_argument("--healthy", type=int, default=5)
    cohort.add_argument("--validation", type=int, default=2)
    cohort.add_argument("--shape", type=int, nargs=3, default=(48, 96, 96), metavar=("Z", "Y", "X"))
    cohort.add_argument("--seed", type=int, default=100, help="of the first patient")
    given = parser.parse_args()
    if given.kind == "demo":
        print(write_demo(given.folder, given.seed, tuple(given.shape), given.lesions, given.format))
    else:
        print(
            write_cohort_folder(
                given.folder, given.diseased, given.healthy, given.validation, tuple(given.shape), given.seed
            )
        )


if __name__ == "__main__":
    main()
