"""How large galaxies of a magnitude are: a relation of the i band, used as it is for any."""

from __future__ import annotations

import numpy as np

# Miller et al. 2013 (arXiv:1210.8201), appendix B1, from fits to HST images of the Groth strip
# (Simard et al. 2002): the median scale length of discs is ln(r / arcsec) = -1.145 - 0.269 (i - 23)
# and sizes of one magnitude go as r exp(-(r / a)^(4/3)).
_LN_LENGTH, _LN_SLOPE, _LENGTH_MAG = -1.145, -0.269, 23.0
_HALF_LIGHT = 1.67835  # half-light radius of an exponential disc in scale lengths
_CHI2_MEDIAN = 2.36597  # of chi-squared with three degrees of freedom


def half_light_radii(mag_n: np.ndarray, normal_n3: np.ndarray) -> np.ndarray:
    """Half-light radii (N,) in arcsec of galaxies of magnitudes (N,), from normal numbers (N, 3).

    With u = (r / a)^(4/3) the published distribution of sizes is u^(1/2) exp(-u): half a
    chi-squared number of three degrees of freedom.
    """
    median_n = _HALF_LIGHT * np.exp(_LN_LENGTH + _LN_SLOPE * (mag_n - _LENGTH_MAG))
    radius_n: np.ndarray = median_n * ((normal_n3**2).sum(1) / _CHI2_MEDIAN) ** 0.75
    return radius_n
