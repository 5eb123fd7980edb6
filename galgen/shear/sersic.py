"""The Sersic profile that a galaxy would be replaced by."""

from __future__ import annotations

from functools import cache

import galsim
import numpy as np
import torch

from galgen.galsim.profile import measure_light_radii
from galgen.measure.clean import CleanStamp

# GalSim makes tables for each index: few of them, in its range.
_INDICES = np.arange(5, 61) / 10


def sersic_like(
    stamp: CleanStamp, flux_hw: np.ndarray, half_light_radius: float
) -> galsim.GSObject:
    """Make a Sersic profile of flux 1 with the shape, size and concentration of a galaxy.

    Its index, 0.5 to 6 in steps of 0.1, is that at which the radii of 20 and 80 % of the light have
    the galaxy's ratio; its axis ratio and angle are those of the galaxy's second moments.

    Parameters
    ----------
    stamp : CleanStamp
        The galaxy.
    flux_hw : ndarray (H, W)
        The band that is drawn.
    half_light_radius : float
        Circularised, arcsec.
    """
    r20, r80 = measure_light_radii(stamp, flux_hw, (0.2, 0.8))
    # Galaxies are rarely rounder in the middle than a Gaussian, or nothing of them is inside r20.
    ratio = r80 / r20 if r20 > 0 else np.inf
    n = float(_INDICES[np.abs(np.log(_concentrations() / ratio)).argmin()])
    profile = galsim.Sersic(n, half_light_radius=half_light_radius, flux=1.0)
    return profile.shear(q=stamp.axis_ratio, beta=stamp.angle * galsim.radians)


@cache
def _concentrations() -> np.ndarray:
    """Ratio of the radii of 80 and 20 % of the light, of each index.

    The light inside u = b (r / r50)^(1 / n) is the incomplete gamma function P(2n, u).
    """
    u = torch.logspace(-4, 2, 20001, dtype=torch.float64)
    ratios = np.empty(len(_INDICES))
    for i, n in enumerate(_INDICES):
        light = torch.special.gammainc(torch.tensor(2 * n), u).numpy()
        u20, u80 = np.interp((0.2, 0.8), light, u.numpy())
        ratios[i] = (u80 / u20) ** n
    return ratios
