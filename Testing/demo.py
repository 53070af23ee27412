"""The demonstration behind ``make demo``: a chest CT in; lesions, report, picture and table out.

    python Testing/demo.py FOLDER [--ct CT]

Without a CT a synthetic one is made, and the result is compared with its known truth.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from GASNetLib.command_line import main as gasnet
from GASNetLib.metrics import overlap
from GASNetLib.volume import read_mask
from make_samples import write_demo

SEED = 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the results go")
    parser.add_argument("--ct", type=Path, help="a CT of yours; default: a synthetic one")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    ct = arguments.ct
    if ct is None:
        print("Making a synthetic chest CT …", flush=True)
        ct = write_demo(folder / "synthetic", SEED)
    segmentation = folder / "lesions.seg.nrrd"
    extras = {
        "--report": "report.json",
        "--figure": "picture.png",
        "--probability": "probability.nrrd",
    }
    given = [part for option, name in extras.items() for part in (option, str(folder / name))]
    status = gasnet(["segment", str(ct), "-o", str(segmentation), "--overwrite", *given])
    if status:
        return status
    if arguments.ct is None:
        print_agreement(segmentation, folder / "synthetic" / "lesions.nii.gz")
    return 0


def print_agreement(prediction: Path, truth: Path) -> None:
    counted = overlap(read_mask(prediction)[0], read_mask(truth)[0])
    print(
        f"Against the known truth: Dice {counted.dice:.3f}, sensitivity {counted.sensitivity:.3f}, "
        f"specificity {counted.specificity:.4f}. A synthetic CT says nothing about patients."
    )


if __name__ == "__main__":
    sys.exit(main())
