"""Lungs against the lung masks of the real CTs: Dice, box, lesions kept, seconds and memory.

    python Testing/benchmarks/lungs.py [case ...]

Box columns: mm by which the reference reaches beyond the box found (no margin) to the patient's right, front,
feet, left, back and head; negative where the box found is larger. *specks*: the worst of them when slices
that hold less than 20 mm² of the reference do not count. Lesion: share of the lesion mask within the lungs.
"""

from __future__ import annotations

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
from GASNetLib.lungs import Lungs, find_lungs, lung_box  # noqa: E402
from GASNetLib.volume import Volume, read_volume  # noqa: E402

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


def main(cases: list[str]) -> None:
    if not DATA.is_dir():
        sys.exit(f"The real CTs are not here ({DATA}).")
    sides = "".join(f"{side:>7}" for side in ("right", "front", "feet", "left", "back", "head"))
    costs = f"{'seconds':>9}{'CPU s':>7}{'+MB':>7}{'peak MB':>9}"
    print(f"{'case':11}{'Dice':>7}{sides}{'specks':>8}{'lesion':>8}{costs}", flush=True)
    for case in cases or CASES:  # a process each: the peak of memory is a process's
        subprocess.run([sys.executable, __file__, "--one", case], check=True)


def one(case: str) -> None:
    volume = read_volume(_file(case, "ct8bit") or _file(case, "ct"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clock, cpu = time.perf_counter(), time.process_time()
    lungs = find_lungs(volume)
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    costs = f"{clock:9.2f}{cpu:7.2f}{peak - before:7.0f}{peak:9.0f}"
    print(f"{case:11}{_against_reference(case, volume, lungs)}{costs}")


def _against_reference(case: str, volume: Volume, lungs: Lungs) -> str:
    file = _file(case, "lung") or _file(case, "lung_labels")
    if file is None:
        return f"{'no mask':>65}"
    reference = (sitk.GetArrayFromImage(sitk.ReadImage(str(file))) & 0xFF) > 0  # the low byte is the region
    found = lungs.labels > 0
    dice = 2 * np.sum(found & reference) / (found.sum() + reference.sum())
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
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2])
    else:
        main(sys.argv[1:])
