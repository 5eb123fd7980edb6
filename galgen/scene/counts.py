"""How many galaxies there are of which magnitude, in one band: a power law or a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from galgen.errors import DataError, InvalidValueError
from galgen.request.table import InputTable

UNIT = "1 / (arcmin2 mag)"
_STEPS = 4096  # of the integral over a table


class Counts(Protocol):
    """Number counts of galaxies in a band."""

    @property
    def limits(self) -> tuple[float, float]:
        """Magnitudes between which they are known."""
        ...

    def brighter(self, mag: float) -> float:
        """Galaxies per square arcmin brighter than a magnitude, but for some constant."""
        ...

    def magnitude(self, brighter_n: np.ndarray) -> np.ndarray:
        """Magnitudes (N,) at which `brighter` is so many."""
        ...


@dataclass(frozen=True)
class PowerLaw:
    """Number counts N(<m) = density x 10^(slope (m - mag)) per square arcmin.

    Attributes
    ----------
    density : float
        Galaxies per square arcmin brighter than `mag`.
    slope : float
        Of log10 N per magnitude.
    mag : float
        Magnitude of the density.
    limits : (float, float)
        See `Counts`.

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """

    density: float
    slope: float
    mag: float
    limits: tuple[float, float] = (0.0, 40.0)

    def __post_init__(self) -> None:
        if not 0 < self.density <= 1e6:
            raise InvalidValueError("density of the counts", self.density, "above 0, up to 1e6")
        if not 0.01 <= self.slope <= 2:
            raise InvalidValueError("slope of the counts", self.slope, "0.01 to 2 per mag")
        if not 0 <= self.mag <= 40:
            raise InvalidValueError("magnitude of the counts", self.mag, "0 to 40 mag")

    def brighter(self, mag: float) -> float:
        """Galaxies per square arcmin brighter than a magnitude."""
        return self.density * math.pow(10, self.slope * (mag - self.mag))

    def magnitude(self, brighter_n: np.ndarray) -> np.ndarray:
        """Magnitudes (N,) at which `brighter` is so many."""
        mag_n: np.ndarray = self.mag + np.log10(brighter_n / self.density) / self.slope
        return mag_n


# N(<i) = 46 x 10^(0.31 (i - 25)) per square arcmin: LSST Science Collaboration 2009, "LSST Science
# Book, Version 2.0" (arXiv:0912.0201), eq. 3.7, a fit to CFHTLS Deep counts of 20.5 < i < 25.5. It
# is no guide at all beyond the limits.
I_BAND = PowerLaw(46.0, 0.31, 25.0, (15.0, 27.0))


@dataclass(frozen=True, eq=False)
class Tabulated:
    """Number counts of a table, log-linear between its rows.

    Attributes
    ----------
    mag : ndarray (N,)
        Increasing.
    density : ndarray (N,)
        Galaxies per magnitude and square arcmin.
    """

    mag: np.ndarray
    density: np.ndarray

    @classmethod
    def read(cls, table: InputTable) -> Tabulated:
        """Read columns ``mag`` and ``density``, the latter per mag and arcmin2 without a unit.

        Raises
        ------
        DataError
            If one is missing, values are not above 0, or magnitudes do not increase.
        """
        mag = table.numbers("mag", unit="mag", required=True)
        density = table.numbers("density", unit=UNIT, required=True)
        if not (len(mag) > 1 and (np.diff(mag) > 0).all() and np.abs(mag[[0, -1]]).max() <= 50):
            raise DataError(f"{table.path}: two or more increasing magnitudes are needed.")
        if not ((density > 0) & (density < 1e30)).all():
            row = int(np.argmin((density > 0) & (density < 1e30)))
            raise DataError(f"{table.path}: row {row} (from 0): density is {density[row]}.")
        return cls(mag, density)

    @property
    def limits(self) -> tuple[float, float]:
        """First and last magnitude."""
        return float(self.mag[0]), float(self.mag[-1])

    @cached_property
    def _integral(self) -> tuple[np.ndarray, np.ndarray]:
        """Magnitudes, and galaxies per square arcmin between the first and each."""
        mag = np.union1d(np.linspace(*self.limits, _STEPS), self.mag)
        density = np.exp(np.interp(mag, self.mag, np.log(self.density)))
        steps = np.diff(mag) * (density[1:] + density[:-1]) / 2
        return mag, np.concatenate([[0.0], np.cumsum(steps)])

    def brighter(self, mag: float) -> float:
        """Galaxies per square arcmin between the first magnitude and another."""
        return float(np.interp(mag, *self._integral))

    def magnitude(self, brighter_n: np.ndarray) -> np.ndarray:
        """Magnitudes (N,) at which `brighter` is so many."""
        mag, count = self._integral
        mag_n: np.ndarray = np.interp(brighter_n, count, mag)
        return mag_n


def density(bright: float, faint: float, counts: Counts = I_BAND) -> float:
    """Galaxies per square arcmin between two magnitudes.

    Raises
    ------
    InvalidValueError
        If the limits are not in order, or beyond those of the counts.
    """
    low, high = counts.limits
    if not low <= bright < faint <= high:
        allowed = f"bright:faint, in order, within {low:g} to {high:g} mag"
        raise InvalidValueError("mag", f"{bright:g}:{faint:g}", allowed)
    return counts.brighter(faint) - counts.brighter(bright)


def magnitudes(u_n: np.ndarray, bright: float, faint: float, counts: Counts = I_BAND) -> np.ndarray:
    """Magnitudes (N,) at uniform numbers (N,) in [0, 1), by inversion of the cumulative counts."""
    first, last = counts.brighter(bright), counts.brighter(faint)
    mag_n: np.ndarray = np.clip(counts.magnitude(first + u_n * (last - first)), bright, faint)
    return mag_n
