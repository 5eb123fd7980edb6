from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from galgen.errors import InvalidValueError
from galgen.evaluation.two_sample import auc, auc_error, logistic, separation, two_sample


def normal(n: int, c: int, seed: int) -> np.ndarray:
    return np.random.default_rng((n, c, seed)).standard_normal((n, c))


@pytest.mark.parametrize("features", [90, 7])  # more and fewer than galaxies
def test_logistic_is_the_minimum_of_its_loss(features):
    x_nc, y_n = normal(40, features, 0), np.repeat([0.0, 1.0], 20)
    x_nc[:, 3] = x_nc[:, 2]  # no more independent directions than there are
    weights_c, intercept = logistic(x_nc, y_n, penalty=3.0)
    p_n = 1 / (1 + np.exp(-(x_nc @ weights_c + intercept)))
    np.testing.assert_allclose(x_nc.T @ (p_n - y_n) + 3.0 * weights_c, 0, atol=1e-8)
    assert abs((p_n - y_n).sum()) < 1e-8


def test_auc_counts_pairs():
    assert auc(np.array([0.0, 1.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0])) == 3.5 / 4
    assert auc_error(0.5, 160, 160) == pytest.approx(0.0324, abs=1e-3)


def test_separation_of_equal_and_of_different_sets():
    a, b = np.random.default_rng(1).standard_normal((2, 60, 50))
    assert separation(a, b, repeats=3).auc == pytest.approx(0.5, abs=0.12)
    assert separation(a, b + 1, repeats=3).auc > 0.95
    assert separation(a, b, repeats=3) == separation(a, b, repeats=3)


def test_sets_of_one_distribution_are_told_apart_by_chance_only():
    pulls = []
    for seed in range(12):
        found, _ = two_sample(normal(80, 6, seed), normal(160, 6, seed), np.random.default_rng(0))
        assert found.sample == 80
        pulls.append((found.generated.auc - 0.5) / found.generated.error)
        assert found.real.auc == pytest.approx(0.5, abs=0.2)
    assert np.sqrt(np.mean(np.square(pulls))) < 2


def test_shift_is_found_and_scored():
    made, real = normal(70, 20, 0) + 0.8, normal(200, 20, 1)
    real[3, 2] = made[5, 1] = np.nan  # left out
    real[:, 7] = made[:, 7] = 3.0  # says nothing
    found, scores = two_sample(made, real, np.random.default_rng(0))
    assert found.sample == 69
    assert found.generated.auc > 0.9 > 0.65 > found.real.auc
    assert (scores.generated_n.shape, scores.real_m.shape) == ((70,), (200,))
    assert np.isnan(scores.generated_n[5])
    assert np.isnan(scores.real_m[3])
    assert np.isfinite(scores.real_m).sum() >= 69
    assert np.nanmean(scores.generated_n) > 0.5 > -0.5 > np.nanmean(scores.real_m)
    again, _ = two_sample(made, real, np.random.default_rng(0))
    assert again == found
    json.dumps(asdict(found), allow_nan=False)


def test_images_of_one_galaxy_are_never_on_both_sides():
    """Else their own galaxy would betray real ones: features here say which galaxy it is."""
    once = normal(60, 200, 0)
    real, group = np.concatenate([once, once]), np.arange(120) % 60
    made = normal(60, 200, 1)
    apart, _ = two_sample(made, real, np.random.default_rng(0), group_m=group)
    assert apart.sample == 59
    assert apart.real.auc == pytest.approx(0.5, abs=0.2)
    torn, _ = two_sample(made, real, np.random.default_rng(0))
    assert torn.sample == 60
    # Large groups leave fewer folds.
    large, _ = two_sample(made, real, np.random.default_rng(0), group_m=np.arange(120) // 20)
    assert large.sample == 50


@pytest.mark.parametrize(("n", "m"), [(10, 20), (2, 4)])
def test_few_galaxies(n, m):
    found, _ = two_sample(normal(n, 5, 0), normal(m, 5, 1), np.random.default_rng(0))
    assert found.sample == n
    assert 0 <= found.generated.auc <= 1


@pytest.mark.parametrize(("n", "m"), [(1, 20), (20, 3), (0, 20)])
def test_too_few_galaxies(n, m):
    with pytest.raises(InvalidValueError, match="galaxies to compare"):
        two_sample(normal(n, 5, 0), normal(m, 5, 1), np.random.default_rng(0))
