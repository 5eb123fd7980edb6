"""Shear and convergence of the galaxies of a catalogue, where it has such columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from galgen.catalog import CatalogFile
from galgen.errors import CatalogError


class Lens(NamedTuple):
    """Weak lensing of n galaxies.

    Shear is that of GalSim: north up and east to the left, g1 along east-west, g2 along the line
    from north-west to south-east.

    Attributes
    ----------
    g1_n, g2_n : ndarray (n,) float64
        Reduced shear, gamma / (1 - kappa).
    kappa_n : ndarray (n,) float64
        Convergence.
    """

    g1_n: np.ndarray
    g2_n: np.ndarray
    kappa_n: np.ndarray

    @property
    def magnification_n(self) -> np.ndarray:
        """By what factor areas grow, 1 / ((1 - kappa)^2 (1 - g1^2 - g2^2)), (n,)."""
        shear2_n = self.g1_n**2 + self.g2_n**2
        magnification_n: np.ndarray = 1 / ((1 - self.kappa_n) ** 2 * (1 - shear2_n))
        return magnification_n

    def moved(self, dx_n: np.ndarray, dy_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where points (n,) come, relative to their galaxies: to the west, to the north.

        They are mapped by ((1 + g1, g2), (g2, 1 - g1)) / ((1 - kappa) (1 - g1^2 - g2^2)).
        """
        g1, g2 = self.g1_n, self.g2_n
        scale = 1 / ((1 - self.kappa_n) * (1 - g1**2 - g2**2))
        return scale * ((1 + g1) * dx_n + g2 * dy_n), scale * (g2 * dx_n + (1 - g1) * dy_n)


def lens_of(catalog: CatalogFile, row_n: np.ndarray) -> Lens:
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
    lens = Lens(*(_numbers(catalog, names.get(key), row_n) for key in ("g1", "g2", "kappa")))
    weak_n = (lens.g1_n**2 + lens.g2_n**2 < 1) & (lens.kappa_n < 1) & (lens.kappa_n > -np.inf)
    if not weak_n.all():
        i = int(np.argmin(weak_n))
        values = ", ".join(f"{float(column_n[i]):g}" for column_n in lens)
        raise CatalogError(
            f"{catalog.path}: row {row_n[i]} has g1, g2 and kappa of {values}; allowed: "
            "g1^2 + g2^2 below 1, kappa below 1."
        )
    return lens


def _numbers(catalog: CatalogFile, name: str | None, row_n: np.ndarray) -> np.ndarray:
    """Return a column (n,) as float64, NaN where it has no value; 0 if there is no such column."""
    if name is None:
        return np.zeros(len(row_n))
    values_n = catalog.column(name, row_n)
    if values_n.ndim != 1 or values_n.dtype.kind not in "iuf":
        raise CatalogError(f"{catalog.path}: column {name} has not one number per galaxy.")
    numbers_n: np.ndarray = np.ma.filled(values_n.astype(np.float64), np.nan)
    return numbers_n
