"""A network in patches: nothing lost, nothing shifted, whatever the sizes."""

from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from GASNetLib.patches import in_patches

sizes = st.tuples(*[st.integers(5, 30)] * 3)


@given(sizes, sizes)
def test_what_looks_at_each_voxel_alone_gives_the_same_in_patches(size, patch):
    volume = torch.randn(1, 1, *size)
    torch.testing.assert_close(in_patches(lambda x: 3 * x - 1, volume, patch), 3 * volume - 1)


@given(st.integers(5, 200), st.integers(4, 60))
def test_neighbours_overlap_by_a_quarter_and_reach_from_end_to_end(length, patch):
    along = torch.arange(float(length)).expand(1, 1, 4, 4, length)
    ends = []

    def network(x):
        ends.append((int(x.min()), int(x.max()) + 1))
        return x

    in_patches(network, along, (4, 4, patch))
    assert ends[0][0] == 0 and ends[-1][1] == length
    assert all(stop - start == min(patch, length) for start, stop in ends)
    assert all(stop - start >= patch // 4 - 1 for (_, stop), (start, _) in pairwise(ends))


def test_the_middle_of_a_patch_counts_most():
    calls = []

    def network(x):
        calls.append(1)
        return torch.full_like(x, float(len(calls)))

    blended = in_patches(network, torch.zeros(1, 1, 8, 8, 14), (8, 8, 8))[0, 0, 4, 4]
    assert len(calls) == 2
    assert blended[0] == 1 and blended[-1] == 2
    assert (blended.diff() >= 0).all()
    torch.testing.assert_close(blended, 3 - blended.flip(0))
