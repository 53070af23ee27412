"""Lungs against the lung masks of the real CTs: Dice, box, lesions kept, seconds and memory.

    python Testing/benchmarks/lungs.py [case ...] [--method classical]
    python Testing/benchmarks/lungs.py [case ...] --networks FOLD_0.safetensors FOLD_1.safetensors

    python Testing/benchmarks/lungs.py --phantoms

The network that comes with GASNet learned from these cases; with ``--networks`` (of
``Resources/Models/train_lungs.py``) each case is seen by the one that left it out.

Box columns: mm by which the reference reaches beyond the box found (no margin) to the patient's right, front,
feet, left, back and head; negative where the box found is larger. *specks*: the worst of them when slices
that hold less than 20 mm² of the reference do not count. Lesion: share of the lesion mask within the lungs.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "GASNetSegment"))

from GASNetLib.geometry import Geometry  # noqa: E402
from GASNetLib.lungs import METHODS, Lungs, find_lungs, lung_box  # noqa: E402
from GASNetLib.lungs.network import lungs_network  # noqa: E402
from GASNetLib.model import Model, load_model  # noqa: E402
from GASNetLib.phantom import make_phantom  # noqa: E402
from GASNetLib.volume import Volume, read_volume, volume_from_array  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
CASES = {
    **{f"medseg_{n}": f"medseg/medseg_{n}_{{}}.nii.gz" for n in ("01", "02", "07", "09")},
    **{f"imlab_{n}": f"noncovid/imlab_id{n}_{{}}.nii.gz" for n in ("001", "002", "003", "004")},
    "cip": "noncovid/cip_{}.nrrd",
    **{f"run{n}": f"covid19_ct_seg_8bit/run{n}_{{}}.nii.gz" for n in ("01", "02", "03", "04")},
    "ricord": "ricord/ricord1a_001012_{}.nii.gz",
    "lidc0001": "noncovid/lidc0001_{}.nii.gz",
    "dsb00cba": "noncovid/dsb00cba_{}.nii.gz",
    "lctscS1104": "noncovid/lctscS1104_{}.nii.gz",
}
SPECK_MM2 = 20.0


def main(arguments: argparse.Namespace) -> None:
    if arguments.phantoms:
        severe_phantoms(arguments.method)
        return
    if not DATA.is_dir():
        sys.exit(f"The real CTs are not here ({DATA}).")
    sides = "".join(f"{side:>7}" for side in ("right", "front", "feet", "left", "back", "head"))
    costs = f"{'seconds':>9}{'CPU s':>7}{'+MB':>7}{'peak MB':>9}"
    print(f"{'case':11}{'Dice':>7}{sides}{'specks':>8}{'lesion':>8}{costs}", flush=True)
    for case in arguments.cases or CASES:  # a process each: the peak of memory is a process's
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--one", case], check=True)


def severe_phantoms(method: str) -> None:
    """Eight synthetic CTs with half of the lungs ill, in HU and as 0–255; the network learned from others."""
    print(f"{'stored':10}{'Dice':>16}{'box mm':>10}{'worst':>8}{'lesion':>8}")
    for storage in ("HU", "0-255"):
        found = np.array([_phantom(seed, storage, method) for seed in range(8)])
        (dice, box, lesion), spread = found.mean(axis=0), found[:, 0].std(ddof=1)
        print(
            f"{storage:10}{dice:8.3f} ± {spread:.3f}{box:10.1f}{found[:, 1].max():8.1f}{lesion:8.3f}",
            flush=True,
        )


def _phantom(seed: int, storage: str, method: str) -> tuple[float, float, float]:
    phantom = make_phantom(seed, (100, 112, 140), lesions="severe")
    stored = phantom.hu
    if storage == "0-255":
        stored = np.clip(np.rint((phantom.hu + 1250.0) * 255 / 1500), 0, 255).astype(np.uint8)
    lungs = find_lungs(volume_from_array(stored, phantom.geometry), method)
    found, reference = lungs.labels > 0, phantom.lungs > 0
    return _dice(found, reference), _box_errors(lungs, reference).max(), found[phantom.lesions > 0].mean()


def _dice(found: np.ndarray, reference: np.ndarray) -> float:
    return float(2 * np.sum(found & reference) / (found.sum() + reference.sum()))


def one(case: str, method: str, networks: list[Path]) -> None:
    network = _that_left_out(case, networks) or lungs_network()  # and with it torch: not what is measured
    volume = read_volume(_file(case, "ct8bit") or _file(case, "ct"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clock, cpu = time.perf_counter(), time.process_time()
    lungs = find_lungs(volume, method, network=network)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    costs = f"{clock:9.2f}{cpu:7.2f}{peak - before:7.0f}{peak:9.0f}"
    print(f"{case:11}{_against_reference(case, volume, lungs)}{costs}")


def _that_left_out(case: str, networks: list[Path]) -> Model | None:
    """None where all of them learned from the case."""
    loaded = [load_model(path) for path in networks]
    name = Path(CASES[case]).name.removesuffix("_{}.nii.gz").removesuffix("_{}.nrrd")
    return next((network for network in loaded if name in network.info.training["left_out"]), None)


def _against_reference(case: str, volume: Volume, lungs: Lungs) -> str:
    file = _file(case, "lung") or _file(case, "lung_labels")
    if file is None:
        return f"{'no mask':>65}"
    reference = (sitk.GetArrayFromImage(sitk.ReadImage(str(file))) & 0xFF) > 0  # the low byte is the region
    found = lungs.labels > 0
    dice = _dice(found, reference)
    errors = _box_errors(lungs, reference)
    worst = _box_errors(lungs, _without_specks(reference, volume.geometry)).max()
    lesions = _file(case, "lesion")
    kept = "–"
    if lesions is not None:
        mask = sitk.GetArrayFromImage(sitk.ReadImage(str(lesions))) > 0
        kept = f"{found[mask].mean():.3f}"
    return f"{dice:7.3f}{''.join(f'{e:7.1f}' for e in errors)}{worst:8.1f}{kept:>8}"


def _box_errors(lungs: Lungs, reference: np.ndarray) -> np.ndarray:
    ours = lung_box(lungs, 0.0)
    theirs = lung_box(Lungs(reference.astype(np.uint8), lungs.geometry), 0.0)
    return np.concatenate([np.subtract(ours.lower, theirs.lower), np.subtract(theirs.upper, ours.upper)])


def _without_specks(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    kept = mask.copy()
    for axis in range(3):
        others = [mm for k, mm in enumerate(reversed(geometry.spacing)) if k != axis]
        area = mask.sum(axis=tuple(k for k in range(3) if k != axis)) * np.prod(others)
        np.moveaxis(kept, axis, 0)[area < SPECK_MM2] = False
    return kept


def _file(case: str, kind: str) -> Path | None:
    path = DATA / CASES[case].format(kind)
    return path if path.is_file() else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    parser.add_argument("--method", choices=METHODS, default=METHODS[0])
    parser.add_argument("--networks", nargs="+", type=Path, default=[])
    parser.add_argument("--phantoms", action="store_true")
    parser.add_argument("--one")
    given = parser.parse_args()
    if given.one:
        one(given.one, given.method, given.networks)
    else:
        main(given)
