"""Smooth random fields in the patient, and noise with the texture of CT."""

from __future__ import annotations

import numpy as np

from ..geometry import Geometry

# Streams of random numbers: each part draws from its own, so that a patient keeps their anatomy whatever
# lesions or noise are asked for.
ANATOMY, VESSELS, LESIONS, TISSUE, NOISE = range(5)

# Peak of the noise power spectrum in cycles/mm, and blur of edges (full width) in mm.
KERNELS = {"soft": (0.22, 1.6), "sharp": (0.42, 0.9)}

_NODE_BOX = (250.0, 200.0, 240.0)  # mm from the patient's origin that smooth fields cover


def random_stream(seed: int, *stream: int) -> np.random.Generator:
    """Generator that depends on nothing but the seed and which part of the phantom draws."""
    return np.random.default_rng([seed, *stream])


def smooth_field(rng: np.random.Generator, lattice: Geometry, scale_mm: float) -> np.ndarray:
    """Smooth random field (zero mean, about unit SD) on an axis-parallel lattice, float32 [z, y, x].

    The random values sit on nodes fixed in the patient, ``scale_mm`` apart, so that the field is the same
    whatever the lattice; a cubic B-spline blends them.
    """
    nodes = tuple(int(np.ceil(2 * half / scale_mm)) + 4 for half in _NODE_BOX[::-1])
    field = 3.0 * rng.standard_normal(nodes, dtype=np.float32)
    for axis in range(3):
        start, step, count = lattice.origin[2 - axis], lattice.spacing[2 - axis], lattice.shape[axis]
        places = (start + step * np.arange(count) + _NODE_BOX[2 - axis]) / scale_mm + 1
        field = np.moveaxis(np.tensordot(_spline_weights(places, nodes[axis]), field, (1, axis)), 0, axis)
    return np.ascontiguousarray(field)


def _spline_weights(places: np.ndarray, nodes: int) -> np.ndarray:
    """Cubic B-spline weights of nodes 0 … n−1 at fractional places, float32 (places, nodes)."""
    t = np.abs(places[:, None] - np.arange(nodes))
    near = 2 / 3 - t**2 + t**3 / 2
    far = (2 - t) ** 3 / 6
    return np.where(t < 1, near, np.where(t < 2, far, 0)).astype(np.float32)


def ct_noise(
    rng: np.random.Generator, plane: tuple[int, int], pixel_mm: tuple[float, float], kernel: str
) -> np.ndarray:
    """One slice of CT noise with unit SD, float32 [y, x].

    Filtered back projection leaves noise whose power rises with frequency (the ramp) until the kernel cuts it
    off (Riederer, Pelc, Chesler: The noise power spectrum in computed X-ray tomography, 1978).
    """
    peak = KERNELS[kernel][0]
    fy = np.fft.fftfreq(plane[0], pixel_mm[0])[:, None]
    fx = np.fft.rfftfreq(plane[1], pixel_mm[1])[None]
    frequency = np.hypot(fy, fx) / peak
    amplitude = np.sqrt(0.03 + frequency) * np.exp(-0.5 * frequency**2)
    spectrum = np.fft.rfft2(rng.standard_normal(plane, dtype=np.float32)) * amplitude
    noise = np.fft.irfft2(spectrum, plane)
    return (noise / noise.std()).astype(np.float32)
