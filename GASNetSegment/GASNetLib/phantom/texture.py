"""Randomness that looks like something: smooth random fields in the patient, and noise with the texture of CT."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..geometry import Geometry

# Streams of random numbers: each part draws from its own, so that a patient keeps their anatomy whatever
# lesions or noise are asked for.
ANATOMY, VESSELS, LESIONS, TISSUE, NOISE = range(5)

# Peak of the noise power spectrum in cycles/mm, and blur of edges (full width) in mm.
KERNELS = {"soft": (0.22, 1.6), "sharp": (0.42, 0.9)}


def random_stream(seed: int, stream: int) -> np.random.Generator:
    """Generator that depends on nothing but the seed and which part of the phantom draws."""
    return np.random.default_rng([seed, stream])


def smooth_field(rng: np.random.Generator, lattice: Geometry, scale_mm: float) -> np.ndarray:
    """Smooth random field (about zero mean, unit SD) on a lattice, float32 [z, y, x].

    The random values sit on nodes fixed in the patient, ``scale_mm`` apart, so that the field is the same
    whatever the lattice; between them runs a cubic spline.
    """
    corners = lattice.corners()
    lower = np.array([-280.0, -260.0, -280.0])
    nodes = Geometry(
        tuple(int(n) for n in np.ceil(-2 * lower / scale_mm) + 1), (scale_mm,) * 3, tuple(lower.tolist())
    )
    assert (np.abs(corners) <= -lower).all()
    values = nodes.image(rng.standard_normal(nodes.shape, dtype=np.float32) * 1.3)
    blank = sitk.Image(lattice.size, sitk.sitkUInt8)
    blank.SetSpacing(lattice.spacing)
    blank.SetOrigin(lattice.origin)
    return sitk.GetArrayFromImage(sitk.Resample(values, blank, sitk.Transform(), sitk.sitkBSpline))


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
