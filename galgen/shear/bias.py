"""Multiplicative and additive bias of a shear, with errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galgen.shear.ring import MINUS, PLUS, RESPONSE
from galgen.shear.samples import LEAST

BOOTSTRAPS = 500


@dataclass(frozen=True)
class Bias:
    """What is measured is (1 + m) times the shear, plus c; both for each component.

    Attributes
    ----------
    m, c : tuple of float
        Multiplicative and additive bias.
    m_error, c_error : tuple of float
        Standard errors, by bootstrap over the galaxies.
    """

    m: tuple[float, float]
    m_error: tuple[float, float]
    c: tuple[float, float]
    c_error: tuple[float, float]

    def __sub__(self, other: Bias) -> Bias:
        """Difference from the bias of other, independent galaxies."""
        m, c = (np.subtract(getattr(self, x), getattr(other, x)) for x in ("m", "c"))
        errors = [f"{x}_error" for x in ("m", "c")]
        m_error, c_error = (np.hypot(getattr(self, x), getattr(other, x)) for x in errors)
        return _bias(np.stack([m, c]), np.stack([m_error, c_error]))


def measure_bias(found_np: np.ndarray, shear: float, rng: np.random.Generator) -> tuple[Bias, ...]:
    """Find the bias of each profile of the same galaxies, and how much they differ.

    Parameters
    ----------
    found_np : ndarray (N, P, 3, 2)
        What was measured (`galgen.shear.ring.Ring.measure`) of N galaxies, each as P profiles; all
        of them finite.
    shear : float
        What they were sheared by.
    rng : np.random.Generator
        Of the bootstrap: all profiles of a galaxy are drawn together, so that the errors of
        differences are those of the differences.

    Returns
    -------
    tuple of Bias
        Of each profile, and of the first less each of the others. All NaN of fewer than 3 galaxies.
    """
    n, profiles = found_np.shape[:2]
    if n < LEAST:
        nothing = np.full((2, 2), np.nan)
        return tuple(_bias(nothing, nothing) for _ in range(2 * profiles - 1))
    flat = found_np.reshape(n, -1)
    drawn = (rng.multinomial(n, np.full(n, 1 / n)) / n @ flat for _ in range(BOOTSTRAPS))
    values = np.stack([_values(mean, found_np.shape[1:], shear) for mean in (flat.mean(0), *drawn)])
    errors = values[1:].std(0, ddof=1)
    pairs = zip(values[0], errors, strict=True)
    return tuple(_bias(value, error) for value, error in pairs)


def _values(mean: np.ndarray, shape: tuple[int, ...], shear: float) -> np.ndarray:
    """Return m and c of each profile and of the differences from means (P 3 2): (2P - 1, 2, 2)."""
    mean_p = mean.reshape(shape)
    plus, minus = (mean_p[:, which] / mean_p[:, RESPONSE] for which in (PLUS, MINUS))
    values = np.stack([(plus - minus) / (2 * shear) - 1, (plus + minus) / 2], axis=1)
    return np.concatenate([values, values[:1] - values[1:]])


def _bias(value: np.ndarray, error: np.ndarray) -> Bias:
    (m, c), (m_error, c_error) = value.tolist(), error.tolist()
    return Bias(tuple(m), tuple(m_error), tuple(c), tuple(c_error))
