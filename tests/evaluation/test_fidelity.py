from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import linregress, spearmanr

from galgen.errors import InvalidValueError
from galgen.evaluation.fidelity import UNKNOWN, category_fidelity, property_fidelity
from galgen.settings import json_types


def test_line_and_scatter_are_found():
    rng = np.random.default_rng(0)
    asked = rng.uniform(2, 8, 400)
    measured = 0.8 * asked + 1.5 + 0.3 * rng.normal(size=400)
    measured[7] = asked[9] = np.nan
    found = property_fidelity(asked, measured, rng)
    keep = np.isfinite(asked + measured)
    line = linregress(asked[keep], measured[keep])
    assert found.n == 398
    assert found.slope == pytest.approx(line.slope)
    assert found.slope_error == pytest.approx(line.stderr, rel=0.2)
    assert found.bias == pytest.approx(np.median((measured - asked)[keep]))
    # Of uniform numbers, less by a slope of 0.8, and noise: near normal of this width.
    assert found.scatter == pytest.approx(np.hypot(0.2 * 6 / np.sqrt(12), 0.3), rel=0.15)
    assert found.bias_error == pytest.approx(1.25 * found.scatter / np.sqrt(398), rel=0.35)
    rank = spearmanr(asked[keep], measured[keep]).statistic
    assert found.rank_correlation == pytest.approx(rank)
    assert 0 < found.rank_correlation_error < 0.02


def test_errors_are_those_of_new_samples():
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        asked = rng.normal(size=80)
        found.append(property_fidelity(asked, asked + rng.normal(size=80), rng))
    for name in ("slope", "bias", "scatter", "rank_correlation"):
        scatter = np.std([getattr(f, name) for f in found])
        errors = [getattr(f, f"{name}_error") for f in found]
        assert np.mean(errors) == pytest.approx(scatter, rel=0.35), name


def test_deaf_constant_and_few():
    rng = np.random.default_rng(0)
    asked = rng.normal(size=200)
    deaf = property_fidelity(asked, rng.normal(size=200), rng)
    assert deaf.slope == pytest.approx(0, abs=4 * deaf.slope_error)
    assert deaf.rank_correlation == pytest.approx(0, abs=4 * deaf.rank_correlation_error)
    constant = property_fidelity(np.full(10, 0.1), 0.1 + 0.01 * asked[:10], rng)
    assert np.isnan([constant.slope, constant.slope_error, constant.rank_correlation]).all()
    assert np.isfinite([constant.bias, constant.scatter, constant.bias_error]).all()
    json.dumps(json_types(asdict(constant)), allow_nan=False)
    exact = property_fidelity(np.arange(2.0), np.arange(2.0), rng)
    assert (exact.n, exact.slope, exact.bias, exact.rank_correlation) == (2, 1.0, 0.0, 1.0)
    with pytest.raises(InvalidValueError, match="galaxies to compare"):
        property_fidelity(np.array([1.0, np.nan]), np.array([1.0, 1.0]), rng)
    with pytest.raises(InvalidValueError, match="asked and measured"):
        property_fidelity(np.zeros(3), np.zeros(4), rng)


def test_tables_and_agreement_of_unequal_categories():
    asked = np.repeat([0, 1, 2], [100, 10, 0])
    classified = np.concatenate([np.repeat([0, 1], [90, 10]), np.repeat([1, 2], [5, 5])])
    label = np.repeat([0, 1, 2], [200, 20, 30])
    theirs = np.concatenate([np.repeat([0, 2], [160, 40]), np.repeat([1, 0], [15, 5]), [2] * 30])
    found = category_fidelity(asked, classified, label, theirs, ("smooth", "spiral", "edge-on"))
    assert found.generated_table == ((90, 10, 0), (0, 5, 5), (0, 0, 0))
    assert found.real_table == ((160, 0, 40), (5, 15, 0), (0, 0, 30))
    smooth, spiral, edge_on = found.categories
    assert (smooth.generated, smooth.real, smooth.generated_n) == (0.9, 0.8, 100)
    assert smooth.difference == pytest.approx(0.1)
    assert smooth.difference_error == pytest.approx(np.hypot(0.030, 0.0283), rel=0.05)
    assert spiral.difference == pytest.approx(-0.25)
    assert spiral.difference_error > 2 * smooth.difference_error
    assert np.isnan(edge_on.generated)
    assert edge_on.real == 1.0
    # A category counts the same whatever its galaxies; one without any not at all.
    assert found.generated == pytest.approx((0.9 + 0.5) / 2)
    assert found.real == pytest.approx((0.8 + 0.75) / 2)
    assert found.difference == pytest.approx(found.generated - found.real)
    wanted = np.hypot(smooth.difference_error, spiral.difference_error) / 2
    assert found.difference_error == pytest.approx(wanted)
    json.dumps(json_types(asdict(found)), allow_nan=False)


def test_error_is_never_zero_and_covers_the_truth():
    few = category_fidelity(np.zeros(10), np.zeros(10), np.zeros(10), np.zeros(10), ("a", "b"))
    assert few.difference == 0.0
    assert 0.05 < few.difference_error < 0.2
    rng, pulls = np.random.default_rng(0), []
    for _ in range(300):
        ours, theirs = (rng.random(n) < 0.3 for n in (80, 50))
        found = category_fidelity(np.zeros(80), ours, np.zeros(50), theirs, ("a", "b"))
        pulls.append(found.difference / found.difference_error)
    assert np.std(pulls) == pytest.approx(1, abs=0.12)


def test_galaxies_that_were_not_classified():
    codes = np.array([0, UNKNOWN, 1])
    found = category_fidelity(codes, codes, codes, codes, ("a", "b"))
    assert found.generated_table == ((1, 0), (0, 1))
    nothing = category_fidelity(np.array([], int), np.array([], int), codes, codes, ("a", "b"))
    assert np.isnan([nothing.generated, nothing.difference, nothing.difference_error]).all()
    with pytest.raises(InvalidValueError, match="category codes"):
        category_fidelity(codes, codes + 1, codes, codes, ("a", "b"))
    with pytest.raises(InvalidValueError, match="asked and classified"):
        category_fidelity(codes, codes[:2], codes, codes, ("a", "b"))
