"""Where voxels lie in the patient: size, spacing, origin and direction of an image grid, in ITK's LPS mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk


@dataclass(frozen=True)
class Geometry:
    """Grid of an image.

    Attributes:
        size: voxels along the index axes (x, y, z); an array on this grid has shape ``(z, y, x)``.
        spacing: mm along the index axes (x, y, z).
        origin: LPS position in mm of the centre of voxel (0, 0, 0).
        direction: 3×3 direction cosines, row-major; column k is the LPS direction of index axis k.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    @classmethod
    def of(cls, image: sitk.Image) -> Geometry:
        """Geometry of a 3-D SimpleITK image."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (z, y, x) of an array on this grid."""
        return self.size[::-1]

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    @property
    def index_to_physical(self) -> np.ndarray:
        """4×4 matrix from index (x, y, z, 1) to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    def part(self, box: tuple[slice, slice, slice]) -> Geometry:
        """Grid of the part ``array[box]`` of an array (z, y, x) on this grid; slices with start and stop."""
        start = [part.start for part in box[::-1]]
        origin = self.index_to_physical @ [*start, 1.0]
        size = tuple(part.stop - part.start for part in box[::-1])
        return Geometry(size, self.spacing, tuple(origin[:3].tolist()), self.direction)

    def corners(self) -> np.ndarray:
        """LPS positions in mm of the eight outer corners (voxel edges, not centres), shape (8, 3)."""
        steps = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, -1).T
        index = steps * np.asarray(self.size) - 0.5
        return index @ self.index_to_physical[:3, :3].T + self.origin

    def same_as(self, other: Geometry, tolerance_mm: float = 0.01) -> bool:
        """True if both grids have the same size and no corner lies further apart than ``tolerance_mm``."""
        return self.size == other.size and bool(
            np.abs(self.corners() - other.corners()).max() <= tolerance_mm
        )

    def image(self, array: np.ndarray) -> sitk.Image:
        """SimpleITK image of an array [z, y, x] that lies on this grid.

        Raises:
            ValueError: the array has another shape.
        """
        if array.shape != self.shape:
            raise ValueError(f"array of shape {array.shape} does not lie on a grid of shape {self.shape}")
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image
