"""What differs between the patients of the phantom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .texture import ANATOMY, random_stream


@dataclass(frozen=True)
class Build:
    """What differs between patients, drawn from the seed. Lengths in mm, angles in radians, density in HU."""

    scale: tuple[float, float, float]
    fat: float
    breast: float
    heart: float
    heart_shift: float
    dome: tuple[float, float]
    scoliosis: float
    kyphosis: float
    rib_pitch: float
    rib_slope: float
    blood: float
    parenchyma: float
    gravity: float
    rotation: tuple[float, float, float]
    shift: tuple[float, float, float]
    table_gap: float

    @classmethod
    def of(cls, seed: int) -> Build:
        """Patient of a seed."""
        rng = random_stream(seed, ANATOMY)
        uniform = rng.uniform
        return cls(
            scale=(uniform(0.9, 1.08), uniform(0.9, 1.1), uniform(0.86, 1.1)),
            fat=float(6 + 22 * rng.beta(1.6, 2.5)),
            breast=float(uniform(22, 36) if rng.random() < 0.5 else 0),
            heart=uniform(0.88, 1.15),
            heart_shift=uniform(-6, 8),
            dome=(uniform(-80, -56), uniform(-88, -66)),
            scoliosis=uniform(-7, 7),
            kyphosis=uniform(-6, 6),
            rib_pitch=uniform(25, 29),
            rib_slope=uniform(0.6, 0.8),
            blood=float(uniform(150, 320) if rng.random() < 0.3 else uniform(36, 48)),
            parenchyma=uniform(-905, -855),
            gravity=uniform(0.2, 0.6),
            rotation=tuple(rng.normal(0, (0.03, 0.03, 0.05)).tolist()),
            shift=tuple(rng.normal(0, (6, 5, 5)).tolist()),
            table_gap=uniform(2, 8),
        )

    @property
    def world_from_patient(self) -> np.ndarray:
        """Rotation matrix 3×3 of the patient on the table; the origin moves by :attr:`shift`."""
        matrix = np.eye(3)
        for axis, angle in enumerate(self.rotation):
            c, s = np.cos(angle), np.sin(angle)
            i, j = (axis + 1) % 3, (axis + 2) % 3
            turn = np.eye(3)
            turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
            matrix = matrix @ turn
        return matrix
