"""Weak lensing of galaxies: one linear map for each, by which surface brightness is conserved.

Shear is that of GalSim and TreeCorr: north up and east to the left, as the sky is seen. A galaxy of
positive g1 is stretched along east-west, one of positive g2 along the line from north-west to
south-east, which in an image with north up is that from upper right to lower left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class WeakLensing:
    """Shear and convergence of galaxies.

    Attributes
    ----------
    g_n : ndarray (N,) complex128
        Reduced shear, g1 + i g2 = gamma / (1 - kappa).
    kappa_n : ndarray (N,)
        Convergence.
    """

    g_n: np.ndarray
    kappa_n: np.ndarray

    @property
    def magnification(self) -> np.ndarray:
        """By what factor areas and fluxes grow, mu = 1 / ((1 - kappa)^2 (1 - |g|^2)), (N,)."""
        mu_n: np.ndarray = 1 / ((1 - self.kappa_n) ** 2 * (1 - np.abs(self.g_n) ** 2))
        return mu_n

    def moved(self, x_n: np.ndarray, y_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where positions (N,), to the west and to the north of what is kept, come.

        They are mapped by ((1 + g1, g2), (g2, 1 - g1)) / ((1 - kappa) (1 - |g|^2)).
        """
        z_n = x_n + 1j * y_n
        z_n = (z_n + self.g_n * z_n.conj()) / ((1 - self.kappa_n) * (1 - np.abs(self.g_n) ** 2))
        return z_n.real, z_n.imag
