"""Crops of a cohort are made once, found by content, and never come back damaged, whoever else is writing."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from GASNetLib.cohort import Case, Cohort, CohortError, crop_cache, write_cohort
from GASNetLib.cohort.crop_cache import CropCache, Crops, open_crops
from GASNetLib.cohort.crop_file import is_whole
from GASNetLib.crop import NETWORK_SHAPE, mask_to_network, to_network
from GASNetLib.errors import Cancelled, ResourceError
from GASNetLib.phantom import Phantom, make_phantom, write_labels, write_phantom
from GASNetLib.volume import volume_from_array

SHAPE = (28, 72, 72)
ENGINE = Path(crop_cache.__file__).parents[1]


@pytest.fixture(scope="module")
def ill() -> Phantom:
    return make_phantom(seed=4, shape=SHAPE, lesions="moderate")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, ill) -> Cohort:
    folder = tmp_path_factory.mktemp("images")
    lesions = write_labels(ill.lesions, ill.geometry, folder / "mask.nrrd")
    well = make_phantom(seed=5, shape=SHAPE)
    return Cohort(
        (
            Case("ill", write_phantom(ill, folder / "ill.nii.gz"), lesions, "labelled"),
            Case("series", write_phantom(well, folder / "series"), None, "healthy"),
        )
    )


@pytest.fixture(scope="module")
def filled(cohort, tmp_path_factory) -> Path:
    """A cache that holds the cohort; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("filled")
    open_crops(cohort, folder, jobs=2)
    return folder


@pytest.fixture
def cache(filled, tmp_path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "cache"))


def entries(cache: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in sorted(cache.glob("crops/*/*"))}


def assert_same(first: Crops, second: Crops) -> None:
    assert list(first) == list(second)
    for name, crop in first.items():
        assert np.array_equal(crop.hu, second[name].hu) and np.array_equal(crop.lungs, second[name].lungs)
        assert crop.grid == second[name].grid


def test_a_crop_is_the_case_on_the_networks_grid(cohort, cache, ill):
    crops = open_crops(cohort, cache, jobs=0)
    assert list(crops) == ["ill", "series"]
    crop = crops["ill"]
    assert crop.hu.shape == crop.lungs.shape == crop.lesions.shape == NETWORK_SHAPE
    assert (crop.hu.dtype, crop.lungs.dtype, crop.lesions.dtype) == (np.int16, np.uint8, np.uint8)
    assert isinstance(crop.hu, np.memmap)
    expected = to_network(volume_from_array(ill.hu, ill.geometry), crop.grid)
    assert np.abs(crop.hu - expected).max() < 0.6  # rounding; NIfTI stores the geometry as float32
    coverage = mask_to_network(ill.lesions, ill.geometry, crop.grid)
    assert np.abs(crop.lesions / 255 - coverage).max() < 0.6 / 255
    lungs = mask_to_network(ill.lungs > 0, ill.geometry, crop.grid) > 0.5
    assert 2 * np.sum(lungs & (crop.lungs > 0)) / (lungs.sum() + (crop.lungs > 0).sum()) > 0.9
    right, left = (np.argwhere(crop.lungs == side)[:, 2].mean() for side in (1, 2))
    assert right < 80 < left  # columns go to the patient's left
    assert crops["series"].lesions is None
    assert crop.intensities == "hu"


def test_a_cache_that_holds_all_is_only_read(cohort, cache):
    before = entries(cache)
    heard = []
    assert_same(
        open_crops(cohort, cache, lambda *step: heard.append(step), jobs=0), open_crops(cohort, cache, jobs=0)
    )
    assert entries(cache) == before
    assert heard[-1][1] == 1.0


def test_content_counts_and_not_the_path(cohort, cache, tmp_path):
    before = entries(cache)
    moved = [
        Case(
            "new name",
            Path(shutil.copy(cohort.cases[0].ct, tmp_path / "x.nii.gz")),
            cohort.cases[0].mask,
            "validation",
        ),
        Case("folder", Path(shutil.copytree(cohort.cases[1].ct, tmp_path / "y")), None, "diseased"),
    ]
    crops = open_crops(Cohort(tuple(moved)), cache, jobs=0)
    assert entries(cache) == before
    assert np.array_equal(crops["folder"].hu, open_crops(cohort, cache, jobs=0)["series"].hu)


def test_another_mask_makes_another_entry(cohort, cache, ill, tmp_path):
    half = ill.lesions.copy()
    half[:, :, : SHAPE[2] // 2] = 0
    mask = write_labels(half, ill.geometry, tmp_path / "half.nrrd")
    case, crop_cache = cohort.cases[0], CropCache(cache)
    assert crop_cache.entry(case) in entries(cache)
    others = [replace(case, mask=mask), replace(case, mask=None)]
    assert len({crop_cache.entry(other) for other in [case, *others]}) == 3
    assert crop_cache.entry(case) != CropCache(cache, margin_mm=10.0).entry(case)


def damaged(content: bytes) -> dict[str, bytes]:
    """An entry as accidents leave it."""
    places = {"length": 0, "header": 60, "voxel": len(content) // 2, "mask": len(content) - 5}
    altered = {name: bytearray(content) for name in places}
    for name, place in places.items():
        altered[name][place] ^= 0x10
    swapped = content.replace(b"[40,160,160]", b"[160,40,160]", 1)
    cut = {f"cut at {n}": content[:n] for n in (0, 7, 100, 2_000_000, len(content) - 1)}
    return {**{name: bytes(value) for name, value in altered.items()}, "shape": swapped, **cut}


def test_every_kind_of_damage_is_noticed(cache, tmp_path):
    entry = max(entries(cache), key=lambda path: path.stat().st_size)
    assert is_whole(entry)
    for name, content in damaged(entry.read_bytes()).items():
        copy = tmp_path / "entry.safetensors"
        copy.write_bytes(content)
        assert not is_whole(copy), name
    assert not is_whole(tmp_path / "none.safetensors")


def test_a_damaged_entry_is_made_again(cohort, filled, cache):
    entry = max(entries(cache), key=lambda path: path.stat().st_size)
    entry.write_bytes(damaged(entry.read_bytes())["voxel"])
    assert_same(open_crops(cohort, cache, jobs=0), open_crops(cohort, filled, jobs=0))
    assert entry.read_bytes() == (filled / entry.relative_to(cache)).read_bytes()


def test_what_cannot_be_used_is_named_and_the_rest_is_kept(cohort, cache, tmp_path):
    before = set(entries(cache))
    min(before).unlink()
    bad = tmp_path / "bad.nrrd"
    bad.write_bytes(b"NRRD0004\n")
    cases = (Case("bad", bad, None, "healthy"), Case("gone", tmp_path / "gone.mha", None, "healthy"), *cohort)
    with pytest.raises(CohortError, match="2 cases cannot be used") as raised:
        open_crops(Cohort(cases), cache, jobs=2)
    assert "bad: " in raised.value.cause and "gone: " in raised.value.cause
    assert set(entries(cache)) == before


def test_cancel_keeps_what_is_there(cohort, cache):
    before = entries(cache)
    with pytest.raises(Cancelled):
        open_crops(cohort, cache, jobs=0, cancelled=lambda: True)
    assert entries(cache) == before


def test_a_cache_that_cannot_be_made_says_so(cohort, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        open_crops(cohort, tmp_path / "file" / "cache", jobs=2)


def crop_sum(crops: Crops, name: str) -> int:
    return int(crops[name].hu.astype(int).sum())


def test_what_killed_writers_left_is_removed_after_a_day(cohort, cache):
    now = time.time()
    for age, name in ((0, "new"), (2 * 86400, "old")):
        part = cache / "crops" / "00" / f".{name}.part"
        part.mkdir(parents=True)
        (part / "entry.safetensors").write_bytes(b"half")
        os.utime(part, (now - age, now - age))
    open_crops(cohort, cache, jobs=0)
    assert [path.name for path in cache.rglob("*.part")] == [".new.part"]


def test_crops_travel_to_other_processes(cohort, cache):
    crops = pickle.loads(pickle.dumps(open_crops(cohort, cache, jobs=0)))
    assert crop_sum(crops, "ill") != crop_sum(crops, "series")


def test_two_processes_may_fill_one_cache(cohort, filled, tmp_path):
    one = Cohort(cohort.cases[:1])
    table, cache = tmp_path / "cohort.csv", tmp_path / "cache"
    write_cohort(one, table)
    command = [sys.executable, "-m", "GASNetLib.command_line", "cohort", "cache", table, "--cache", cache]
    both = [
        subprocess.Popen([*command, "--jobs", "0"], cwd=ENGINE.parent, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0 and output.startswith("1 cases are prepared")
    assert not list(cache.rglob("*.part"))
    assert_same(open_crops(one, cache, jobs=0), open_crops(one, filled, jobs=0))


def test_every_module_that_makes_a_crop_counts(tmp_path):
    package = Path(shutil.copytree(ENGINE, tmp_path / "GASNetLib"))
    code = """
from pathlib import Path
from GASNetLib.cohort.crop_cache import preprocessing_version as version
for name in ("cohort/table", "cohort/case_pool", "resampling", "lungs/find"):
    print(name, version())
    version.cache_clear()
    with Path("GASNetLib", name + ".py").open("a") as file:
        file.write("# changed")
print("end", version())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=package.parent, capture_output=True, text=True)
    versions = dict(line.split() for line in done.stdout.splitlines())
    assert versions["cohort/table"] == versions["cohort/case_pool"] == versions["resampling"]
    assert len({versions["resampling"], versions["lungs/find"], versions["end"]}) == 3
