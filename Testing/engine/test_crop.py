"""The map to the network's grid and back: nothing shifts, in any orientation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GASNetLib.crop import (
    Box,
    denormalise,
    from_network,
    mask_to_network,
    network_grid,
    normalise,
    to_network,
)
from GASNetLib.geometry import Geometry
from GASNetLib.resampling import averaged, brought_to, sampled
from GASNetLib.volume import Volume

SHAPE = (20, 32, 32)


def field(points: np.ndarray) -> np.ndarray:
    """A smooth field of LPS mm (…, 3) in HU: waves of about 150 mm on a ramp."""
    x, y, z = np.moveaxis(points, -1, 0)
    return 200.0 * np.sin(x / 25.0) * np.cos(y / 30.0) + 100.0 * np.sin(z / 28.0) + 0.5 * (x + y + z) - 500.0


def positions(geometry: Geometry) -> np.ndarray:
    """LPS mm of each voxel centre, shape (z, y, x, 3)."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij")
    index = np.stack([x, y, z, np.ones_like(x)], -1)
    return (index @ geometry.index_to_physical.T)[..., :3]


def rotation(axis: int, degrees: float) -> np.ndarray:
    a, b = [i for i in range(3) if i != axis]
    matrix = np.eye(3)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix[[a, a, b, b], [a, b, a, b]] = c, -s, s, c
    return matrix


@st.composite
def geometries(draw) -> Geometry:
    """Grids of about 200 mm: any axis order, any flips, oblique, anisotropic, anywhere."""
    order = draw(st.permutations(range(3)))
    signs = draw(st.tuples(*[st.sampled_from([-1, 1])] * 3))
    direction = rotation(draw(st.integers(0, 2)), draw(st.floats(-30, 30))) @ (np.eye(3)[:, order] * signs)
    size = draw(st.tuples(*[st.integers(30, 60)] * 3))
    spacing = tuple(200.0 / n for n in size)
    origin = draw(st.tuples(*[st.floats(-300, 300)] * 3))
    return Geometry(size, spacing, origin, tuple(direction.flatten()))


def inner_box(geometry: Geometry, half: float = 55.0) -> Box:
    centre = geometry.corners().mean(axis=0)
    return Box(tuple(centre - half), tuple(centre + half))


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_a_smooth_field_reaches_the_network_where_it_belongs(geometry):
    volume = Volume(field(positions(geometry)).astype(np.float32), geometry)
    grid = network_grid(inner_box(geometry), SHAPE)
    # A shift of half a voxel (about 2 mm) would change the field by 10 to 20 HU.
    np.testing.assert_allclose(to_network(volume, grid), field(positions(grid)), atol=6.0)


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_a_smooth_field_comes_back_where_it_belongs(geometry):
    grid = network_grid(inner_box(geometry), SHAPE)
    back = from_network(field(positions(grid)), grid, geometry, outside=9999.0)
    inside = np.all(np.abs(positions(geometry) - geometry.corners().mean(axis=0)) < 50.0, axis=-1)
    assert inside.sum() > 1000
    np.testing.assert_allclose(back[inside], field(positions(geometry))[inside], atol=6.0)


@settings(max_examples=20, deadline=None)
@given(geometries())
def test_a_ball_keeps_its_volume_and_its_place(geometry):
    centre = geometry.corners().mean(axis=0)
    distance = np.linalg.norm(positions(geometry) - centre, axis=-1)
    ball = (distance < 40.0).astype(np.uint8)
    grid = network_grid(inner_box(geometry), (40, 48, 48))
    share = mask_to_network(ball, geometry, grid)
    assert share.min() >= 0.0 and share.max() <= 1.0
    assert share.sum() * grid.voxel_ml == pytest.approx(ball.sum() * geometry.voxel_ml, rel=0.02)
    back = from_network(share, grid, geometry) > 0.5
    both = np.count_nonzero(back & (ball > 0))
    assert 2 * both / (back.sum() + ball.sum()) > 0.95


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("averaging", [True, False])
def test_parallel_axes_are_only_a_faster_way(order, averaging):
    direction = np.eye(3)[:, order] * (1, -1, -1)
    geometry = Geometry((31, 37, 23), (2.1, 1.7, 4.0), (-40.0, 20.0, 55.0), tuple(direction.flatten()))
    values = np.random.default_rng(0).normal(0, 300, geometry.shape).astype(np.float32)
    # A box that reaches beyond the image on some sides.
    lower = np.add(geometry.corners().min(axis=0), (7, -11, 9))
    upper = np.add(geometry.corners().max(axis=0), (6, -8, -5))
    grid = network_grid(Box(tuple(lower), tuple(upper)), (9, 13, 29))
    image = geometry.image(values)
    expected = sampled(averaged(image, grid) if averaging else image, grid, -7.0)
    np.testing.assert_allclose(
        brought_to(grid, values, geometry, -7.0, averaging=averaging), expected, atol=0.01
    )
    assert (expected == -7.0).any() and (expected != -7.0).any()


def test_voxel_edges_lie_on_the_box():
    grid = network_grid(Box((-10.0, 0.0, 20.0), (150.0, 80.0, 60.0)))
    assert grid.shape == (40, 160, 160)
    np.testing.assert_allclose(grid.corners().min(axis=0), [-10, 0, 20])
    np.testing.assert_allclose(grid.corners().max(axis=0), [150, 80, 60])


def test_outside_the_box_is_the_outside_value():
    geometry = Geometry((40, 40, 40), (5.0, 5.0, 5.0))
    grid = network_grid(Box((52.0, 52.0, 52.0), (102.0, 102.0, 102.0)), SHAPE)
    back = from_network(np.ones(SHAPE), grid, geometry, outside=-7.0)
    inside = np.all((positions(geometry) > 52) & (positions(geometry) < 102), axis=-1)
    assert (back[inside] == 1).all() and (back[~inside] == -7).all()


def test_a_box_beside_the_ct_is_air_and_gives_nothing_back():
    geometry = Geometry((20, 20, 20), (5.0, 5.0, 5.0))
    volume = Volume(np.full(geometry.shape, 40, np.int16), geometry)
    grid = network_grid(Box((500.0, 500.0, 500.0), (600.0, 600.0, 600.0)), SHAPE)
    assert (to_network(volume, grid) == -1024).all()
    assert (from_network(np.ones(SHAPE), grid, geometry) == 0).all()


def test_fine_texture_is_averaged_and_not_aliased():
    geometry = Geometry((160, 160, 160), (1.0, 1.0, 1.0))
    checkerboard = np.indices(geometry.shape).sum(axis=0) % 2 * 1000 - 900
    volume = Volume(checkerboard.astype(np.int16), geometry)
    grid = network_grid(Box((0.0, 0.0, 0.0), (150.0, 150.0, 150.0)), SHAPE)
    inner = to_network(volume, grid)[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(inner, -400.0, atol=120.0)


def test_the_last_slices_count_even_if_they_fill_no_bin():
    geometry = Geometry((40, 40, 50), (4.0, 4.0, 1.0))
    hu = np.full(geometry.shape, -900, np.int16)
    hu[48:] = 100
    grid = network_grid(Box((0.0, 0.0, -0.5), (150.0, 150.0, 49.5)), (16, 16, 16))
    top = to_network(Volume(hu, geometry), grid)[-1, 2:-2, 2:-2]
    assert (top > -500).all()


def test_normalise_is_the_papers_window():
    np.testing.assert_allclose(normalise(np.array([-3024, -1250, -500, 250, 3000])), [-1, -1, 0, 1, 1])


@settings(deadline=None)
@given(st.floats(-1250, 250))
def test_denormalise_inverts_normalise(hu):
    assert denormalise(normalise(np.array([hu])))[0] == pytest.approx(hu, abs=0.01)
