"""What becomes of model galaxies on their way to a survey: flux unit, PSF, noise, a user's hook.

The settings a user gives (`Observing`) become, for one model, what is done to each stamp
(`Observation`). Nothing here depends on the batch: a galaxy has the same bits in any.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from galgen import noise
from galgen.errors import InvalidValueError
from galgen.noise import Stream
from galgen.pixels.space import PixelSpace
from galgen.pixels.units import FluxScale, flux_scale

FWHM = 2 * math.sqrt(2 * math.log(2))  # of a Gaussian, in sigmas
TRUNCATE = 4.0  # sigmas of a PSF; the rest holds 6e-5 of a line's flux
# What is more is a slip: it would take hours, or leave float32.
MAX_FWHM, MAX_PIXELS, MAX_NOISE = 1e4, 256, 1e30  # arcsec, pixels, flux unit
# flux_nhwc, galaxy indices (int64, on the CPU), seed of the run -> flux_nhwc
Hook = Callable[[Tensor, Tensor, int], Tensor]


@dataclass(frozen=True)
class Observing:
    """How stamps are to be written, as a user says it.

    Attributes
    ----------
    flux_unit : str or None
        'nanomaggy', 'nJy' or 'counts'; that of the weights by default.
    mag_zero : float or None
        AB magnitude of one count; or of one flux unit of weights that are not calibrated.
    pixel_scale : float or None
        Arcsec per pixel, if not that of the weights. Stamps are not resampled.
    psf : tuple of float
        FWHM of a Gaussian, arcsec, for all bands or for each; it comes on top of the seeing that
        the training images have.
    noise : tuple of float
        Standard deviation per pixel of Gaussian noise in the flux unit, for all bands or for each.
    hook : callable or None
        ``hook(flux_nhwc, index_n, seed) -> flux_nhwc``, called after the PSF and before the noise:
        float32 flux on the run's device, the galaxies' indices (int64, CPU) and the run's seed. For
        bits that do not depend on the batch, let each galaxy's pixels depend on its own only, and
        draw random numbers from `galgen.noise` keyed by seed and index. Several threads call it.
    """

    flux_unit: str | None = None
    mag_zero: float | None = None
    pixel_scale: float | None = None
    psf: tuple[float, ...] = ()
    noise: tuple[float, ...] = ()
    hook: Hook | None = None

    def __post_init__(self) -> None:
        scale = self.pixel_scale
        if scale is not None and not 1e-4 <= scale <= 1e3:
            raise InvalidValueError("pixel scale", scale, "0.0001 to 1000 arcsec")
        for name, most in (("psf", MAX_FWHM), ("noise", MAX_NOISE)):
            for value in getattr(self, name):
                if not 0 <= value <= most:
                    raise InvalidValueError(name, value, f"numbers, 0 to {most:g}")


@dataclass(frozen=True)
class Observation:
    """What is done to stamps of one model.

    Attributes
    ----------
    scale : FluxScale
        Flux unit of the catalogue.
    pixel_scale : float or None
        Arcsec per pixel.
    psf_b : tuple of float
        FWHM in arcsec of each band; empty for none.
    noise_b : tuple of float
        Standard deviation of each band; empty for none.
    hook : callable or None
        See `Observing`.
    """

    scale: FluxScale = field(default_factory=lambda: FluxScale("adu", None))
    pixel_scale: float | None = None
    psf_b: tuple[float, ...] = ()
    noise_b: tuple[float, ...] = ()
    hook: Hook | None = None

    @classmethod
    def of(cls, asked: Observing, space: PixelSpace, fluxes: str | None = None) -> Observation:
        """Resolve what a user asks for.

        Parameters
        ----------
        asked : Observing
            What the user asks for.
        space : PixelSpace
            Pixel space of the model.
        fluxes : str, optional
            What an input table gives; see `galgen.pixels.units.flux_scale`.

        Raises
        ------
        InvalidValueError
            If nothing gives the flux unit its scale, there are not as many numbers as bands, or
            there is no pixel scale for the PSF.
        """
        scale = flux_scale(space.flux_unit, asked.flux_unit, asked.mag_zero, fluxes)
        pixel_scale = space.pixel_scale if asked.pixel_scale is None else asked.pixel_scale
        psf_b, noise_b = (_each(getattr(asked, k), space.bands, k) for k in ("psf", "noise"))
        if psf_b and pixel_scale is None:
            hint = "The PSF is in arcsec: give `pixel_scale`."
            raise InvalidValueError("pixel scale", None, "arcsec per pixel", hint)
        widest = MAX_PIXELS * (pixel_scale or 0)
        if psf_b and max(psf_b) > widest:
            allowed = f"up to {widest:g} arcsec, {MAX_PIXELS} pixels"
            raise InvalidValueError("psf", max(psf_b), allowed)
        return cls(scale, pixel_scale, psf_b, noise_b, asked.hook)

    @property
    def changes_pixels(self) -> bool:
        """Whether stamps are more than scaled."""
        return bool(self.psf_b or self.noise_b or self.hook)

    @property
    def hook_name(self) -> str | None:
        """Name of the user's function, as a catalogue's header records it; None without one."""
        if self.hook is None:
            return None
        kind = self.hook if hasattr(self.hook, "__qualname__") else type(self.hook)
        return f"{kind.__module__}.{kind.__qualname__}"

    def apply(self, flux_nhwc: Tensor, index_n: Tensor, seed: int) -> Tensor:
        """Apply PSF, hook and noise, in this order.

        Parameters
        ----------
        flux_nhwc : Tensor
            Flux in the catalogue's unit.
        index_n : Tensor
            Galaxy indices, int64, on the CPU.
        seed : int
            Seed of the run.

        Returns
        -------
        Tensor
            Flux, float32, of the same shape.

        Raises
        ------
        InvalidValueError
            If the hook returns something else than flux of the same shape.
        """
        if self.psf_b:
            assert self.pixel_scale is not None, "see Observation.of"
            sigma_b = [fwhm / FWHM / self.pixel_scale for fwhm in self.psf_b]
            flux_nhwc = convolve(flux_nhwc, sigma_b)
        if self.hook is not None:
            flux_nhwc = self._hooked(self.hook, flux_nhwc, index_n, seed)
        if self.noise_b:
            # Apple's GPUs lack the float64 that the generator needs; the bits are the same.
            device = flux_nhwc.device if flux_nhwc.device.type == "cuda" else index_n.device
            shape = tuple(flux_nhwc.shape[1:])
            grain = noise.normal(seed, index_n.to(device), shape, Stream.PIXEL_NOISE)
            # Not one fused operation, whose rounding differs between devices.
            grain = grain.to(flux_nhwc.device).mul_(flux_nhwc.new_tensor(self.noise_b))
            flux_nhwc = flux_nhwc + grain
        return flux_nhwc

    def _hooked(self, hook: Hook, flux_nhwc: Tensor, index_n: Tensor, seed: int) -> Tensor:
        """Call the user's hook, and refuse what is no flux of the same shape."""
        shape = flux_nhwc.shape
        made = hook(flux_nhwc.clone(), index_n, seed)
        if not isinstance(made, Tensor) or made.shape != shape:
            given = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise InvalidValueError(f"flux from {self.hook_name}", given, f"tensor {tuple(shape)}")
        return made.to(flux_nhwc.device, torch.float32)


def convolve(flux_nhwc: Tensor, sigma_b: Sequence[float]) -> Tensor:
    """Smooth flux by a round Gaussian, cut at 4 sigma.

    The kernel is sampled at pixel centres and normalised to 1, so the flux of what lies within the
    stamp is kept. Beyond the edge the sky goes on as it is there.

    Parameters
    ----------
    flux_nhwc : Tensor
        Flux per pixel.
    sigma_b : sequence of float
        Sigma of each band in pixels; 0 for none.

    Returns
    -------
    Tensor
        Flux of the same shape.
    """
    bands = [
        _smooth(_smooth(flux_nhwc[..., b], sigma, 1), sigma, 2) if sigma > 0 else flux_nhwc[..., b]
        for b, sigma in enumerate(sigma_b)
    ]
    return torch.stack(bands, -1)


def _smooth(flux_nhw: Tensor, sigma: float, axis: int) -> Tensor:
    """Smooth one band along one axis."""
    size = flux_nhw.shape[axis]
    reach = max(1, math.ceil(TRUNCATE * sigma))
    weights = [math.exp(-0.5 * (i / sigma) ** 2) for i in range(reach + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    pad = (reach, reach, 0, 0) if axis == 2 else (0, 0, reach, reach)
    wide_nhw = F.pad(flux_nhw[:, None], pad, mode="replicate")[:, 0]
    # Shifted sums and no convolution operator, whose rounding may depend on the batch.
    out = wide_nhw.narrow(axis, reach, size) * (weights[0] / total)
    for i, weight in enumerate(weights[1:], 1):
        pair = wide_nhw.narrow(axis, reach - i, size) + wide_nhw.narrow(axis, reach + i, size)
        out += pair.mul_(weight / total)
    return out


def _each(values: tuple[float, ...], bands: Sequence[str], name: str) -> tuple[float, ...]:
    """Return one value per band, none where all are 0."""
    if len(values) not in (0, 1, len(bands)):
        allowed = f"one number, or one for each of {', '.join(bands)}"
        raise InvalidValueError(name, ",".join(f"{v:g}" for v in values), allowed)
    values = values * len(bands) if len(values) == 1 else values
    return tuple(map(float, values)) if any(values) else ()
