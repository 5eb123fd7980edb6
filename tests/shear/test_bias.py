"""Biases of numbers of which they are known."""

from __future__ import annotations

import numpy as np
import pytest

from galgen.shear.bias import measure_bias

SHEAR, M, C = 0.02, np.array([0.01, -0.03]), np.array([4e-4, -2e-4])


def galaxies(n: int, spread: float = 0.2) -> np.ndarray:
    """(N, 2, 3, 2): galaxies with m and c, and twins without, of one scatter."""
    rng = np.random.default_rng(n)
    response = 0.8 + 0.1 * rng.normal(size=(n, 1, 2))
    scatter = spread * SHEAR * rng.normal(size=(n, 1, 2))
    m, c = np.stack([M, 0 * M]), np.stack([C, 0 * C])
    plus, minus = ((s * (1 + m) * (SHEAR + scatter) + c) * response for s in (1, -1))
    return np.stack([plus, minus, np.broadcast_to(response, plus.shape)], axis=2)


def test_known_m_and_c() -> None:
    rng = np.random.default_rng(0)
    galaxy, twin, change = measure_bias(galaxies(400, spread=0), SHEAR, rng)
    np.testing.assert_allclose(galaxy.m, M, atol=1e-12)
    np.testing.assert_allclose(galaxy.c, C, atol=1e-15)
    np.testing.assert_allclose(twin.m, 0, atol=1e-12)
    np.testing.assert_allclose(change.m, M, atol=1e-12)
    np.testing.assert_allclose(galaxy.m_error, 0, atol=1e-12)


def test_errors_are_what_they_should_be_and_shrink_with_n() -> None:
    rng = np.random.default_rng(0)
    few, many = (measure_bias(galaxies(n), SHEAR, rng)[0] for n in (100, 1600))
    # Of the mean of 0.2 times a normal number, nearly.
    np.testing.assert_allclose(few.m_error, 0.2 / 10, rtol=0.2)
    np.testing.assert_allclose(many.m_error, 0.2 / 40, rtol=0.2)
    assert np.all(np.abs(np.subtract(many.m, M)) < 4 * np.array(many.m_error))


def test_what_twins_share_is_not_in_the_error_of_their_difference() -> None:
    galaxy, twin, change = measure_bias(galaxies(300), SHEAR, np.random.default_rng(0))
    np.testing.assert_allclose(change.m, np.subtract(galaxy.m, twin.m), atol=1e-12)
    assert max(change.m_error) < 0.1 * min(galaxy.m_error)
    # Others share nothing.
    apart = galaxy - twin
    assert apart.m == pytest.approx(change.m)
    assert apart.m_error == pytest.approx(np.hypot(galaxy.m_error, twin.m_error))


def test_too_few_galaxies() -> None:
    for bias in measure_bias(galaxies(2), SHEAR, np.random.default_rng(0)):
        assert np.isnan([bias.m, bias.m_error, bias.c, bias.c_error]).all()
