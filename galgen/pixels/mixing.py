"""Matrices over the bands of a stamp: what a model's channels are made of."""

from __future__ import annotations

import numpy as np
import torch

from galgen.pixels.constants import constants

Matrix = tuple[tuple[float, ...], ...]
"""Rows of a square matrix."""

_LEAST_VARIANCE = 1e-4  # of a principal component, relative to the first: bands may be copies
_MAX_CONDITION = 1e4  # beyond it float32 loses what the differences of the bands say


def principal_components(covariance: np.ndarray) -> Matrix:
    """Principal components, each divided by the square root of its standard deviation.

    Parameters
    ----------
    covariance : ndarray (B, B)
        Of the bands.

    Returns
    -------
    Matrix
        Scaled so that the mean variance of the components is that of the bands. The first is the
        brightness; the sign of each is that which makes its largest weight positive.
    """
    variance, columns = np.linalg.eigh(covariance)
    variance, rows = variance[::-1], columns.T[::-1]
    # Their sign is arbitrary, and differs between libraries.
    rows = rows * np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])[:, None]
    deviation = np.sqrt(np.maximum(variance, variance[0] * _LEAST_VARIANCE))
    mix = rows / np.sqrt(deviation)[:, None]
    mix *= np.sqrt(np.trace(covariance) / np.trace(mix @ covariance @ mix.T))
    return tuple(tuple(row) for row in mix.tolist())


def over_bands(y_nhwc: torch.Tensor, matrix: Matrix | None) -> torch.Tensor:
    """Multiply the bands, the last axis of (N, H, W, B), by a matrix; None changes nothing.

    Spelled out: a matrix product may round differently for another number of stamps.
    """
    if matrix is None:
        return y_nhwc
    out = torch.zeros_like(y_nhwc)
    for band, column in enumerate(zip(*matrix, strict=True)):
        out += y_nhwc[..., band : band + 1] * constants(y_nhwc, column)
    return out


def inverse(matrix: Matrix) -> Matrix:
    """Inverse of a matrix, computed in float64."""
    return tuple(tuple(row) for row in np.linalg.inv(np.array(matrix)).tolist())


def is_invertible(matrix: Matrix, size: int) -> bool:
    """Whether a matrix is ``size x size``, finite, and inverted without losing all digits."""
    rows = np.array([row for row in matrix if len(row) == size], np.float64)
    if len(matrix) != size or rows.shape != (size, size) or not np.isfinite(rows).all():
        return False
    return bool(np.linalg.cond(rows) <= _MAX_CONDITION)
