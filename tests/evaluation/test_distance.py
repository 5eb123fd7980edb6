from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from galgen.evaluation.distance import compare, kolmogorov_smirnov, wasserstein1


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
def test_distances_equal_those_of_scipy(n, m, decimals):
    rng = np.random.default_rng((n, m))
    a = rng.normal(size=n).round(decimals).astype(np.float32)
    b = (1.5 * rng.normal(size=m) + 0.3).round(decimals).astype(np.float32)
    assert wasserstein1(a, b) == pytest.approx(wasserstein_distance(a, b), rel=1e-12)
    wanted = ks_2samp(a.astype(float), b, method="exact").statistic
    assert kolmogorov_smirnov(a, b) == pytest.approx(wanted, abs=1e-12)


def test_equal_samples_have_no_distance():
    a = np.random.default_rng(0).normal(size=100)
    assert wasserstein1(a, a[::-1]) == kolmogorov_smirnov(a, a[::-1]) == 0.0


# Far more generated than real galaxies, as many, and far fewer: without equal sample sizes the
# first would look better, and the last worse, than chance.
@pytest.mark.parametrize(("n", "m"), [(1000, 60), (200, 200), (30, 1000)])
def test_samples_of_one_distribution_have_ratio_one(n, m):
    ratios, beyond, pulls = [], 0, []
    for seed in range(60):
        rng = np.random.default_rng((n, m, seed))
        found = compare(rng.gamma(2.0, size=n), rng.gamma(2.0, size=m), 40, rng)
        assert found.sample == min(n, m // 2)
        ratios.append((found.ratio, found.ks_ratio))
        errors = found.ratio_error, found.ks_ratio_error
        pulls.append((np.array(ratios[-1]) - 1) / errors)
        beyond += found.ratio > found.limit
    np.testing.assert_allclose(np.mean(ratios, 0), 1.0, atol=0.12)
    assert (np.sqrt(np.mean(np.square(pulls), 0)) < 1.5).all()  # about 1 within its own error
    assert beyond <= 9  # 5 % of 60 are 3; 9 or fewer with a probability above 0.999


def test_shift_is_measured_in_units_of_the_floor():
    rng = np.random.default_rng(4)
    real, generated = rng.normal(size=2000), rng.normal(size=5000) + 3.0
    found = compare(generated, real, 50, rng)
    assert found.distance == pytest.approx(3.0, abs=0.1)
    # W1 of distributions that do not cross is the difference of their means.
    assert found.ratio == pytest.approx(3.0 / found.floor, rel=0.05)
    assert found.differs
    assert 0 < found.ratio_error < 0.3 * found.ratio
    assert found.ks == pytest.approx(0.866, abs=0.02)  # of two normal ones, three apart
    assert found.ks_ratio > found.ks_limit > 1
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


def test_error_is_the_scatter_of_new_samples():
    found = []
    for seed in range(40):
        rng = np.random.default_rng((7, seed))
        found.append(compare(rng.gamma(2.0, size=150) + 0.5, rng.gamma(2.0, size=300), 20, rng))
    scatter = np.std([c.ratio for c in found])
    assert np.mean([c.ratio_error for c in found]) == pytest.approx(scatter, rel=0.4)
    scatter = np.std([c.ks_ratio for c in found])
    assert np.mean([c.ks_ratio_error for c in found]) == pytest.approx(scatter, rel=0.5)


def test_constant_columns_and_missing_values():
    rng = np.random.default_rng(0)
    generated, real = rng.normal(size=50), rng.normal(size=90)
    holes = np.concatenate([generated, [np.nan, np.inf]]), np.insert(real, 30, np.nan)
    group = np.insert(np.arange(90) // 2, 30, 77)
    found = compare(*holes, 10, np.random.default_rng(1), group)
    assert found == compare(generated, real, 10, np.random.default_rng(1), np.arange(90) // 2)
    assert (found.sample, found.real_median) == (44, np.median(real))
    constant = compare(np.ones(50), np.ones(90), 10, rng)
    assert (constant.ratio, constant.ratio_error, constant.ks_ratio) == (1.0, 0.0, 1.0)
    apart = compare(np.ones(50), np.zeros(90), 10, rng)
    assert (apart.ratio, apart.ks) == (np.inf, 1.0)
    assert np.isnan(apart.ratio_error)


def test_images_of_one_galaxy_stay_on_one_side():
    """Torn apart, they would make real galaxies look nearer to each other than they are."""
    rng = np.random.default_rng(3)
    real = np.repeat(rng.normal(size=40), 5)
    floors = [
        compare(rng.normal(size=90), real, 200, np.random.default_rng(0), group).floor
        for group in (None, np.arange(200) // 5)
    ]
    assert floors[1] > 1.8 * floors[0]
