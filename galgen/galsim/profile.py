"""From a galaxy to a light profile of the flux and size that are asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TypedDict, Unpack

import galsim
import numpy as np

from galgen.errors import InvalidValueError
from galgen.galsim.galaxies import Galaxies
from galgen.measure.clean import CleanStamp
from galgen.pixels.units import flux_ratio

_INTERPOLANT = galsim.Quintic()
# The half-light radius is measured in 4 samples per pixel and 8 rings per sample: right to 1 % for
# 1.5 pixels and to 0.3 % for 4.
_FINE, _RINGS = 4, 8


class ProfileOptions(TypedDict, total=False):
    """What `make_galaxy` may be asked for; see there."""

    band: str | None
    ref_band: str | None
    flux: float | None
    mag: float | None
    zeropoint: float | None
    half_light_radius: float | None
    pixel_scale: float | None
    gsparams: galsim.GSParams | None


def make_galaxy(
    galaxies: Galaxies,
    index: int,
    category: str | None = None,
    **options: Unpack[ProfileOptions],
) -> galsim.GSObject:
    """Make a light profile, centred on its centroid: GalSim's object type ``GalgenGalaxy``.

    The PSF and the pixels of the model's training images are in the profile and are not taken out:
    half-light radii are those of what was seen through them. Weights that make galaxies without the
    PSF (`galgen.training.intrinsic`) leave the pixels only.

    Parameters
    ----------
    galaxies : GalgenCatalog or GalgenModel
        Where it comes from.
    index : int
        Which galaxy; in a configuration, by default the next.
    category : str, optional
        Count only galaxies of this category and those below it.
    band : str, optional
        Band to draw, by default the middle one.
    ref_band : str, optional
        Band in which flux, magnitude and radius are given, by default the one drawn. With the same
        one for every band, images of a scene in several bands show the galaxies' colours.
    flux : float, optional
        Flux, by default that of the stamp.
    mag, zeropoint : float, optional
        Magnitude instead of flux, and the magnitude of flux 1 in the image drawn.
    half_light_radius : float, optional
        Circularised radius (arcsec) of the ellipse that holds half of the light, as for a sheared
        `galsim.Sersic`: the galaxy is dilated to it.
    pixel_scale : float, optional
        Arcsec per pixel of the stamp instead, by default the catalogue's own, where it has one.
    gsparams : galsim.GSParams, optional
        GalSim's own settings of accuracy.

    Returns
    -------
    galsim.GSObject
        Positions in arcsec, north up where the stamp's is.

    Raises
    ------
    InvalidValueError
        If there is no such galaxy, it cannot be seen in its stamp, or a value is not allowed.
    """
    stamp = galaxies.stamp(galaxies.row(index, category))
    if stamp is None:
        raise InvalidValueError("index", index, "a galaxy that can be seen in its stamp")
    return profile(stamp, galaxies.bands, galaxies.pixel_scale, **options)


def profile(
    stamp: CleanStamp,
    bands: tuple[str, ...],
    own_scale: float | None,
    *,
    band: str | None = None,
    ref_band: str | None = None,
    flux: float | None = None,
    mag: float | None = None,
    zeropoint: float | None = None,
    half_light_radius: float | None = None,
    pixel_scale: float | None = None,
    gsparams: galsim.GSParams | None = None,
) -> galsim.InterpolatedImage:
    """Make the profile of a clean stamp.

    Parameters
    ----------
    stamp : CleanStamp
        The galaxy.
    bands : tuple of str
        Of the stamp, bluest first.
    own_scale : float or None
        Arcsec per pixel of the stamp, None if it is not known.
    band, ref_band, flux, mag, zeropoint, half_light_radius, pixel_scale, gsparams
        See `make_galaxy`.

    Raises
    ------
    InvalidValueError
        If a value is not allowed.
    """
    band = bands[len(bands) // 2] if band is None else band
    drawn = stamp.flux_bhw[_find("band", band, bands)]
    reference = stamp.flux_bhw[_find("ref_band", ref_band or band, bands)]
    total, total_ref = float(drawn.sum(dtype=float)), float(reference.sum(dtype=float))
    if mag is not None:
        if flux is not None:
            raise InvalidValueError("mag", mag, "either mag or flux, not both")
        if zeropoint is None:
            hint = "It is the magnitude of flux 1 in the image that is drawn."
            raise InvalidValueError("zeropoint", None, "a magnitude, where mag is given", hint)
        flux = flux_ratio(zeropoint - mag)
    if flux is not None and not math.isfinite(flux):
        name, value = ("flux", flux) if mag is None else ("mag", mag)
        raise InvalidValueError(name, value, "a finite number")
    scale = own_scale if pixel_scale is None else pixel_scale
    if half_light_radius is not None:
        if pixel_scale is not None:
            allowed = "either pixel_scale or half_light_radius, not both"
            raise InvalidValueError("pixel_scale", pixel_scale, allowed)
        _check_positive("half_light_radius", half_light_radius)
        scale = half_light_radius / measure_half_light_radius(stamp, reference)
    if scale is None:
        allowed = "a radius in arcsec, since the stamps have no pixel scale of their own"
        raise InvalidValueError("half_light_radius", None, allowed, "Or give a pixel_scale.")
    _check_positive("pixel_scale", scale)
    h, w = drawn.shape
    return galsim.InterpolatedImage(
        galsim.Image(np.ascontiguousarray(drawn), scale=scale),
        x_interpolant=_INTERPOLANT,
        flux=total if flux is None else flux * total / total_ref,
        offset=(stamp.x - (w - 1) / 2, stamp.y - (h - 1) / 2),
        gsparams=gsparams,
    )


def measure_half_light_radius(stamp: CleanStamp, flux_hw: np.ndarray) -> float:
    """Measure the circularised radius (pix) of the ellipse that holds half of the light of a band.

    Of the light as it will be drawn, between the pixels too: the catalogue's HALF_LIGHT_RADIUS is
    measured in whole pixels and is up to 5 % larger where it is only a few.
    """
    return float(measure_light_radii(stamp, flux_hw, (0.5,))[0])


def measure_light_radii(
    stamp: CleanStamp, flux_hw: np.ndarray, fractions: Sequence[float]
) -> np.ndarray:
    """Measure circularised radii (pix) of ellipses that hold some fractions of a band's light."""
    (rows, y), (columns, x) = (_between(n) for n in flux_hw.shape)
    fine = rows @ flux_hw @ columns.T
    dx, dy = x - stamp.x, (y - stamp.y)[:, None]
    cos, sin, q = math.cos(stamp.angle), math.sin(stamp.angle), stamp.axis_ratio
    major, minor = dx * cos + dy * sin, dy * cos - dx * sin
    r = np.sqrt(q * major**2 + minor**2 / q)
    # Each sample is spread over its own width: which ring its middle falls into is chance.
    rings = np.bincount((r * (_FINE * _RINGS)).astype(np.intp).ravel(), fine.ravel())
    growth = np.convolve(rings, np.full(_RINGS, 1 / _RINGS)).cumsum()
    edge = (np.arange(len(growth)) - (_RINGS - 3) / 2) / (_FINE * _RINGS)
    radii = np.empty(len(fractions))
    for i, fraction in enumerate(fractions):
        wanted = growth[-1] * fraction
        stop = int(np.argmax(growth >= wanted)) + 1
        radii[i] = np.interp(wanted, growth[stop - 2 : stop], edge[stop - 2 : stop])
    return radii


@cache
def _between(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the interpolation from n pixels to finer ones (F n, n), and where these are (pix)."""
    x = (np.arange(_FINE * n) + 0.5) / _FINE - 0.5
    return _INTERPOLANT.xval((x[:, None] - np.arange(n)).ravel()).reshape(-1, n), x


def _find(name: str, band: str, bands: tuple[str, ...]) -> int:
    """Index of a band, or `InvalidValueError`."""
    if band not in bands:
        raise InvalidValueError(name, band, ", ".join(bands))
    return bands.index(band)


def _check_positive(name: str, arcsec: float) -> None:
    """Raise `InvalidValueError` unless a size is above 0."""
    if not (math.isfinite(arcsec) and arcsec > 0):
        raise InvalidValueError(name, arcsec, "above 0, in arcsec")
