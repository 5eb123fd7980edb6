"""Pixel scalings: flux <-> display or native pixels <-> the network's input.

Channel order is bluest first everywhere; a display RGB image is ``display_nhwc[..., ::-1]``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import torch

from galgen.errors import InvalidValueError
from galgen.pixels.constants import constants
from galgen.pixels.lupton import LUPTON, LuptonStretch, flux_stretch, lupton_preset
from galgen.pixels.mixing import Matrix, inverse, is_invertible, over_bands
from galgen.pixels.units import UNCALIBRATED
from galgen.settings import as_tuples, check_fields
from galgen_kernels.ops.stamps_to_fits import SINH_MAX, Lupton, Stretch

__all__ = ["LUPTON", "SIGMA_DATA", "LuptonStretch", "PixelSpace", "lupton_preset"]

SIGMA_DATA = 0.5  # standard deviation of model-space pixels (Karras et al. 2022, table 1)


@dataclass(frozen=True)
class PixelSpace:
    """Where the network's pixels live, and the way back to pixels people use.

    Three spaces, all channels-last: *flux*, the *native* pixels of the training set (display values
    in [0, 1], or flux), and *model* space x with standard deviation 0.5. Native pixels are first
    made to have roughly constant noise,

        display: s = sqrt(v + softening) - sqrt(softening)
        flux:    s_b = asinh(f_b / softening_b)        (Lupton, Gunn & Szalay 1999)

    and then ``x = mix (0.5 (s - mean) / std)``, a matrix over the bands. Galaxies look much alike
    in all bands. Seen band by band, what their colours do from pixel to pixel drowns in noise that
    hardly hides the rest, and a network never learns it; mixed into a mean and differences, each
    channel shows its detail at the same noise level.

    Attributes
    ----------
    native : {"display", "flux"}
        What native pixels are.
    bands : tuple of str
        Bluest first.
    softening : float or tuple of float
        As above; for flux the sky noise of each band.
    mean, std : tuple of float
        Per band, of s.
    mix : tuple of tuple of float, optional
        Rows: the model's channels as sums over the bands. None for the bands themselves.
    lupton : str or None
        Name of the stretch between flux and display (a key of `LUPTON`).
    unit : str
        Unit of flux.
    pixel_scale : float or None
        Arcsec per pixel; None where stamps have no common one.
    psf_fwhm : float or None
        Of the PSF that stamps come with, arcsec: 0 where they are galaxies without any, None where
        it is that of training images.
    """

    native: str
    bands: tuple[str, ...]
    softening: float | tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    lupton: str | None = None
    unit: str = "nanomaggy"
    pixel_scale: float | None = None
    mix: Matrix | None = None
    psf_fwhm: float | None = None

    def __post_init__(self) -> None:
        if self.native not in ("display", "flux"):
            raise InvalidValueError("native", self.native, "'display' or 'flux'")
        for name in ("mean", "std"):
            if len(getattr(self, name)) != len(self.bands):
                raise InvalidValueError(name, getattr(self, name), f"one per band of {self.bands}")
        softening = self._softening
        if len(softening) not in (1, len(self.bands)) or not min(softening) > 0:
            raise InvalidValueError("softening", self.softening, "above 0, one or one per band")
        if not min(self.std) > 0:
            raise InvalidValueError("std", self.std, "above 0")
        self._check_mix()
        if self.lupton is not None:
            lupton_preset(self.lupton, self.bands)
        if self.psf_fwhm is not None and not 0 <= self.psf_fwhm < math.inf:
            raise InvalidValueError("psf_fwhm", self.psf_fwhm, "0 or more, in arcsec")

    @property
    def _softening(self) -> tuple[float, ...]:
        """Softening as it was given, one or one per band."""
        return self.softening if isinstance(self.softening, tuple) else (self.softening,)

    @property
    def softening_b(self) -> tuple[float, ...]:
        """Softening of each band."""
        return self._softening * (len(self.bands) // len(self._softening))

    @property
    def flux_unit(self) -> str:
        """Unit of the flux that comes out: `unit`, or 'adu' where it comes from colour images."""
        return self.unit if self.native == "flux" else UNCALIBRATED

    def encode(self, native_nhwc: torch.Tensor) -> torch.Tensor:
        """Native pixels to model space."""
        return over_bands(self.standardise(native_nhwc), self.mix)

    def decode(self, x_nhwc: torch.Tensor) -> torch.Tensor:
        """Model space to native pixels; the inverse of `encode`, monotone and finite everywhere."""
        return self.unstandardise(self.unmix(x_nhwc))

    def unmix(self, x_nhwc: torch.Tensor) -> torch.Tensor:
        """Model space to the same numbers band by band, ``0.5 (s - mean) / std``."""
        return over_bands(x_nhwc, self._unmix)

    def standardise(self, native_nhwc: torch.Tensor) -> torch.Tensor:
        """Native pixels to ``0.5 (s - mean) / std``, band by band."""
        s_nhwc = self._stabilise(native_nhwc)
        mean, std = constants(s_nhwc, self.mean), constants(s_nhwc, self.std)
        return (s_nhwc - mean) * (SIGMA_DATA / std)

    def unstandardise(self, standard_nhwc: torch.Tensor) -> torch.Tensor:
        """Return native pixels; the inverse of `standardise`."""
        mean, std = constants(standard_nhwc, self.mean), constants(standard_nhwc, self.std)
        return self._unstabilise(standard_nhwc * (std / SIGMA_DATA) + mean)

    @cached_property
    def _unmix(self) -> Matrix | None:
        """Inverse of `mix`."""
        return None if self.mix is None else inverse(self.mix)

    def _check_mix(self) -> None:
        """Raise `InvalidValueError` unless `mix` can be inverted."""
        b = len(self.bands)
        if self.mix is not None and not is_invertible(self.mix, b):
            raise InvalidValueError("mix", self.mix, f"an invertible {b} x {b} matrix")

    def to_flux(self, x_nhwc: torch.Tensor) -> torch.Tensor:
        """Model space to flux per pixel, in `unit`.

        Raises
        ------
        InvalidValueError
            If the native pixels are display values of an unknown stretch.
        """
        return self.native_to_flux(self.decode(x_nhwc))

    def light(self, x_nhwc: torch.Tensor) -> torch.Tensor:
        """Model space to light per pixel, (n, h, w, 1): the mean over the bands of what is above 0.

        It is flux; where display values have an unknown stretch, those are all that is known.
        """
        native_nhwc = self.decode(x_nhwc)
        if self.native == "display":
            native_nhwc = native_nhwc.clamp(max=1.0)  # a stretch inverted beyond white explodes
            if self.lupton is not None:
                native_nhwc = self.native_to_flux(native_nhwc)
        return native_nhwc.clamp(min=0.0).mean(dim=-1, keepdim=True)

    def from_flux(self, flux_nhwc: torch.Tensor) -> torch.Tensor:
        """Flux per pixel, in `unit`, to model space; the inverse of `to_flux`.

        Raises
        ------
        InvalidValueError
            As `to_flux`.
        """
        return self.encode(self.flux_to_native(flux_nhwc))

    def native_to_flux(self, native_nhwc: torch.Tensor) -> torch.Tensor:
        """Native pixels to flux per pixel, in `unit`.

        Raises
        ------
        InvalidValueError
            As `to_flux`.
        """
        if self.native == "flux":
            return native_nhwc
        return self._stretch().to_flux(native_nhwc)

    def kernel_stretch(self) -> Stretch:
        """Return what `to_flux` does after `unmix`, as the numbers for `stamps_to_fits`.

        Raises
        ------
        InvalidValueError
            As `to_flux`.
        """
        slope = tuple(std / SIGMA_DATA for std in self.std)
        a = self.softening_b
        if self.native == "flux":
            return Stretch(slope, self.mean, a)
        stretch = self._stretch()
        lupton = Lupton(
            stretch.norm,
            tuple(stretch.norm / (stretch.gain * scale) for scale in stretch.scales),
            tuple(stretch.offset / scale for scale in stretch.scales),
        )
        intercept = tuple(m + math.sqrt(s) for m, s in zip(self.mean, a, strict=True))
        return Stretch(slope, intercept, a, lupton)

    def to_display(self, x_nhwc: torch.Tensor, clip: bool = True) -> torch.Tensor:
        """Model space to display values, one channel per band, within [0, 1] if `clip`.

        Flux without a Lupton stretch is shown band by band, as ``asinh(f / softening)`` from about
        one softening below zero (black) to 1000 above (white).
        """
        native_nhwc = self.decode(x_nhwc)
        if self.native == "flux" and self.lupton is not None:
            return self._stretch().to_display(native_nhwc, clip)
        if self.native == "flux":
            white = math.asinh(1000.0)
            native_nhwc = (self._stabilise(native_nhwc) + 1.0) / (white + 1.0)
        return native_nhwc.clamp(0.0, 1.0) if clip else native_nhwc

    def flux_to_native(self, flux_nhwc: torch.Tensor) -> torch.Tensor:
        """Flux per pixel to native pixels, which display values beyond 1 are left among."""
        if self.native == "flux":
            return flux_nhwc
        return self._stretch().to_display(flux_nhwc, clip=False)

    def _stretch(self) -> LuptonStretch:
        """Return the stretch between flux and display, for pixels of this size."""
        return flux_stretch(self.lupton, self.bands, self.pixel_scale)

    def _stabilise(self, native_nhwc: torch.Tensor) -> torch.Tensor:
        """Native pixels to s, whose noise is roughly constant."""
        a = constants(native_nhwc, self.softening)
        if self.native == "flux":
            return torch.asinh(native_nhwc / a)
        t_nhwc = native_nhwc + a
        return t_nhwc.sign() * t_nhwc.abs().sqrt() - a.sqrt()

    def _unstabilise(self, s_nhwc: torch.Tensor) -> torch.Tensor:
        """Return native pixels from s, finite whatever it is."""
        a = constants(s_nhwc, self.softening)
        if self.native == "flux":
            return a * torch.sinh(s_nhwc.clamp(-SINH_MAX, SINH_MAX))
        # u|u|, not u^2: a generated pixel far below black must not come back as a bright one.
        u_nhwc = s_nhwc + a.sqrt()
        return u_nhwc * u_nhwc.abs() - a

    def to_json(self) -> dict[str, Any]:
        """Plain dict of JSON types; a PSF that is not known is left out."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        if self.psf_fwhm is None:  # as before there was one
            del values["psf_fwhm"]
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PixelSpace:
        """Make a space of what `to_json` returned.

        Raises
        ------
        InvalidValueError
            If a key is unknown or missing, or a value cannot be used.
        """
        known = {f.name for f in fields(cls)}
        required = {"native", "bands", "softening", "mean", "std"}
        if set(values) - known or required - set(values):
            raise InvalidValueError(
                "keys of the pixel space",
                sorted(values),
                f"{sorted(known)}, of which {sorted(required)} are required",
                "The file was made by another version of galgen.",
            )
        given = {name: as_tuples(value) for name, value in values.items()}
        check_fields(cls, given)
        return cls(**given)
