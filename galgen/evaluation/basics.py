"""What several comparisons share: ranks, correlation, resampled galaxies, errors of fractions."""

from __future__ import annotations

import math

import numpy as np

BOOTSTRAPS = 200


def ranks(values_n: np.ndarray) -> np.ndarray:
    """Ranks (n,) from 1 in rising order; values that are equal share their mean rank."""
    ordered = np.sort(values_n)
    below = np.searchsorted(ordered, values_n, side="left")
    up_to = np.searchsorted(ordered, values_n, side="right")
    return (below + up_to + 1) / 2


def correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation along the last axis, of ranks Spearman's; NaN where one is constant."""
    dx, dy = (v - v.mean(-1, keepdims=True) for v in (x, y))
    power = np.sqrt((dx * dx).sum(-1) * (dy * dy).sum(-1))
    product = np.asarray((dx * dy).sum(-1))
    found = np.full_like(product, np.nan)
    np.divide(product, power, out=found, where=power > 0)
    return found


def resampled_rows(n: int, rng: np.random.Generator) -> np.ndarray:
    """Rows (`BOOTSTRAPS`, n) drawn with replacement."""
    return rng.integers(0, n, (BOOTSTRAPS, n))


def deviation(values_b: np.ndarray) -> float:
    """Return the standard deviation of those that are finite, NaN of fewer than two."""
    finite = values_b[np.isfinite(values_b)]
    return float(finite.std(ddof=1)) if len(finite) > 1 else math.nan


def fraction_variance(fraction: float, n: int) -> float:
    """Variance of a fraction of n galaxies, with one more and one fewer (Agresti & Caffo 2000).

    So that it is not zero where all or none of a few galaxies are counted.
    """
    smoothed = (fraction * n + 1) / (n + 2)
    return smoothed * (1 - smoothed) / (n + 2)
