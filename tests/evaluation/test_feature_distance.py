from __future__ import annotations

import json
from dataclasses import asdict, fields

import numpy as np
import pytest
from scipy.linalg import sqrtm

from galgen.errors import InvalidValueError
from galgen.evaluation.feature_distance import MOST, Gram, compare_features
from galgen.settings import json_types


def normal(n: int, c: int, seed: int) -> np.ndarray:
    return np.random.default_rng((n, c, seed)).standard_normal((n, c))


def gaussian(n: int, deviations: tuple[float, ...], seed: int) -> np.ndarray:
    """Galaxies whose mean is exactly 0 and whose covariance is exactly diagonal."""
    x = normal(n, len(deviations), seed)
    x -= x.mean(0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T * deviations


def test_frechet_distance_of_gaussians_is_the_closed_form():
    a, b = gaussian(50, (1, 2, 3), 0), gaussian(40, (2, 2, 1), 1)
    a, b = a + np.array([0, 0, 1]), b + np.array([2, 0, 0])
    # |difference of means|^2, and the sum of (s - t)^2 of deviations along common axes
    assert Gram.of(a, b).frechet() == pytest.approx((4 + 1) + (1 + 0 + 4))


@pytest.mark.parametrize("features", [5, 60])  # the second: more than galaxies, as in practice
def test_frechet_distance_is_that_of_covariances(features):
    mixing = normal(features, features, 7)
    a, b = normal(40, features, 0) @ mixing, 2 * normal(30, features, 1) + 0.5
    found = Gram.of(a, b).frechet()
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    if features < 30:  # else scipy's root is not to be trusted
        root = np.trace(sqrtm(cov_a @ cov_b)).real
    else:
        value, vector = np.linalg.eigh(cov_a)
        half = (vector * np.sqrt(np.maximum(value, 0))) @ vector.T
        root = np.sqrt(np.maximum(np.linalg.eigvalsh(half @ cov_b @ half), 0)).sum()
    means = ((a.mean(0) - b.mean(0)) ** 2).sum()
    assert found == pytest.approx(means + np.trace(cov_a + cov_b) - 2 * root, rel=1e-4)
    assert Gram.of(a + 7, b + 7).frechet() == pytest.approx(found, rel=1e-9)
    assert Gram.of(a, a).frechet() == pytest.approx(0, abs=1e-9 * found)


def test_kernel_distance_equals_brute_force_and_has_no_bias():
    a, b = normal(12, 4, 0), normal(9, 4, 1) + 0.3

    def mean(x: np.ndarray, y: np.ndarray, same: bool) -> float:
        every = [
            (p @ q / 4 + 1) ** 3
            for i, p in enumerate(x)
            for j, q in enumerate(y)
            if not (same and i == j)
        ]
        return float(np.mean(every))

    wanted = mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False)
    assert Gram.of(a, b).kernel() == pytest.approx(wanted, rel=1e-12)
    nothing = [Gram.of(normal(30, 5, s), normal(30, 5, s + 999)).kernel() for s in range(200)]
    assert abs(np.mean(nothing)) < 3 * np.std(nothing) / np.sqrt(200)


@pytest.mark.parametrize(("n", "m"), [(14, 11), (4, 30), (3, 3)])  # fewer than neighbours, too
def test_manifolds_equal_brute_force(n, m):
    a, b = normal(n, 3, 0) + 0.5, normal(m, 3, 1)

    def radii(x: np.ndarray, k: int) -> list[float]:
        every = [sorted(np.linalg.norm(x - p, axis=1))[1:] for p in x]
        return [row[min(k, len(row)) - 1] for row in every]

    apart = np.linalg.norm(a[:, None] - b[None], axis=2)
    k = min(5, m - 1)
    wanted = (
        np.mean([any(apart[i, j] <= radii(b, 3)[j] for j in range(m)) for i in range(n)]),
        np.mean([any(apart[i, j] <= radii(a, 3)[i] for i in range(n)) for j in range(m)]),
        np.sum([apart[i, j] <= radii(b, 5)[j] for i in range(n) for j in range(m)]) / (k * n),
        np.mean([any(apart[i, j] <= radii(b, 5)[j] for i in range(n)) for j in range(m)]),
    )
    assert Gram.of(a, b).manifolds() == pytest.approx(wanted)


def test_samples_of_one_distribution_are_like_two_halves():
    rng = np.random.default_rng(0)
    pulls = []
    for seed in range(12):
        found = compare_features(normal(60, 16, seed), normal(120, 16, seed), rng)
        assert found.sample == 60
        scores = [getattr(found, f.name) for f in fields(found)[1:]]
        pulls.append([(s.generated - s.real) / s.generated_error for s in scores])
        assert all(s.real_low <= s.real <= s.real_high for s in scores)
    assert (np.sqrt(np.mean(np.square(pulls), 0)) < 1.7).all()
    assert (np.abs(np.mean(pulls, 0)) < 0.8).all()


def test_what_is_wrong_shows_where_it_should():
    real, rng = normal(300, 32, 0), np.random.default_rng(0)
    shifted = compare_features(normal(100, 32, 1) + 0.5, real, rng)
    assert shifted.frechet.generated > shifted.frechet.real_high
    assert shifted.kernel.generated - shifted.kernel.real > 5 * shifted.kernel.generated_error
    assert shifted.density.generated < shifted.density.real_low
    # Galaxies that look like real ones, but all of one kind.
    narrow = compare_features(0.3 * normal(100, 32, 1), real, rng)
    assert narrow.precision.generated > narrow.precision.real_high
    assert narrow.recall.generated < 0.2 < narrow.recall.real_low


def test_same_seed_same_scores_and_json():
    made, real = normal(30, 8, 1), normal(50, 8, 2)
    made[3, 4] = real[2, 2] = np.nan
    real[:, 5] = made[:, 5] = 2.0
    found, again = (compare_features(made, real, np.random.default_rng(5)) for _ in range(2))
    assert found == again
    assert found.sample == 24
    json.dumps(json_types(asdict(found)), allow_nan=False)


def test_few_galaxies_and_groups():
    found = compare_features(normal(10, 64, 0), normal(20, 64, 1), np.random.default_rng(0))
    assert found.sample == 10
    tiny = compare_features(normal(2, 4, 0), normal(4, 4, 1), np.random.default_rng(0))
    assert np.isnan(tiny.frechet.generated_error)
    # Two images of each galaxy: torn apart they would be each other's neighbours.
    real, group = np.repeat(normal(40, 30, 3), 2, axis=0), np.arange(80) // 2
    together = compare_features(normal(40, 30, 4), real, np.random.default_rng(0), group)
    torn = compare_features(normal(40, 30, 4), real, np.random.default_rng(0))
    assert together.frechet.real > 1.2 * torn.frechet.real
    with pytest.raises(InvalidValueError, match="galaxies to compare"):
        compare_features(normal(1, 4, 0), normal(20, 4, 1), np.random.default_rng(0))


def test_large_samples_are_compared_in_part(monkeypatch):
    monkeypatch.setattr("galgen.evaluation.feature_distance.MOST", 20)
    assert MOST > 20
    found = compare_features(normal(90, 4, 0), normal(500, 4, 1), np.random.default_rng(0))
    assert found.sample == 20
