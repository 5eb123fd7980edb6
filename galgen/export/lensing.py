"""Shear and convergence of the galaxies of a catalogue, and where that puts their stamps."""

from __future__ import annotations

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord

from galgen.catalog import CatalogFile
from galgen.errors import CatalogError
from galgen.lensing import WeakLensing


def lens_of(catalog: CatalogFile, row_n: np.ndarray) -> WeakLensing:
    """Read the columns ``G1``, ``G2`` and ``KAPPA``, in any case; 0 for those that are not there.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue.
    row_n : ndarray (n,) of int
        Rows of it.

    Raises
    ------
    CatalogError
        If a value is none of weak lensing: g1^2 + g2^2 is not below 1, or kappa not below 1.
    """
    names = {name.lower(): name for name in catalog.column_names}
    given = [_numbers(catalog, names.get(key), row_n) for key in ("g1", "g2", "kappa")]
    g1_n, g2_n, kappa_n = given
    weak_n = (g1_n**2 + g2_n**2 < 1) & (kappa_n < 1) & (kappa_n > -np.inf)
    if not weak_n.all():
        i = int(np.argmin(weak_n))
        values = ", ".join(f"{float(column_n[i]):g}" for column_n in given)
        raise CatalogError(
            f"{catalog.path}: row {row_n[i]} has g1, g2 and kappa of {values}; allowed: "
            "g1^2 + g2^2 below 1, kappa below 1."
        )
    return WeakLensing(g1_n + 1j * g2_n, kappa_n)


def place_middles(
    catalog: CatalogFile,
    lens: WeakLensing,
    ra_n: np.ndarray,
    dec_n: np.ndarray,
    centroid_n2: np.ndarray,
    pixel_scale: float,
) -> SkyCoord:
    """Return where the middles of stamps (n,) are, for which the galaxies' centroids are in place.

    Other tools lens a stamp about its middle, and draw that at the position of an object.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue; in its stamps north is up and east to the left.
    lens : WeakLensing
        Of the galaxies.
    ra_n, dec_n : ndarray (n,)
        Where their centroids are, deg.
    centroid_n2 : ndarray (n, 2)
        And in their stamps, x and y in pixels.
    pixel_scale : float
        Arcsec per pixel.
    """
    middle = (np.array([catalog.info.width, catalog.info.height]) - 1) / 2
    west_n, north_n = lens.moved(*(pixel_scale * (centroid_n2 - middle)).T)
    place = SkyCoord(ra_n, dec_n, unit="deg")
    return place.spherical_offsets_by(west_n * units.arcsec, -north_n * units.arcsec)


def _numbers(catalog: CatalogFile, name: str | None, row_n: np.ndarray) -> np.ndarray:
    """Return a column (n,) as float64, NaN where it has no value; 0 if there is no such column."""
    if name is None:
        return np.zeros(len(row_n))
    values_n = catalog.column(name, row_n)
    if values_n.ndim != 1 or values_n.dtype.kind not in "iuf":
        raise CatalogError(f"{catalog.path}: column {name} has not one number per galaxy.")
    numbers_n: np.ndarray = np.ma.filled(values_n.astype(np.float64), np.nan)
    return numbers_n
