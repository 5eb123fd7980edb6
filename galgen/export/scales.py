"""How large and how bright galaxies are, where other tools need that and catalogues may not say."""

from __future__ import annotations

import math

import numpy as np

from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from galgen.pixels.units import magnitude

_COARSEST = 60.0  # arcsec per pixel; stamps stay small against the sphere


def pixel_scale_of(catalog: CatalogFile, given: float | None = None) -> float:
    """Return the arcsec per pixel of the stamps: what is given, or else the catalogue's own.

    Raises
    ------
    InvalidValueError
        If there is none, or it is not above 0 and up to 60.
    """
    scale = catalog.info.pixel_scale if given is None else given
    if scale is None:
        hint = f"The stamps of {catalog.path} have none of their own."
        raise InvalidValueError("pixel_scale", None, "arcsec per pixel", hint)
    if not 0 < scale <= _COARSEST:
        raise InvalidValueError(
            "pixel_scale", scale, f"above 0, up to {_COARSEST:g} arcsec per pixel"
        )
    return scale


def zero_point_of(catalog: CatalogFile, given: float | None = None) -> float:
    """Return the AB magnitude of one flux unit: what is given, or else the catalogue's own.

    Raises
    ------
    InvalidValueError
        If there is none, or it is not finite.
    """
    zero = catalog.info.zero_point if given is None else given
    if zero is None:
        hint = f"The fluxes of {catalog.path} are in {catalog.info.flux_unit}."
        raise InvalidValueError("mag_zero", None, "the AB magnitude of one flux unit", hint)
    if not math.isfinite(zero):
        raise InvalidValueError("mag_zero", zero, "a finite AB magnitude of one flux unit")
    return zero


def magnitudes(
    catalog: CatalogFile, zero_point: float, rows: slice | np.ndarray = slice(None)
) -> np.ndarray:
    """Return AB magnitudes of ``FLUX_<BAND>``, (n, b) float64; NaN where a flux is not above 0."""
    names = [f"FLUX_{band.upper()}" for band in catalog.bands]
    flux_nb = np.stack([catalog.column(name, rows).astype(np.float64) for name in names], axis=1)
    return magnitude(np.where(flux_nb > 0, flux_nb, np.nan), zero_point)
