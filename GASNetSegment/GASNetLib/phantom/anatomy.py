"""Shapes of a chest as signed distances in mm (negative inside), and its tissues, in a patient frame.

The patient frame is LPS (x to the left, y to the back, z to the head) with its origin between the lungs. All
functions take coordinates that broadcast against each other: a lattice as well as single points.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .build import Build
from .shapes import axial_section, ellipsoid, smooth_intersection, smooth_union, tube

AIR, FAT, MUSCLE, SKIN = -1000.0, -100.0, 52.0, 20.0
LIVER, SPLEEN, STOMACH, MYOCARDIUM = 58.0, 48.0, 25.0, 48.0

# Profiles along z (mm): half width, front and back of the rib cage's inside and of the body.
_CAVITY_Z = (-220, -150, -60, 0, 60, 100, 130, 170)
_CAVITY_KNOTS = {
    "half width": (130, 136, 138, 129, 109, 86, 62, 52),
    "front": (-98, -100, -98, -88, -66, -42, -24, -18),
    "back": (84, 90, 98, 96, 84, 66, 50, 40),
}
_BODY_Z = (-220, -60, 0, 60, 100, 130, 170, 200, 230)
_BODY_KNOTS = {
    "half width": (154, 160, 156, 160, 176, 186, 172, 130, 78),
    "front": (-112, -114, -106, -84, -64, -54, -50, -52, -55),
    "back": (112, 124, 126, 122, 114, 104, 88, 70, 62),
}

_FINE_Z = np.arange(-300.0, 301.0, 4.0)


def _smooth_curve(knots_z, values):
    """Curve through knots, averaged over ±16 mm so that no crease shows, on _FINE_Z."""
    window = np.hanning(11)[1:-1]
    curve = np.pad(np.interp(_FINE_Z, knots_z, values), 4, mode="edge")
    return np.convolve(curve, window / window.sum(), "valid")


_CAVITY = {name: _smooth_curve(_CAVITY_Z, values) for name, values in _CAVITY_KNOTS.items()}
_BODY = {name: _smooth_curve(_BODY_Z, values) for name, values in _BODY_KNOTS.items()}


def _profile(z, curve):
    return np.interp(z, _FINE_Z, curve).astype(np.float32)


class Chest:
    """A patient's shapes at given patient-frame coordinates.

    Args:
        build: the patient.
        x, y, z: float32 coordinates in mm that broadcast against each other.
    """

    def __init__(self, build: Build, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        self.build = build
        sx, sy, sz = build.scale
        # Organs are drawn for an average chest; stretching the coordinates makes the others.
        self.x, self.y, self.z = x / sx, y / sy, z / sz
        self.unit = (sx * sy * sz) ** (1 / 3)
        self.midline = build.scoliosis * np.cos(self.z / 70.0)
        self.spine_y = _profile(self.z, _CAVITY["back"]) - 33 + build.kyphosis * np.cos(self.z / 90.0)

    def body(self) -> np.ndarray:
        """Skin surface, without the flattening by the table."""
        z, fat = self.z, self.build.fat
        distance = axial_section(
            self.x,
            self.y,
            _profile(z, _BODY["half width"]) + fat,
            _profile(z, _BODY["front"]) - fat,
            _profile(z, _BODY["back"]) + 0.7 * fat,
            2.25,
        )
        size = self.build.breast
        if size:
            for side in (-1, 1):
                centre = (side * 84, -104 - fat, -30)
                distance = smooth_union(
                    distance, ellipsoid(self.x, self.y, z, centre, (1.9 * size, 0.85 * size, 1.7 * size)), 30
                )
        return distance * self.unit

    @cached_property
    def cavity(self) -> np.ndarray:
        """Inside of the rib cage."""
        z = self.z
        return self.unit * axial_section(
            self.x,
            self.y,
            _profile(z, _CAVITY["half width"]),
            _profile(z, _CAVITY["front"]),
            _profile(z, _CAVITY["back"]),
            2.15,
        )

    @cached_property
    def heart(self) -> np.ndarray:
        """Heart with its sac."""
        c, s = np.cos(0.6), np.sin(0.6)
        x, y, z = self.x - 20 - self.build.heart_shift, self.y + 32, self.z + 40
        u, v = c * x - s * y, s * x + c * y
        u, w = np.cos(0.45) * u - np.sin(0.45) * z, np.sin(0.45) * u + np.cos(0.45) * z
        size = self.build.heart
        return self.unit * ellipsoid(u, v, w, (0, 0, 0), (70 * size, 46 * size, 50 * size))

    def dome(self, side: int) -> np.ndarray:
        """Height above a diaphragm dome (negative above it, where the lung is)."""
        top = self.build.dome[0 if side < 0 else 1]
        u, v = (self.x - side * 66) / 96, (self.y + 4) / 108
        surface = top - 62 * (u * u + v * v) - 0.24 * self.y
        slope = np.sqrt(1 + (124 / 96 * u) ** 2 + (124 / 108 * v + 0.24) ** 2)
        return self.unit * (surface - self.z) / slope

    @cached_property
    def great_vessels(self) -> np.ndarray:
        """Aorta, caval vein and pulmonary arteries up to the hila."""
        along = [self._tube(points, radius) for points, radius in great_vessel_tubes()]
        distance = along[0]
        for other in along[1:]:
            distance = smooth_union(distance, other, 2)
        return distance

    @cached_property
    def central_airways(self) -> np.ndarray:
        """Trachea and main bronchi, inside of the wall."""
        return np.minimum.reduce([self._tube(points, radius) for points, radius in central_airway_tubes()])

    def oesophagus(self) -> np.ndarray:
        """Oesophagus."""
        return self._tube([(4, -4, 190), (4, 22, 90), (3, 34, 30), (2, 36, -60), (14, 10, -110)], 8)

    def lung(self, side: int) -> np.ndarray:
        """One lung (side −1 right, +1 left): pleural surface, hilum and main bronchi left out."""
        x, y, z = self.x, self.y, self.z
        apex = ellipsoid(x, y, z, (side * 54, 14, -90), (92, 122, 218)) * self.unit
        lung = smooth_intersection(self.cavity, apex, 14)
        lung = smooth_intersection(lung, self.dome(side), 5)
        return smooth_intersection(lung, self.mediastinal_side(side), 7)

    def mediastinal_side(self, side: int) -> np.ndarray:
        """Distance into one hemithorax from everything in the middle (negative in the hemithorax)."""
        x, y, z = self.x, self.y, self.z
        # Half width of the mediastinum: thin where the lungs meet in front, wide above the aortic arch.
        upper = np.clip((z - 40) / 60, 0, 1)
        front = np.clip((-35 - y) / 30, 0, 1)
        half = (20 + 9 * upper) * (1 - front) + (5 + 14 * upper + 12 * np.clip((-10 - z) / 50, 0, 1)) * front
        middle = (side * (x - self.midline) - half) * self.unit
        middle = smooth_union(middle, self.heart - 3, 10)
        middle = smooth_union(middle, self.great_vessels - 3, 6)
        middle = smooth_union(middle, self.central_airways - 4, 5)
        return -smooth_union(middle, self.spine_bed, 8)

    @cached_property
    def spine_bed(self) -> np.ndarray:
        """Vertebrae with what the pleura does not enter beside them."""
        x, y = self.x - self.midline, self.y - self.spine_y
        body = ellipsoid(x, y, np.float32(0), (0, 4, 0), (23, 25, 1))
        return self.unit * smooth_union(body, ellipsoid(x, y, np.float32(0), (0, 36, 0), (46, 24, 1)), 8)

    def bones(self) -> np.ndarray:
        """Spine, sternum, clavicles and shoulder blades (the ribs are :meth:`rib_height`)."""
        distance = np.minimum(self._spine(), self._sternum())
        return np.minimum(distance, self._shoulder())

    def rib_height(self) -> np.ndarray:
        """Height along the chest wall in mm above the next rib's middle: a field without jumps.

        The caller makes ribs of it after sampling it finely.
        """
        return (self.z + self.build.rib_slope * (70 - self.y) + 0.25 * np.abs(self.x)) * self.unit

    def rib_limit(self) -> np.ndarray:
        """Where there are ribs (negative): above the costal margin and below the first rib."""
        margin = (-95 - 0.45 * self.y - self.z) * 0.8
        return self.unit * np.maximum(margin, self.z - 118 + 0 * self.x)

    def rib_cartilage(self) -> np.ndarray:
        """Where ribs are cartilage (negative): beside the sternum."""
        return self.unit * np.maximum(np.abs(self.x) - 58, self.y + 0 * self.z)

    def fissure(self, side: int) -> np.ndarray:
        """Distance from the oblique fissure of a lung."""
        bend = 9 * np.sin(self.x / 31 + side) + 6 * np.sin(self.y / 27)
        tilt = 0.72 if side < 0 else 0.82
        return self.unit * (self.z - 12 - tilt * (self.y - 18) * 1.1 - 0.15 * side * self.x + bend) / 1.35

    def horizontal_fissure(self) -> np.ndarray:
        """Distance from the right lung's horizontal fissure (which goes on behind the oblique one here)."""
        bend = 5 * np.sin(self.x / 23) + 4 * np.sin(self.y / 19)
        return self.unit * (self.z + 12 + 0.12 * self.y + bend)

    def soft_tissue(
        self, tissue: np.ndarray, cloud: np.ndarray, body: np.ndarray, edge_mm: float
    ) -> np.ndarray:
        """Density in HU of all that is neither lung, bone, airway nor outside.

        Args:
            tissue, cloud: smooth random fields, fine and coarse, that break up muscles and fat.
            body: distance from the (flattened) skin.
            edge_mm: width of the transitions.
        """
        build, cavity = self.build, self.cavity

        def paint(hu, value, distance):
            return hu + (value - hu) * np.clip(0.5 - distance / edge_mm, 0, 1)

        fat_depth = build.fat * (0.55 + 0.2 * np.cos(self.x / 45)) + 3 * tissue + 3
        wall = np.float32(FAT) + 8 * tissue
        wall = paint(wall, MUSCLE + 5 * tissue, body + fat_depth)
        # Fat between the muscles and their layers.
        wall = paint(wall, FAT + 6 * tissue, np.maximum(5 * (0.45 - cloud), 13 - cavity))
        wall = paint(wall, FAT, np.abs(cavity - 17 - 3 * tissue) - 1.2 - 1.5 * tissue)
        if build.breast:
            wall = paint(wall, 5.0, 6 + np.maximum(-tissue * 12, body + 10))
        hu = paint(wall, MUSCLE, np.minimum(self.spine_bed - 6, cavity - 10))
        hu = paint(hu, FAT + 10 * tissue, cavity)
        for value, distance in self._organs(tissue):
            hu = paint(hu, value, distance)
        return paint(hu, SKIN, -body - 1.8)

    def _organs(self, tissue):
        """Density and shape of what lies in the mediastinum and below the diaphragm, from back to front."""
        build, blood = self.build, self.build.blood
        heart = self.heart + 3
        below = np.minimum(-self.dome(-1), -self.dome(1)) + 2.5
        cavity = self.cavity + 5 + 3 * tissue
        liver = smooth_intersection(
            smooth_intersection(below, cavity, 6), self.unit * (self.x - 22 - 0.25 * self.y), 12
        )
        yield MUSCLE, np.abs(below - 1.5) - 1.5 + np.clip(self.cavity + 4, 0, None)
        yield LIVER + 2 * tissue, liver
        yield STOMACH + 8 * tissue, self._stomach()
        yield -950.0, self._stomach_gas()
        spleen = ellipsoid(self.x, self.y, self.z, (88, 42, build.dome[1] - 44), (40, 46, 40))
        yield SPLEEN, smooth_intersection(spleen, np.maximum(below, cavity), 4)
        yield MYOCARDIUM, heart
        yield blood, heart + 11 + 3 * tissue
        yield MYOCARDIUM, np.maximum(heart, np.abs(self.x - 24 - 0.5 * (self.y + 32)) - 4)
        yield MUSCLE - 14, self.oesophagus()
        yield blood, self.great_vessels
        yield MUSCLE, np.minimum(self.central_airways - 2, self.spine_bed + 4)

    def _stomach(self):
        top = self.build.dome[1]
        return self.unit * ellipsoid(self.x, self.y, self.z, (62, -22, top - 48), (46, 52, 36))

    def _stomach_gas(self):
        """Gas in the front of the stomach: the patient lies on the back."""
        return smooth_intersection(self._stomach() + 4, (self.y + 28) * self.unit, 3)

    def _spine(self):
        """Vertebrae with discs, arch and spinous process."""
        x, y, z = self.x - self.midline, self.y - self.spine_y, self.z
        pitch = 25.0
        along = np.abs((z + 6) / pitch - np.round((z + 6) / pitch)) * pitch
        flat = np.float32(0)
        body = ellipsoid(x, y, flat, (0, 0, 0), (18, 15, 1))
        body = smooth_intersection(body, along - 9.6, 2)
        arch = np.abs(ellipsoid(x, y, flat, (0, 24, 0), (14, 12, 1))) - 2.6
        arch = np.maximum(np.maximum(arch, along - 8.5), 14 - y)
        process = np.maximum(np.abs(x) - 3.0, np.abs(y - 50) - 15)
        process = np.maximum(process, along - 8.5)
        side = np.abs(x)
        lateral = np.maximum(np.abs(y - 27 - 0.25 * side) - 4, np.maximum(side - 33, 11 - side))
        lateral = np.maximum(lateral, along - 6)
        return self.unit * np.minimum(np.minimum(body, arch), np.minimum(process, lateral))

    def _sternum(self):
        z = self.z
        front = _profile(z, _CAVITY["front"]) - 9
        half = 15 + 9 * np.clip((z - 50) / 30, 0, 1)
        plate = 5.5 * (np.hypot(self.x / half, (self.y - front) / 5.5) - 1)
        return self.unit * smooth_intersection(plate, np.maximum(-62 - z, z - 92), 3)

    def _shoulder(self):
        side = np.abs(self.x)
        clavicle = tube(
            side, self.y, self.z, [(20, -44, 100), (60, -46, 112), (105, -26, 124), (150, -2, 132)], 5.5
        )
        humerus = ellipsoid(side, self.y, self.z, (172, 6, 118), (22, 22, 24))
        blade = np.abs(side - 108 + 0.62 * (self.y - 96) + 0.28 * (self.z - 40)) / 1.2 - 2.4
        reach = ellipsoid(side, self.y, self.z, (106, 86, 58), (62, 44, 66))
        blade = np.maximum(blade, np.maximum(reach, 11 - self.cavity / self.unit))
        return self.unit * np.minimum(np.minimum(clavicle, humerus), blade)

    def _tube(self, points, radius):
        return self.unit * tube(self.x, self.y, self.z, points, radius)


def great_vessel_tubes():
    """Polyline (average chest, mm) and radius of each great vessel."""
    return [
        ([(-6, -28, -4), (-10, -30, 30), (-4, -20, 58), (10, 2, 68), (24, 30, 58), (26, 46, 40)], 14.5),
        ([(26, 46, 40), (24, 50, -40), (16, 48, -110), (6, 42, -220)], 12.0),
        ([(-26, -20, -6), (-27, -18, 40), (-24, -22, 92)], 9.0),
        ([(18, -38, 0), (16, -26, 26), (28, -4, 38), (44, 8, 34)], 12.0),
        ([(16, -26, 26), (-8, -8, 30), (-40, 0, 24)], 11.0),
        ([(-24, -22, 92), (-40, -24, 120), (-56, -10, 170)], 6.5),
        ([(2, -16, 68), (-8, -18, 100), (-22, -16, 170)], 6.0),
        ([(20, 14, 66), (22, 2, 110), (30, -4, 170)], 5.0),
    ]


def central_airway_tubes():
    """Polyline (average chest, mm) and inner radius of trachea, right and left main bronchus."""
    return [
        ([(0, -24, 230), (0, -20, 150), (0, -2, 100), (1, 12, 42)], 8.5),
        ([(1, 12, 42), (-18, 14, 24), (-34, 12, 12)], 6.8),
        ([(1, 12, 42), (20, 16, 24), (42, 16, 8)], 5.8),
    ]
