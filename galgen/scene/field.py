"""Where on the sky an image is: a gnomonic (TAN) projection, north up and east to the left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.wcs import WCS

from galgen.errors import InvalidValueError

MAX_PIXELS = 1 << 29  # of one image: all bands are held in memory
MAX_DEGREES = 10.0  # a TAN projection is not meant for more
_NORTH_STEP = 1.0 / 3600  # deg


@dataclass(frozen=True)
class Field:
    """An image on the sky. Pixel positions count from 0, the centre of the first pixel.

    Attributes
    ----------
    ra, dec : float
        Centre of the image, ICRS, deg.
    width, height : int
        Pixels.
    pixel_scale : float
        Arcsec per pixel.

    Raises
    ------
    InvalidValueError
        If a value is out of range, or the image too large.
    """

    ra: float = 150.0
    dec: float = 2.0
    width: int = 1024
    height: int = 1024
    pixel_scale: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.ra < 360:
            raise InvalidValueError("ra", self.ra, "0 to 360 deg, 360 excluded")
        if not -90 <= self.dec <= 90:
            raise InvalidValueError("dec", self.dec, "-90 to 90 deg")
        for name in ("width", "height"):
            if getattr(self, name) < 16:
                raise InvalidValueError(name, getattr(self, name), "16 pixels or more")
        if self.width * self.height > MAX_PIXELS:
            given, hint = f"{self.width} x {self.height}", "Make several fields."
            raise InvalidValueError("size", given, f"up to {MAX_PIXELS:,} pixels", hint)
        if not (self.pixel_scale > 0 and math.isfinite(self.pixel_scale)):
            raise InvalidValueError("pixel scale", self.pixel_scale, "above 0 arcsec")
        side = max(self.width, self.height) * self.pixel_scale / 3600
        if side > MAX_DEGREES:
            hint = "Use fewer or smaller pixels."
            raise InvalidValueError("side of the field", side, f"up to {MAX_DEGREES} deg", hint)

    @property
    def area(self) -> float:
        """Area of the image, square arcmin."""
        return self.width * self.height * (self.pixel_scale / 60) ** 2

    @cached_property
    def wcs(self) -> WCS:
        """The projection, for astropy and for FITS headers."""
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [(self.width + 1) / 2, (self.height + 1) / 2]
        wcs.wcs.cdelt = [-self.pixel_scale / 3600, self.pixel_scale / 3600]
        wcs.wcs.radesys = "ICRS"
        wcs.wcs.set()
        return wcs

    def sky(self, x_n: np.ndarray, y_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """RA in [0, 360) and Dec (deg) of pixel positions."""
        ra_n, dec_n = self.wcs.wcs_pix2world(x_n, y_n, 0)
        return ra_n % 360, dec_n

    def pixels(self, ra_n: np.ndarray, dec_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixel positions of RA and Dec (deg); NaN on the other half of the sky."""
        x_n, y_n = self.wcs.wcs_world2pix(ra_n, dec_n, 0)
        dec, ra, centre = np.radians(dec_n), np.radians(ra_n - self.ra), math.radians(self.dec)
        # A gnomonic projection maps the other half of the sky, too, turned upside down.
        cosine = np.sin(centre) * np.sin(dec) + np.cos(centre) * np.cos(dec) * np.cos(ra)
        return np.where(cosine > 0, x_n, np.nan), np.where(cosine > 0, y_n, np.nan)

    def north(self, ra_n: np.ndarray, dec_n: np.ndarray) -> np.ndarray:
        """Direction of north (deg, counter-clockwise from +x) at positions on the sky.

        An axis of position angle PA, from north through east, has the direction of north plus PA.
        """
        sign = np.where(dec_n > 0, -1, 1)  # never a step across a pole
        x0, y0 = self.wcs.wcs_world2pix(ra_n, dec_n, 0)
        x1, y1 = self.wcs.wcs_world2pix(ra_n, dec_n + sign * _NORTH_STEP, 0)
        angle_n: np.ndarray = np.degrees(np.arctan2(sign * (y1 - y0), sign * (x1 - x0)))
        return angle_n
