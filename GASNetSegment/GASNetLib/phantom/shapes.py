"""Signed distances in mm (negative inside) of simple shapes, and how to join them.

Coordinates may be arrays that broadcast against each other. Distances are exact at the surface and within
some percent near it, which is what edges need.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def smooth_union(a: np.ndarray, b: np.ndarray, radius: float = 6.0) -> np.ndarray:
    """Union of two distances with a rounded seam."""
    h = np.clip(0.5 + (b - a) * (0.5 / radius), 0, 1)
    return b + (a - b) * h - radius * h * (1 - h)


def smooth_intersection(a: np.ndarray, b: np.ndarray, radius: float = 6.0) -> np.ndarray:
    """Intersection of two distances with a rounded edge."""
    return -smooth_union(-a, -b, radius)


def ellipsoid(x, y, z, centre, semi) -> np.ndarray:
    """Distance to an axis-parallel ellipsoid, measured along the ray from its centre."""
    dx, dy, dz = x - centre[0], y - centre[1], z - centre[2]
    r = np.sqrt((dx / semi[0]) ** 2 + (dy / semi[1]) ** 2 + (dz / semi[2]) ** 2) + 1e-3
    return np.sqrt(dx * dx + dy * dy + dz * dz) * (1 - 1 / r)


def tube(x, y, z, points, radius: float) -> np.ndarray:
    """Distance to a tube of one radius along a polyline."""
    nearest = np.float32(np.inf)
    for start, stop in pairwise(points):
        dx, dy, dz = (axis - np.float32(v) for axis, v in zip((x, y, z), start, strict=True))
        ax, ay, az = (np.float32(b - a) for a, b in zip(start, stop, strict=True))
        square = ax * ax + ay * ay + az * az
        along = dx * ax + dy * ay + dz * az
        t = np.clip(along / square, 0, 1)
        nearest = np.minimum(nearest, dx * dx + dy * dy + dz * dz - t * (2 * along - t * square))
    return np.sqrt(np.maximum(nearest, 0)) - np.float32(radius)


def axial_section(x, y, half_width, front, back, exponent):
    """Distance to a superellipse in the axial plane, measured along the ray from its centre."""
    dy = y - (front + back) / 2
    half_depth = (back - front) / 2
    r = (np.abs(x) / half_width) ** exponent + (np.abs(dy) / half_depth) ** exponent
    r = r ** (1 / exponent) + 1e-3
    return np.sqrt(x * x + dy * dy) * (1 - 1 / r)
