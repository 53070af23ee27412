"""Where lesions are looked for: near the lungs, measured in millimetres."""

from __future__ import annotations

import torch

from GASNetLib.reach import within_reach


def one_voxel() -> torch.Tensor:
    lungs = torch.zeros(1, 1, 21, 21, 21)
    lungs[0, 0, 10, 10, 10] = 2
    return lungs


def test_the_reach_is_in_mm_along_each_axis():
    near = within_reach(one_voxel(), (5.0, 2.0, 1.0), 10.0)[0, 0]
    extent = [int(near.amax(dim=[a for a in range(3) if a != axis]).sum()) for axis in range(3)]
    assert extent == [2 * 2 + 1, 2 * 5 + 1, 2 * 10 + 1]
    assert near[10, 10, 10] == 1
    assert near[0, 0, 0] == 0


def test_without_a_limit_everything_is_within_reach():
    assert within_reach(torch.zeros(1, 1, 4, 4, 4), (1.0, 1.0, 1.0), None).min() == 1


def test_a_reach_of_nothing_is_the_lungs():
    assert torch.equal(within_reach(one_voxel(), (5.0, 2.0, 1.0), 0.0), (one_voxel() > 0).float())
