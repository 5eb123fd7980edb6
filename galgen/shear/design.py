"""What is drawn and measured in a test of shear."""

from __future__ import annotations

import math
from dataclasses import dataclass

from galgen.errors import InvalidValueError
from galgen.settings import require

_SHEARS = 1e-3, 0.1  # below, shapes are not exact enough; beyond, they are not linear in the shear
_MOST_SIDE = 512  # pixels
_WIDTH = 5, 2  # half-light radii and FWHMs from the middle to the edge of an image


@dataclass(frozen=True)
class Design:
    """Every galaxy is drawn through each PSF, at each noise level and angle, with each shear.

    Attributes
    ----------
    psf_fwhm : tuple of float
        Full widths at half maximum (arcsec) of Moffat PSFs of beta 3.5, the pixel not included.
    snr : tuple of float
        Noise levels: that at which a round exponential disc of the galaxies' flux and size has this
        signal-to-noise ratio, (sum of I² / sigma²)^1/2 over all pixels; infinity for no noise.
    half_light_radius : float
        Circularised, arcsec, of all galaxies.
    pixel_scale : float
        Arcsec per pixel of the images drawn.
    shear : float
        Galaxies are sheared by this g1 and its opposite, and by this g2 and its opposite.
    psf_shear : float
        g1 of the PSF, of which the additive bias comes.
    angles : int
        How often each galaxy is drawn, turned by 180 degrees over `angles`: an even number, so that
        there is another at a right angle to each, which cancels its shape.

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """

    psf_fwhm: tuple[float, ...] = (0.6, 0.9)
    snr: tuple[float, ...] = (math.inf, 100.0, 30.0)
    half_light_radius: float = 0.8
    pixel_scale: float = 0.2
    shear: float = 0.01
    psf_shear: float = 0.02
    angles: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "psf_fwhm", tuple(self.psf_fwhm))
        object.__setattr__(self, "snr", tuple(self.snr))
        for name in ("psf_fwhm", "snr"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InvalidValueError(name, values, "one or more values, each once")
        require(0 < self.pixel_scale < math.inf, "pixel_scale", self.pixel_scale, "above 0, arcsec")
        for fwhm in self.psf_fwhm:
            least = 2 * self.pixel_scale
            allowed = f"{least:g} arcsec, 2 pixels, or more"
            require(least <= fwhm < math.inf, "psf_fwhm", fwhm, allowed)
        for snr in self.snr:
            require(snr >= 5, "snr", snr, "5 or more, inf for no noise")
        size = self.half_light_radius
        least = self.pixel_scale / 2
        require(least <= size < math.inf, "half_light_radius", size, f"{least:g} arcsec or more")
        low, high = _SHEARS
        require(low <= self.shear <= high, "shear", self.shear, f"{low:g} to {high:g}")
        require(abs(self.psf_shear) <= 0.2, "psf_shear", self.psf_shear, "-0.2 to 0.2")
        require(self.angles in range(2, 65, 2), "angles", self.angles, "2, 4, 6 ... 64")
        if self.side > _MOST_SIDE:
            allowed = f"images of up to {_MOST_SIDE} pixels; they would have {self.side}"
            raise InvalidValueError("half_light_radius", size, allowed)

    @property
    def side(self) -> int:
        """Pixels along a side of the images."""
        radii, widths = _WIDTH
        reach = radii * self.half_light_radius + widths * max(self.psf_fwhm)
        return 2 * math.ceil(min(reach / self.pixel_scale, _MOST_SIDE))
