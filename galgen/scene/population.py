"""Galaxies of a field that nobody has listed: how many, how bright and how large.

Both relations are published ones in the i band of AB magnitudes, used as they are for the band in
which magnitudes are drawn.
"""

from __future__ import annotations

import math

import numpy as np

from galgen.errors import InvalidValueError

# N(<i) = 46 x 10^(0.31 (i - 25)) per square arcmin: LSST Science Collaboration 2009, "LSST Science
# Book, Version 2.0" (arXiv:0912.0201), eq. 3.7, a fit to CFHTLS Deep counts of 20.5 < i < 25.5.
_DENSITY, _SLOPE, _MAG = 46.0, 0.31, 25.0
MAG_RANGE = (15.0, 27.0)  # beyond these the fit is no guide at all

# Miller et al. 2013 (arXiv:1210.8201), appendix B1, from fits to HST images of the Groth strip
# (Simard et al. 2002): the median scale length of discs is ln(r / arcsec) = -1.145 - 0.269 (i - 23)
# and sizes of one magnitude go as r exp(-(r / a)^(4/3)).
_LN_LENGTH, _LN_SLOPE, _LENGTH_MAG = -1.145, -0.269, 23.0
_HALF_LIGHT = 1.67835  # half-light radius of an exponential disc in scale lengths
_CHI2_MEDIAN = 2.36597  # of chi-squared with three degrees of freedom


def density(bright: float, faint: float) -> float:
    """Galaxies per square arcmin between two magnitudes.

    Raises
    ------
    InvalidValueError
        If the limits are not in order, or out of range.
    """
    if not MAG_RANGE[0] <= bright < faint <= MAG_RANGE[1]:
        allowed = f"bright:faint, in order, within {MAG_RANGE[0]:g} to {MAG_RANGE[1]:g} mag"
        raise InvalidValueError("mag", f"{bright:g}:{faint:g}", allowed)
    return _brighter(faint) - _brighter(bright)


def magnitudes(u_n: np.ndarray, bright: float, faint: float) -> np.ndarray:
    """Magnitudes (N,) at uniform numbers (N,) in [0, 1), by inversion of the cumulative counts."""
    count_n = _brighter(bright) + u_n * (_brighter(faint) - _brighter(bright))
    mag_n: np.ndarray = np.clip(_MAG + np.log10(count_n / _DENSITY) / _SLOPE, bright, faint)
    return mag_n


def half_light_radii(mag_n: np.ndarray, normal_n3: np.ndarray) -> np.ndarray:
    """Half-light radii (N,) in arcsec of galaxies of magnitudes (N,), from normal numbers (N, 3).

    With u = (r / a)^(4/3) the published distribution of sizes is u^(1/2) exp(-u): half a
    chi-squared number of three degrees of freedom.
    """
    median_n = _HALF_LIGHT * np.exp(_LN_LENGTH + _LN_SLOPE * (mag_n - _LENGTH_MAG))
    radius_n: np.ndarray = median_n * ((normal_n3**2).sum(1) / _CHI2_MEDIAN) ** 0.75
    return radius_n


def _brighter(mag: float) -> float:
    """Galaxies per square arcmin brighter than a magnitude."""
    return _DENSITY * math.pow(10, _SLOPE * (mag - _MAG))
