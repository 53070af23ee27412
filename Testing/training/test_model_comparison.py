"""What a comparison of models says in words."""

from __future__ import annotations

import numpy as np
import pytest

from GASNetLib.cohort import Case
from GASNetLib.cohort.content import content_digest, voxel_digest
from GASNetLib.metrics import overlap
from GASNetLib.model import ModelInfo
from GASNetLib.phantom import make_phantom, write_phantom
from GASNetLib.training.comparison import Comparison, seen_in_training
from GASNetLib.volume import read_volume

REFERENCE = np.zeros((2, 10, 10), np.uint8)
REFERENCE[0] = 1


def found(voxels: int):
    """The overlap of a prediction that finds so many of the 100 lesion voxels, and nothing else."""
    prediction = np.zeros_like(REFERENCE)
    prediction.reshape(-1)[:voxels] = 1
    return overlap(prediction, REFERENCE)


def comparison(before: list[int], after: list[int]) -> Comparison:
    names = tuple(f"case {number}" for number in range(len(before)))
    return Comparison(("old", "new"), names, (tuple(map(found, before)), tuple(map(found, after))), ())


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([50], [50], "new: the Dice is the same over 1 case. So few cases are thin evidence"),
        ([50, 60], [90, 90], "new: the Dice is 0.239 higher over 2 cases. So few cases are thin evidence"),
        ([50] * 6, [50] * 6, "new: the Dice is the same over 6 cases."),
        ([50, 60] * 3, [60, 50] * 3, "new: the Dice is the same over 6 cases."),
        ([50] * 6, [40] * 6, "new: the Dice is 0.095 lower over 6 cases, which is more than the chance"),
        ([50] * 6, [50, 50, 50, 50, 40, 52], "lower over 6 cases, which is within the chance"),
        ([], [], "No case tells the models apart."),
    ],
)
def test_verdict(before, after, said):
    verdict = comparison(before, after).verdict(1)
    assert said in verdict
    assert "0.000" not in verdict


def trained_on(**recipe: list[str]) -> ModelInfo:
    return ModelInfo(name="model", segmenter={}, training=recipe)


def test_a_case_of_the_training_is_known_by_voxels_by_files_or_by_name(tmp_path):
    phantom = make_phantom(shape=(24, 64, 64))
    case = Case("one", write_phantom(phantom, tmp_path / "one.nii.gz"), None, "validation")
    volume = read_volume(case.ct)
    voxels, files = voxel_digest(volume), content_digest(case.ct)
    stranger = trained_on(trained_on=["two"], trained_on_voxels=["0"])
    for recipe in (
        {"trained_on": ["other"], "trained_on_voxels": [voxels]},
        {"trained_on": ["other"], "trained_on_content": [files]},
        {"trained_on": ["other"], "trained_on_content": [voxels]},
        {"trained_on": ["one"]},
    ):
        assert seen_in_training(case, volume, [stranger, trained_on(**recipe)]), recipe
    # Another CT of the same name is another case.
    namesake = trained_on(trained_on=["one"], trained_on_voxels=["0"])
    assert not seen_in_training(case, volume, [stranger, namesake])
    case.ct.unlink()  # for these models the file is not read once more
    assert not seen_in_training(case, volume, [stranger, namesake, trained_on(trained_on=["two"])])
