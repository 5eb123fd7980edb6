"""What a camera makes of a field: zero point, PSF, sky and noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from galgen import noise
from galgen.errors import InvalidValueError
from galgen.noise import Stream
from galgen.pixels.units import NANOMAGGY, flux_ratio
from galgen.scene.psf import parse_psf

# AB magnitude of one unit; any other zero point makes plain units.
_UNITS = {NANOMAGGY: "nanomaggy", 31.4: "nJy"}
_NSIGMA = 5.0  # of a source at the depth
_NOISE = 16  # first stream of SCENE for pixels; those below are for sources
_ROWS = 256  # at a time


@dataclass(frozen=True)
class Imaging:
    """How a field is imaged. Each tuple holds one value, or one per band.

    Attributes
    ----------
    zero_point : float
        AB magnitude of one unit of flux: 22.5 makes nanomaggies, 31.4 nJy.
    psf : tuple of str
        See `galgen.scene.psf.parse_psf`. It comes on top of the blur that stamps have already.
    depth : tuple of float
        AB magnitude of a point source that is detected at 5 sigma by PSF-fitting photometry;
        infinite for no noise.
    sky : tuple of float
        Background, flux per pixel.

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """

    zero_point: float = NANOMAGGY
    psf: tuple[str, ...] = ("moffat:0.7",)
    depth: tuple[float, ...] = (25.0,)
    sky: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        if not 0 <= self.zero_point <= 50:
            raise InvalidValueError("zero point", self.zero_point, "0 to 50 mag")
        for value in self.depth:
            if not (value >= 0 and (value <= 50 or value == math.inf)):
                raise InvalidValueError("depth", value, "0 to 50 mag, or inf for no noise")
        for value in self.sky:
            if not math.isfinite(value):
                raise InvalidValueError("sky", value, "a finite flux per pixel")

    @property
    def unit(self) -> str:
        """FITS unit of flux."""
        return _UNITS.get(self.zero_point, "adu")

    def exposures(self, bands: Sequence[str], pixel_scale: float) -> list[Exposure]:
        """Return the settings of each band.

        Parameters
        ----------
        bands : sequence of str
            Bluest first.
        pixel_scale : float
            Arcsec per pixel of the image.

        Raises
        ------
        InvalidValueError, DataError
            If there is neither one value nor one per band, or a PSF cannot be made.
        """
        settings = []
        for name in ("psf", "depth", "sky"):
            values = getattr(self, name)
            if len(values) not in (1, len(bands)):
                allowed = f"one, or one for each of {', '.join(bands)}"
                raise InvalidValueError(name, ",".join(map(str, values)), allowed)
            settings.append(values * len(bands) if len(values) == 1 else values)
        return [
            self._exposure(band, b, psf, depth, sky, pixel_scale)
            for b, (band, psf, depth, sky) in enumerate(zip(bands, *settings, strict=True))
        ]

    def margin(self, bands: Sequence[str], pixel_scale: float) -> int:
        """Pixels by which PSFs carry light; raises what `exposures` raises."""
        return max(len(exposure.kernel) // 2 for exposure in self.exposures(bands, pixel_scale))

    def _exposure(
        self, band: str, b: int, psf: str, depth: float, sky: float, pixel_scale: float
    ) -> Exposure:
        """Make the settings of one band."""
        kernel = parse_psf(psf, pixel_scale)
        flux = flux_ratio(self.zero_point - depth)  # 0 for an infinite depth
        # A PSF fit weighs pixels with the PSF: its error is sigma over the root of sum PSF^2.
        sigma = flux / _NSIGMA * math.sqrt((kernel**2).sum())
        return Exposure(band, b, psf, kernel, depth, sky, sigma)


@dataclass(frozen=True)
class Exposure:
    """One band of a field.

    Attributes
    ----------
    band : str
        Its name.
    number : int
        Of the band, from 0.
    psf : str
        See `galgen.scene.psf.parse_psf`.
    kernel : ndarray (K, K)
        Image of the PSF, float64, of sum 1.
    depth, sky : float
        See `Imaging`.
    sigma : float
        Standard deviation of the Gaussian noise, flux per pixel.
    """

    band: str
    number: int
    psf: str
    kernel: np.ndarray
    depth: float
    sky: float
    sigma: float

    def add_sky(self, image_hw: np.ndarray, seed: int) -> None:
        """Add background and noise to an image (H, W), in place.

        Pixel (y, x) of a seed has always the same noise.
        """
        stream = Stream.SCENE.at(_NOISE + self.number)
        for first in range(0, len(image_hw), _ROWS):
            rows = image_hw[first : first + _ROWS]
            rows += np.float32(self.sky)
            if self.sigma > 0:
                row_n = torch.arange(first, first + len(rows))
                normal = noise.normal(seed, row_n, rows.shape[1:], stream).numpy()
                rows += np.float32(self.sigma) * normal
