from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from galgen.evaluation.distance import compare, wasserstein1


@pytest.mark.parametrize(
    ("n", "m", "decimals"),
    [
        (50, 50, 8),
        (200, 37, 8),
        (1, 9, 8),
        (1, 1, 8),
        (300, 200, 0),  # many ties, within and between the samples
    ],
)
def test_wasserstein_equals_scipy(n, m, decimals):
    rng = np.random.default_rng((n, m))
    a = rng.normal(size=n).round(decimals).astype(np.float32)
    b = (1.5 * rng.normal(size=m) + 0.3).round(decimals).astype(np.float32)
    assert wasserstein1(a, b) == pytest.approx(wasserstein_distance(a, b), rel=1e-12)


def test_equal_samples_have_no_distance():
    a = np.random.default_rng(0).normal(size=100)
    assert wasserstein1(a, a[::-1]) == 0.0


# Far more generated than real galaxies, as many, and far fewer: without equal sample sizes the
# first would look better, and the last worse, than chance.
@pytest.mark.parametrize(("n", "m"), [(4000, 60), (200, 200), (30, 4000)])
def test_samples_of_one_distribution_have_ratio_one(n, m):
    ratios, beyond = [], 0
    for seed in range(60):
        rng = np.random.default_rng((n, m, seed))
        found = compare(rng.gamma(2.0, size=n), rng.gamma(2.0, size=m), 40, rng)
        assert found.sample == min(n, m // 2)
        ratios.append(found.ratio)
        beyond += found.ratio > found.limit
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.12)
    assert beyond <= 9  # 5 % of 60 are 3; 9 or fewer with a probability above 0.999


def test_shift_is_measured_in_units_of_the_floor():
    rng = np.random.default_rng(4)
    real, generated = rng.normal(size=2000), rng.normal(size=5000) + 3.0
    found = compare(generated, real, 50, rng)
    assert found.distance == pytest.approx(3.0, abs=0.1)
    # W1 of distributions that do not cross is the difference of their means.
    assert found.ratio == pytest.approx(3.0 / found.floor, rel=0.05)
    assert found.differs
    assert found.generated_median - found.real_median == pytest.approx(3.0, abs=0.2)


def test_floor_is_the_distance_of_halves():
    """For two values there is one way to halve them."""
    found = compare(np.array([7.0]), np.array([1.0, 3.0]), 5, np.random.default_rng(0))
    assert (found.sample, found.floor) == (1, 2.0)
    assert found.ratio == pytest.approx((4.0 + 6.0) / 2 / 2.0)
    assert found.limit == 1.0


def test_reals_that_are_all_alike():
    rng = np.random.default_rng(0)
    assert compare(np.ones(5), np.ones(20), 5, rng).ratio == 1.0
    assert compare(np.ones(5) + 1e-3, np.ones(20), 5, rng).ratio == np.inf
