"""Pixel scalings: flux <-> display or native pixels <-> the network's input.

Channel order is bluest first everywhere; a display RGB image is ``display_nhwc[..., ::-1]``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from galgen.errors import DataError, InvalidValueError
from galgen.lupton import LUPTON, LuptonStretch, lupton_preset
from galgen.mixing import Matrix, inverse, is_invertible, over_bands, principal_components
from galgen.photometry import UNCALIBRATED
from galgen_kernels.ops.stamps_to_fits import Lupton, Stretch

if TYPE_CHECKING:
    from galgen.data.stamps import StampSet

__all__ = ["LUPTON", "SIGMA_DATA", "LuptonStretch", "PixelSpace", "lupton_preset"]

SIGMA_DATA = 0.5  # standard deviation of model-space pixels (Karras et al. 2022, table 1)
DISPLAY_SOFTENING = 0.02  # about 5 grey levels: the sky noise of SDSS and Legacy colour JPEGs

_ASINH_MAX = 40.0  # keeps sinh finite in float32 whatever the network returns
_CHUNK = 256  # stamps at a time in PixelSpace.fit


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

    def __post_init__(self) -> None:
        if self.native not in ("display", "flux"):
            raise InvalidValueError("native", self.native, "'display' or 'flux'")
        for name in ("mean", "std"):
            if len(getattr(self, name)) != len(self.bands):
                raise InvalidValueError(name, getattr(self, name), f"one per band of {self.bands}")
        softening = self.softening if isinstance(self.softening, tuple) else (self.softening,)
        if len(softening) not in (1, len(self.bands)) or not min(softening) > 0:
            raise InvalidValueError("softening", self.softening, "above 0, one or one per band")
        if not min(self.std) > 0:
            raise InvalidValueError("std", self.std, "above 0")
        self._check_mix()
        if self.lupton is not None:
            lupton_preset(self.lupton, self.bands)

    @property
    def flux_unit(self) -> str:
        """Unit of the flux that comes out: `unit`, or 'adu' where it comes from colour images."""
        return self.unit if self.native == "flux" else UNCALIBRATED

    def encode(self, native_nhwc: torch.Tensor) -> torch.Tensor:
        """Native pixels to model space."""
        s_nhwc = self._stabilise(native_nhwc)
        mean, std = s_nhwc.new_tensor(self.mean), s_nhwc.new_tensor(self.std)
        return over_bands((s_nhwc - mean) * (SIGMA_DATA / std), self.mix)

    def decode(self, x_nhwc: torch.Tensor) -> torch.Tensor:
        """Model space to native pixels; the inverse of `encode`, monotone and finite everywhere."""
        mean, std = x_nhwc.new_tensor(self.mean), x_nhwc.new_tensor(self.std)
        return self._unstabilise(self.unmix(x_nhwc) * (std / SIGMA_DATA) + mean)

    def unmix(self, x_nhwc: torch.Tensor) -> torch.Tensor:
        """Model space to the same numbers band by band, ``0.5 (s - mean) / std``."""
        return over_bands(x_nhwc, self._unmix)

    @cached_property
    def _unmix(self) -> Matrix | None:
        """Inverse of `mix`."""
        return None if self.mix is None else inverse(self.mix)

    def _check_mix(self) -> None:
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
        return self.flux_of_native(self.decode(x_nhwc))

    def flux_of_native(self, native_nhwc: torch.Tensor) -> torch.Tensor:
        """Native pixels to flux per pixel, in `unit`.

        Raises
        ------
        InvalidValueError
            As `to_flux`.
        """
        if self.native == "flux":
            return native_nhwc
        return self._known_stretch().to_flux(native_nhwc)

    def kernel_stretch(self) -> Stretch:
        """What `to_flux` does after `unmix`, as the numbers that `stamps_to_fits` is given.

        Raises
        ------
        InvalidValueError
            As `to_flux`.
        """
        slope = tuple(std / SIGMA_DATA for std in self.std)
        a = self.softening if isinstance(self.softening, tuple) else (self.softening,)
        a = a * (len(self.bands) // len(a))
        if self.native == "flux":
            return Stretch(slope, self.mean, a)
        stretch = self._known_stretch()
        lupton = Lupton(
            stretch.norm,
            tuple(stretch.norm / (stretch.gain * scale) for scale in stretch.scales),
            tuple(stretch.offset / scale for scale in stretch.scales),
        )
        intercept = tuple(m + math.sqrt(s) for m, s in zip(self.mean, a, strict=True))
        return Stretch(slope, intercept, a, lupton)

    def to_display(self, x_nhwc: torch.Tensor) -> torch.Tensor:
        """Model space to display values in [0, 1], one channel per band.

        Flux without a Lupton stretch is shown band by band, as ``asinh(f / softening)`` from about
        one softening below zero (black) to 1000 above (white).
        """
        native_nhwc = self.decode(x_nhwc)
        if self.native == "display":
            return native_nhwc.clamp(0.0, 1.0)
        stretch = self._stretch()
        if stretch is not None:
            return stretch.to_display(native_nhwc)
        white = math.asinh(1000.0)
        return ((self._stabilise(native_nhwc) + 1.0) / (white + 1.0)).clamp(0.0, 1.0)

    def _stretch(self) -> LuptonStretch | None:
        if self.lupton is None:
            return None
        return lupton_preset(self.lupton, self.bands).at_pixel_scale(self.pixel_scale)

    def _known_stretch(self) -> LuptonStretch:
        stretch = self._stretch()
        if stretch is None:
            raise InvalidValueError(
                "lupton stretch",
                None,
                ", ".join(LUPTON),
                "Flux cannot be had from display pixels without their stretch; "
                "write display images instead, or train on linear flux.",
            )
        return stretch

    def _stabilise(self, native_nhwc: torch.Tensor) -> torch.Tensor:
        a = native_nhwc.new_tensor(self.softening)
        if self.native == "flux":
            return torch.asinh(native_nhwc / a)
        t_nhwc = native_nhwc + a
        return t_nhwc.sign() * t_nhwc.abs().sqrt() - a.sqrt()

    def _unstabilise(self, s_nhwc: torch.Tensor) -> torch.Tensor:
        a = s_nhwc.new_tensor(self.softening)
        if self.native == "flux":
            return a * torch.sinh(s_nhwc.clamp(-_ASINH_MAX, _ASINH_MAX))
        # u|u|, not u^2: a generated pixel far below black must not come back as a bright one.
        u_nhwc = s_nhwc + a.sqrt()
        return u_nhwc * u_nhwc.abs() - a

    def to_json(self) -> dict[str, object]:
        """Plain dict of JSON types."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> PixelSpace:
        """Inverse of `to_json`; unknown or missing keys are an `InvalidValueError`."""
        known = {f.name for f in fields(cls)}
        required = {"native", "bands", "softening", "mean", "std"}
        if set(values) - known or required - set(values):
            raise InvalidValueError(
                "keys of the pixel space",
                sorted(values),
                f"{sorted(known)}, of which {sorted(required)} are required",
                "The file was made by another version of galgen.",
            )
        return cls(**{k: _as_tuple(v) for k, v in values.items()})

    @classmethod
    def fit(cls, stamps: StampSet, softening: float = DISPLAY_SOFTENING) -> PixelSpace:
        """Pixel space in which `stamps` have zero mean and standard deviation 0.5 overall.

        One standard deviation serves all bands. Several bands are mixed into their principal
        components, each divided by the square root of its standard deviation: half-way to making
        them equally wide, which is where the finest detail of SDSS galaxies, about 0.02 in x, is
        equally strong in all of them.

        Parameters
        ----------
        stamps : StampSet
        softening : float
            For display pixels. For flux it is measured: the median over stamps of the robust
            scatter of each stamp's border.

        Raises
        ------
        DataError
            If the stamps are empty or constant.
        """
        if len(stamps) == 0:
            raise DataError(f"{stamps.source}: no galaxies to measure pixel statistics on.")
        n_bands = len(stamps.bands)
        space = cls(
            native=stamps.native,
            bands=stamps.bands,
            softening=_sky_sigma(stamps) if stamps.native == "flux" else float(softening),
            mean=(0.0,) * n_bands,
            std=(SIGMA_DATA,) * n_bands,  # so that encode() of this first space returns s
            lupton=stamps.lupton,
            unit=stamps.unit,
            pixel_scale=stamps.pixel_scale,
        )
        count = 0
        total = torch.zeros(n_bands, dtype=torch.float64)
        products = torch.zeros(n_bands, n_bands, dtype=torch.float64)
        for start in range(0, len(stamps), _CHUNK):
            s_pc = space.encode(stamps.native_float(slice(start, start + _CHUNK))).flatten(0, 2)
            count += len(s_pc)
            s_pc = s_pc.double()
            total += s_pc.sum(dim=0)
            products += s_pc.T @ s_pc
        mean = total / count
        covariance = products / count - torch.outer(mean, mean)
        std = float(covariance.diagonal().mean().clamp(min=0.0).sqrt())
        if not std > 1e-6:
            raise DataError(f"{stamps.source}: all pixels of a band are equal; nothing to learn.")
        mix = principal_components(covariance.numpy() / std**2) if n_bands > 1 else None
        return replace(space, mean=tuple(mean.tolist()), std=(std,) * n_bands, mix=mix)


def _as_tuple(value: object) -> object:
    """Lists, and lists of lists, as tuples."""
    return tuple(_as_tuple(v) for v in value) if isinstance(value, list) else value


def _sky_sigma(stamps: StampSet) -> tuple[float, ...]:
    """Per band: median over stamps of 1.4826 MAD of the outer eighth of the stamp."""
    height, width = stamps.pixels.shape[1:3]
    border = torch.ones(height, width, dtype=torch.bool)
    edge = max(1, min(height, width) // 8)
    border[edge:-edge, edge:-edge] = False
    sigmas = []
    for start in range(0, len(stamps), _CHUNK):
        sky_npb = stamps.native_float(slice(start, start + _CHUNK))[:, border]
        centre = sky_npb.median(dim=1, keepdim=True).values
        sigmas.append(1.4826 * (sky_npb - centre).abs().median(dim=1).values)
    sigma_b = torch.cat(sigmas).median(dim=0).values
    if not bool((sigma_b > 0).all()):
        raise DataError(
            f"{stamps.source}: no sky noise in the stamp borders of some band of {stamps.bands} "
            f"(robust scatter {sigma_b.tolist()} {stamps.unit}). "
            "Add a little noise to simulated stamps, or use larger ones."
        )
    return tuple(sigma_b.tolist())
