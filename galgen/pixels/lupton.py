"""Colour-preserving asinh stretches between flux and 8-bit style colour images.

Channel order is bluest first; a display RGB image is ``display_nhwc[..., ::-1]``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from galgen.errors import InvalidValueError
from galgen.pixels.constants import constants
from galgen_kernels.ops.stamps_to_fits import SINH_MAX

_TINY = 1e-4  # sinh(x)/x and asinh(x)/x differ from 1 by less than 2e-9 here


@dataclass(frozen=True)
class LuptonStretch:
    """Colour-preserving asinh stretch (Lupton et al. 2004, PASP 116, 133).

    With f the flux per pixel, ``a_b = scale_b f_b + offset``, ``I = mean_b max(0, a_b)`` and

        v_b = a_b asinh(gain I) / (norm I),

    so ``v_b -> a_b gain / norm`` for faint pixels. As every band is multiplied by the same factor,
    band *ratios* (of a_b) survive the stretch and its 8-bit storage; absolute flux does not: bright
    cores saturate, sky below black is cut, and quantisation leaves a pedestal. Inverted colour
    images are therefore never photometry; files made from them carry ``FLUXCAL = 'RGBINV'``.

    Attributes
    ----------
    bands : tuple of str
        Bluest first.
    scales : tuple of float
        Per band, display units per flux unit (nanomaggy per pixel of `pixel_scale`).
    offset, gain, norm : float
        As in the formula.
    keep_colour : bool
        How pixels beyond 1 saturate: all bands divided by the largest (colour kept), or each cut at
        1.
    pixel_scale : float
        Arcsec per pixel that `scales` hold for. A display value stands for a surface brightness,
        see `at_pixel_scale`.
    """

    bands: tuple[str, ...]
    scales: tuple[float, ...]
    offset: float
    gain: float
    norm: float
    keep_colour: bool
    pixel_scale: float

    def at_pixel_scale(self, pixel_scale: float | None) -> LuptonStretch:
        """Return the same stretch of surface brightness for pixels of another size (arcsec).

        None, an unknown size, leaves the stretch as it is.
        """
        if pixel_scale is None:
            return self
        area = (pixel_scale / self.pixel_scale) ** 2
        return replace(
            self, scales=tuple(s / area for s in self.scales), pixel_scale=float(pixel_scale)
        )

    def to_display(self, flux_nhwc: torch.Tensor, clip: bool = True) -> torch.Tensor:
        """Stretch flux (..., B) to display values, within [0, 1] if `clip`."""
        a_nhwc = flux_nhwc * constants(flux_nhwc, self.scales) + self.offset
        # The clamp replaces the 0/0 of empty pixels by its limit, with finite gradients.
        y_nhw1 = (self.gain * _intensity(a_nhwc)).clamp(min=_TINY)
        v_nhwc = a_nhwc * (torch.asinh(y_nhw1) / y_nhw1 * (self.gain / self.norm))
        if not clip:
            return v_nhwc
        if self.keep_colour:
            v_nhwc = v_nhwc / v_nhwc.amax(dim=-1, keepdim=True).clamp(min=1.0)
        return v_nhwc.clamp(0.0, 1.0)

    def to_flux(self, display_nhwc: torch.Tensor) -> torch.Tensor:
        """Return the flux (..., B) of display values; finite for any finite input.

        The inverse of ``to_display(clip=False)``. As ``mean_b max(0, v_b) = asinh(gain I) / norm``,
        the intensity follows in closed form.
        """
        x_nhw1 = (self.norm * _intensity(display_nhwc)).clamp(_TINY, SINH_MAX)
        a_nhwc = display_nhwc * (torch.sinh(x_nhw1) / x_nhw1 * (self.norm / self.gain))
        return (a_nhwc - self.offset) / constants(display_nhwc, self.scales)


def _intensity(x_nhwc: torch.Tensor) -> torch.Tensor:
    """Mean over the bands of what is above 0."""
    return x_nhwc.clamp(min=0.0).mean(dim=-1, keepdim=True)


LUPTON: Mapping[str, LuptonStretch] = {
    # SkyServer / ImgCutout JPEGs: djs_rgb_make with nonlinearity 3 on the *sum* of scaled i, r, g
    # (Hogg's nw_arcsinh: v = a asinh(3 S) / (3 S), S = 3 I), saturated pixels cut by nw_cut_to_box.
    "sdss": LuptonStretch(
        ("g", "r", "i"), (7.8, 5.7, 4.9), 0.0, 9.0, 9.0, keep_colour=True, pixel_scale=0.396
    ),
    # Legacy Surveys viewer, dr2_rgb: Q = 20, m = 0.03. What Galaxy10 DECaLS holds.
    "legacy": LuptonStretch(
        ("g", "r", "z"), (6.0, 3.4, 2.2), 0.03, 20.0, math.sqrt(20.0), keep_colour=False,
        pixel_scale=0.262,
    ),
}  # fmt: skip


def lupton_preset(name: str, bands: tuple[str, ...]) -> LuptonStretch:
    """Return the stretch called `name`, a key of `LUPTON`.

    Raises
    ------
    InvalidValueError
        If there is none, or it is for other bands (bluest first) than `bands`.
    """
    if name not in LUPTON:
        raise InvalidValueError("lupton stretch", name, ", ".join(LUPTON) + " or none")
    stretch = LUPTON[name]
    if stretch.bands != tuple(bands):
        raise InvalidValueError(
            f"bands of the {name} stretch",
            tuple(bands),
            f"{stretch.bands}",
            "Bands are listed bluest first; use another stretch, or none.",
        )
    return stretch


def flux_stretch(
    name: str | None, bands: tuple[str, ...], pixel_scale: float | None
) -> LuptonStretch:
    """Return the stretch between flux and display values of pixels of a size.

    Parameters
    ----------
    name : str or None
        Key of `LUPTON`, None if the stretch is not known.
    bands : tuple of str
        Bluest first.
    pixel_scale : float or None
        Arcsec per pixel; None for that of the stretch.

    Raises
    ------
    InvalidValueError
        If the stretch is not known, or for other bands.
    """
    if name is None:
        hint = (
            "Flux cannot be had from display pixels without their stretch; "
            "write display images instead, or train on linear flux."
        )
        raise InvalidValueError("lupton stretch", None, ", ".join(LUPTON), hint)
    return lupton_preset(name, bands).at_pixel_scale(pixel_scale)
