from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from galgen.errors import InvalidValueError
from galgen.evaluation.distance import compare
from galgen.evaluation.joint import compare_plane, compared_planes
from galgen.settings import json_types


def pairs(n: int, correlation: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng((n, seed))
    covariance = [[1, correlation], [correlation, 1]]
    return rng.multivariate_normal([0, 0], covariance, size=n)


def test_planes_of_the_columns_that_there_are():
    names = ["COLOR_G_R", "COLOR_R_I", "HALF_LIGHT_RADIUS", "AXIS_RATIO", "LOG_FLUX"]
    assert compared_planes(names) == (
        ("COLOR_G_R", "HALF_LIGHT_RADIUS"),
        ("COLOR_G_R", "LOG_FLUX"),
        ("LOG_FLUX", "HALF_LIGHT_RADIUS"),
        ("HALF_LIGHT_RADIUS", "AXIS_RATIO"),
    )
    assert compared_planes(["AXIS_RATIO"]) == ()


@pytest.mark.parametrize(("n", "m"), [(100, 200), (20, 500)])
def test_samples_of_one_distribution_have_ratio_one(n, m):
    rng = np.random.default_rng(0)
    found = [compare_plane(pairs(n, 0.6, s), pairs(m, 0.6, s), 20, rng) for s in range(25)]
    assert {c.sample for c in found} == {n}
    assert np.mean([c.ratio for c in found]) == pytest.approx(1.0, abs=0.15)
    pulls = [(c.ratio - 1) / c.ratio_error for c in found]
    assert np.sqrt(np.mean(np.square(pulls))) < 1.8
    assert sum(c.differs for c in found) <= 5


def test_lost_relation_is_found_though_both_columns_are_right():
    made, real = pairs(400, 0.0, 1), pairs(800, 0.9, 2) * [10.0, 0.1]
    made = made * [10.0, 0.1]
    rng = np.random.default_rng(0)
    found = compare_plane(made, real, 30, rng)
    assert found.differs
    assert found.ratio - 1 > 4 * found.ratio_error
    assert found.generated_correlation == pytest.approx(
        0, abs=4 * found.generated_correlation_error
    )
    wanted = 6 / np.pi * np.arcsin(0.9 / 2)  # Spearman's of two normal numbers
    assert found.real_correlation == pytest.approx(wanted, abs=4 * found.real_correlation_error)
    assert found.generated_correlation_error == pytest.approx(1 / np.sqrt(400), rel=0.3)
    for column in (0, 1):
        assert compare(made[:, column], real[:, column], 30, rng).ratio < 2
    assert found == compare_plane(made, real, 30, np.random.default_rng(0))


def test_shift_is_in_units_of_the_scatter():
    made, real = pairs(3000, 0, 1) * 5 + [15.0, 0.0], pairs(3000, 0, 2) * 5
    found = compare_plane(made, real, 5, np.random.default_rng(0))
    assert found.distance == pytest.approx(3 * 2 / np.pi, rel=0.05)  # mean of |cos| over directions


@pytest.mark.parametrize("case", ["few", "holes", "one constant", "all constant"])
def test_awkward_samples(case):
    made, real = pairs(10, 0.3, 1), pairs(20, 0.3, 2)
    if case == "holes":
        made[2, 0] = real[3, 1] = np.nan
    if case == "one constant":
        made[:, 1] = real[:, 1] = 4.0
    if case == "all constant":
        made[:] = real[:] = 4.0
    found = compare_plane(made, real, 10, np.random.default_rng(0), np.arange(20) // 2)
    assert found.sample == 9
    assert np.isfinite(found.ratio)
    assert np.isnan(found.real_correlation) == ("constant" in case)
    json.dumps(json_types(asdict(found)), allow_nan=False)
    if case == "all constant":
        assert (found.distance, found.ratio) == (0.0, 1.0)


def test_what_is_no_plane():
    rng = np.random.default_rng(0)
    with pytest.raises(InvalidValueError, match="columns of a plane"):
        compare_plane(np.zeros((9, 3)), np.zeros((9, 3)), 5, rng)
    with pytest.raises(InvalidValueError, match="galaxies to compare"):
        compare_plane(np.full((9, 2), np.nan), pairs(9, 0, 0), 5, rng)
