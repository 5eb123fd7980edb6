"""What lenstronomy shows of a galaxy on the sky, measured."""

from __future__ import annotations

import numpy as np
from lenstronomy.LightModel.light_model import LightModel

FINE = 0.1  # of a pixel of the galaxy's image


class Moments:
    """Of the surface brightness of ``INTERPOL``, x being to the east and y to the north.

    Attributes
    ----------
    flux : float
        All of it.
    east, north : float
        Centroid, arcsec.
    sigma, axis_ratio, angle : float
        Second moments: arcsec, and the major axis in deg from north through east.
    """

    def __init__(self, light: dict) -> None:
        pixel, size = light["scale"] * FINE, max(light["image"].shape) / FINE
        ticks = (np.arange(size) - (size - 1) / 2) * pixel
        east, north = (axis.ravel() for axis in np.meshgrid(ticks, ticks))
        brightness = LightModel(["INTERPOL"]).surface_brightness(east, north, [light])
        self.flux = brightness.sum() * pixel**2
        weight = brightness / brightness.sum()
        self.east, self.north = weight @ east, weight @ north
        x, y = east - self.east, north - self.north
        xx, yy, xy = weight @ x**2, weight @ y**2, weight @ (x * y)
        spread = np.hypot((xx - yy) / 2, xy)
        major, minor = (xx + yy) / 2 + spread, (xx + yy) / 2 - spread
        self.sigma, self.axis_ratio = (major * minor) ** 0.25, (minor / major) ** 0.5
        self.angle = np.degrees(np.arctan2(2 * xy, yy - xx) / 2)
