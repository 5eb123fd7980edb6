"""Shapes of galaxies in images, by GalSim's adaptive moments; NaN where they do not converge."""

from __future__ import annotations

import galsim
import numpy as np

_FAILED = np.full(2, np.nan)
_MOST = 2.0  # a distortion beyond is noise (Mandelbaum et al. 2018, arXiv:1705.06745)


def adaptive_moments(image_hw: np.ndarray) -> np.ndarray:
    """Shape (g1, g2) of a galaxy as it is seen (Bernstein & Jarvis 2002), NaN if it has none."""
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(image_hw, scale=1.0), strict=False)
    if found.error_message:
        return _FAILED
    return np.array([found.observed_shape.g1, found.observed_shape.g2])


def regauss(image_hw: np.ndarray, psf: galsim.Image) -> np.ndarray:
    """Distortion (e1, e2) of a galaxy without its PSF, NaN if it has none.

    By re-Gaussianization (Hirata & Seljak 2003).
    """
    image = galsim.Image(image_hw, scale=psf.scale)
    found = galsim.hsm.EstimateShear(image, psf, shear_est="REGAUSS", strict=False)
    distortion = np.array([found.corrected_e1, found.corrected_e2])
    return distortion if not found.error_message and np.hypot(*distortion) < _MOST else _FAILED
