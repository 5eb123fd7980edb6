"""Galaxies that keep together: a log-normal random field of a given two-point function.

A galaxy is the likelier at a place the denser the field is there (a Cox process). Of a Gaussian
field G of correlation ln(1 + w), exp(G - var(G) / 2) has the mean 1 and the correlation w (Coles &
Jones 1991), which the galaxies then have, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from galgen import noise
from galgen.errors import DataError, InvalidValueError
from galgen.noise import Stream
from galgen.request.table import InputTable
from galgen.scene.field import Field

CELLS = 512  # along the longer side: nothing is clustered on smaller scales
MAX_W = 1e4  # within a cell: beyond, nearly all galaxies of a field are in one clump
_FIELD = Stream.SCENE.at(3)
_NEAR = 8  # cells between which w is averaged over both, not taken between their middles
_NODES = 16
_NEGATIVE = 0.02  # of the variance, which no field has
_LEAST = 64  # cells that are transformed along an axis


# A two-point function: w at angles in deg, above 0.
Clustering = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PowerLawClustering:
    """The two-point function w(theta) = amplitude (theta / deg)^-gamma.

    Attributes
    ----------
    amplitude : float
        At 1 deg.
    gamma : float
        The slope; 0.7 to 0.8 for galaxies.

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """

    amplitude: float
    gamma: float

    def __post_init__(self) -> None:
        if not 0 <= self.amplitude <= 100:
            raise InvalidValueError("amplitude of the clustering", self.amplitude, "0 to 100")
        if not 0.05 <= self.gamma <= 1.5:
            raise InvalidValueError("gamma of the clustering", self.gamma, "0.05 to 1.5")

    def __call__(self, theta: np.ndarray) -> np.ndarray:
        """Return w at angles (deg), above 0."""
        w: np.ndarray = self.amplitude * theta**-self.gamma
        return w


@dataclass(frozen=True, eq=False)
class TabulatedClustering:
    """A two-point function given at angles, linear in the logarithm of the angle between them.

    Attributes
    ----------
    theta : ndarray (N,)
        Deg, increasing, above 0. At smaller angles the first value holds, at larger ones 0.
    w : ndarray (N,)
        Above -1.
    """

    theta: np.ndarray
    w: np.ndarray

    @classmethod
    def read(cls, table: InputTable) -> TabulatedClustering:
        """Read columns ``theta`` (deg without a unit) and ``w``.

        Raises
        ------
        DataError
            If one is missing or has values that cannot be.
        """
        theta = table.numbers("theta", "theta", unit="deg", required=True)
        w = table.numbers("w", "w", unit="", required=True)
        if not (len(theta) > 1 and theta[0] > 0 and (np.diff(theta) > 0).all()):
            raise DataError(f"{table.path}: two or more increasing theta above 0 are needed.")
        if not ((w > -1) & (w <= MAX_W)).all():
            row = int(np.argmin((w > -1) & (w <= MAX_W)))
            raise DataError(
                f"{table.path}: row {row} (from 0): w is {w[row]}; allowed: above -1, up to "
                f"{MAX_W:g}."
            )
        return cls(theta, w)

    def __call__(self, theta: np.ndarray) -> np.ndarray:
        """Return w at angles (deg), above 0."""
        w: np.ndarray = np.interp(np.log(theta), np.log(self.theta), self.w, right=0.0)
        return w


@dataclass(frozen=True)
class Density:
    """How dense galaxies are in a field, relative to their mean over many fields.

    Attributes
    ----------
    cells_yx : ndarray (Y, X)
        In equal parts of the image.
    field : Field
        The image.
    """

    cells_yx: np.ndarray
    field: Field

    @property
    def mean(self) -> float:
        """Over the field."""
        return float(self.cells_yx.mean())

    def positions(self, u_nk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the image, x and y (N,) in pixels, from uniform numbers (N, 3).

        One chooses a cell, two the place in it.
        """
        total = np.cumsum(self.cells_yx)
        cell_n = np.searchsorted(total, u_nk[:, 0] * total[-1], side="right")
        rows, columns = self.cells_yx.shape
        y_n, x_n = np.divmod(np.minimum(cell_n, total.size - 1), columns)
        x_n = (x_n + u_nk[:, 1]) * (self.field.width / columns) - 0.5
        y_n = (y_n + u_nk[:, 2]) * (self.field.height / rows) - 0.5
        return x_n, y_n


def draw_density(field: Field, clustering: Clustering, seed: int) -> Density:
    """Draw the density of a field.

    Parameters
    ----------
    field : Field
        The image.
    clustering : callable
        Correlation of the density at angles (deg), above 0.
    seed : int
        Equal seeds and fields make equal densities, but for rounding in Fourier transforms.

    Raises
    ------
    InvalidValueError
        If no random field has such a correlation.
    """
    side = max(1.0, max(field.width, field.height) / CELLS)
    rows, columns = math.ceil(field.height / side), math.ceil(field.width / side)
    scale = field.pixel_scale / 3600  # deg
    # Periodic, but twice as large: no part of the field is near itself.
    shape = _periodic(rows), _periodic(columns)
    w_yx = _between_cells(
        clustering, shape, scale * field.height / rows, scale * field.width / columns
    )
    if w_yx[0, 0] > MAX_W:
        hint = "Fewer or larger pixels, or a smaller amplitude, make it less."
        raise InvalidValueError("clustering within a cell", w_yx[0, 0], f"up to {MAX_W:g}", hint)
    power_yx = np.fft.rfft2(np.log1p(w_yx)).real
    kept_yx = np.maximum(power_yx, 0)
    variance = np.fft.irfft2(kept_yx, shape)[0, 0]
    negative = 1 - math.log1p(w_yx[0, 0]) / variance if variance > 0 else 0.0
    if not abs(negative) <= _NEGATIVE:
        given, hint = f"{negative:.0%} of its variance", "A smoother or longer function has less."
        raise InvalidValueError("negative power of the clustering", given, "up to 2 %", hint)
    white_yx = noise.normal(seed, torch.arange(shape[0]), shape[1:], _FIELD).double().numpy()
    gaussian_yx = np.fft.irfft2(np.sqrt(kept_yx) * np.fft.rfft2(white_yx), shape)[:rows, :columns]
    return Density(np.exp(gaussian_yx - variance / 2), field)


def _periodic(cells: int) -> int:
    """Return how many cells are transformed along an axis."""
    return 1 if cells == 1 else max(_LEAST, 1 << (2 * cells - 1).bit_length())


def _between_cells(
    clustering: Clustering, shape: tuple[int, int], height: float, width: float
) -> np.ndarray:
    """Return w between the first cell of a periodic grid and each, of some height and width."""
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
    theta_yx = np.hypot(height * y[:, None], width * x)
    theta_yx[0, 0] = 1.0  # averaged below
    w_yx = clustering(theta_yx)
    # Over two cells, offsets have a triangular distribution. The nodes crowd at 0, where w may
    # be infinite.
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    t, weight = (node + 1) / 2, weight / 2
    u, weight = t**4, weight * 4 * t**3 * (1 - t**4)
    u, weight = np.concatenate([-u, u]), np.concatenate([weight, weight])
    for i in range(min(_NEAR, (shape[0] + 1) // 2)):
        for j in range(min(_NEAR, (shape[1] + 1) // 2)):
            theta = np.hypot(height * (i + u[:, None]), width * (j + u))
            mean = weight @ clustering(theta) @ weight
            for row in {i, -i}:
                for column in {j, -j}:
                    w_yx[row, column] = mean
    return w_yx
