"""Scaling of properties and the smoothed bootstrap that draws them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from galgen import categories
from galgen.errors import InvalidValueError
from galgen.request.population import JITTER, MAX_Z, TEACH, Population

SPIRAL, BARRED, TIGHT, ROUND, MERGING = (
    categories.get(name).code for name in ("spiral", "barred", "tight", "round", "merging")
)
NAMES = ("half_light_radius", "axis_ratio")


def population(n: int = 400, missing: float = 0.0) -> Population:
    """Barred galaxies of sizes 2 to 6, tight ones to 10, round ones to 14; flat if large."""
    rng = np.random.default_rng(0)
    size_n = rng.uniform(2, 14, n)
    code_n = np.select([size_n < 6, size_n < 10], [BARRED, TIGHT], ROUND)
    ratio_n = 1 - size_n / 20 + 0.01 * rng.standard_normal(n)
    values_np = np.stack([size_n, ratio_n], axis=1)
    values_np[rng.random(values_np.shape) < missing] = np.nan
    return Population.fit(NAMES, values_np, code_n)


def numbers(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random(n), rng.standard_normal((n, len(NAMES)))


def test_scaling_is_robust() -> None:
    """A tenth of nonsense moves median and scatter little; NaN not at all."""
    rng = np.random.default_rng(2)
    values_np = rng.normal([5.0, 100.0], [2.0, 0.3], (5000, 2))
    values_np[::10] = [1e6, -1e6]
    values_np[1::10] = np.nan
    fitted = Population.fit(NAMES, values_np, np.zeros(5000, np.int64))
    np.testing.assert_allclose(fitted.centre, [5, 100], atol=0.5)
    np.testing.assert_allclose(fitted.scale, [2.0, 0.3], rtol=0.25)
    assert np.isnan(fitted.z_np[1::10]).all()
    assert np.nanmax(np.abs(fitted.z_np)) == MAX_Z
    assert fitted.z_np.dtype == np.float32


def test_standardised_table() -> None:
    fitted = population()
    values_np = np.array([[4.0, 0.8], [np.nan, 0.5]])
    z_np = fitted.standardised(values_np)
    np.testing.assert_allclose(
        z_np[0], (values_np[0] - fitted.centre) / fitted.scale, rtol=1e-6, atol=1e-6
    )
    assert np.isnan(z_np[1, 0])
    assert z_np[1, 1] == pytest.approx(fitted.standardise("axis_ratio", 0.5))


def test_a_property_that_never_varies_has_a_scale() -> None:
    fitted = Population.fit(NAMES[:1], np.full((9, 1), 3.0), np.zeros(9, np.int64))
    assert fitted.standardise(NAMES[0], 3.0) == 0.0


def test_what_may_be_asked_for() -> None:
    fitted = population()
    for p, name in enumerate(NAMES):
        low, high = fitted.lower[p], fitted.upper[p]
        assert fitted.standardise(name, low) < fitted.standardise(name, high)
        for outside in (low - 1e-6, high + 1e-6, math.inf, math.nan):
            with pytest.raises(InvalidValueError, match=f"property {name} is .*allowed: {low:.4g}"):
                fitted.standardise(name, outside)
    with pytest.raises(InvalidValueError, match="'colour'; allowed: half_light_radius, axis_ratio"):
        fitted.standardise("colour", 1.0)
    none = Population.fit((), np.empty((4, 0)), np.zeros(4, np.int64))
    with pytest.raises(InvalidValueError, match="none, this model has no properties"):
        none.standardise("axis_ratio", 0.5)


@pytest.mark.parametrize(
    ("code", "low", "high"),
    [
        (BARRED, 2, 6),
        (SPIRAL, 2, 10),  # barred and tight, below it in the tree
        (0, 2, 14),  # everything
    ],
)
def test_draw_from_a_category_and_all_below_it(code: int, low: float, high: float) -> None:
    fitted = population()
    z_np = fitted.draw(code, {}, numbers(500)[0], np.zeros((500, 2)))
    assert z_np.shape == (500, 2)
    assert z_np.dtype == np.float32
    size_n = z_np[:, 0] * fitted.scale[0] + fitted.centre[0]
    assert size_n.min() > low
    assert size_n.max() < high
    assert np.ptp(size_n) > 0.9 * (high - low)


def test_draw_without_jitter_resamples_the_table() -> None:
    """Uniform numbers pick rows evenly and in order, 0 the first and almost 1 the last."""
    fitted = population()
    rows = np.flatnonzero(fitted.code_n == TIGHT)
    pick_n = (np.arange(len(rows)) + 0.5) / len(rows)
    none = np.zeros((len(rows), 2))
    np.testing.assert_array_equal(fitted.draw(TIGHT, {}, pick_n, none), fitted.z_np[rows])
    ends = fitted.draw(TIGHT, {}, np.array([0.0, np.nextafter(1, 0)]), none[:2])
    np.testing.assert_array_equal(ends, fitted.z_np[rows[[0, -1]]])


def test_jitter_smooths_by_a_tenth() -> None:
    fitted = population()
    pick_n, jitter_np = numbers(300)
    moved = fitted.draw(0, {}, pick_n, jitter_np) - fitted.draw(0, {}, pick_n, 0 * jitter_np)
    np.testing.assert_allclose(moved, JITTER * jitter_np, atol=1e-6)


def test_given_properties_stay_and_draw_the_others_along() -> None:
    """Size fixed at 6: axis ratios follow the relation of the training galaxies, 1 - 6 / 20."""
    fitted = population(4000)
    n = 300
    size = fitted.standardise("half_light_radius", 6.0)
    given = {"half_light_radius": np.full(n, size, np.float32)}
    z_np = fitted.draw(0, given, *numbers(n))
    assert (z_np[:, 0] == np.float32(size)).all()
    ratio_n = z_np[:, 1] * fitted.scale[1] + fitted.centre[1]
    assert ratio_n.mean() == pytest.approx(0.7, abs=0.02)
    free = fitted.draw(0, {}, *numbers(n))[:, 1]
    assert z_np[:, 1].std() < 0.5 * free.std()


def test_the_nearest_serve_a_value_that_no_galaxy_has() -> None:
    """Barred galaxies reach 6; asked for 12 the largest of them are drawn from."""
    fitted = population()
    size = fitted.standardise("half_light_radius", 12.0)
    z_np = fitted.draw(BARRED, {"half_light_radius": np.full(50, size, np.float32)}, *numbers(50))
    assert (z_np[:, 0] == np.float32(size)).all()
    ratio_n = z_np[:, 1] * fitted.scale[1] + fitted.centre[1]
    assert ratio_n.mean() == pytest.approx(1 - 6 / 20, abs=0.03)


def test_a_galaxy_does_not_depend_on_its_batch() -> None:
    fitted = population(missing=0.1)
    pick_n, jitter_np = numbers(20)
    given = np.linspace(-1, 1, 20, dtype=np.float32)
    together = fitted.draw(SPIRAL, {"axis_ratio": given}, pick_n, jitter_np)
    for i in range(20):
        one = slice(i, i + 1)
        alone = fitted.draw(SPIRAL, {"axis_ratio": given[one]}, pick_n[one], jitter_np[one])
        np.testing.assert_array_equal(together[one], alone)


def test_unmeasured_stays_unmeasured() -> None:
    fitted = population(missing=0.3)
    z_np = fitted.draw(0, {}, *numbers(500))
    assert np.isnan(z_np).mean() == pytest.approx(0.3, abs=0.06)


def test_unmeasured_galaxies_resemble_nobody() -> None:
    """Asked for a size, galaxies whose size is not known are not drawn from."""
    values_np = np.array([[4.0, 0.5], [5.0, 0.5], [6.0, 0.5], [np.nan, 0.9], [np.nan, 0.9]])
    fitted = Population.fit(NAMES, values_np, np.full(5, ROUND))
    none = np.zeros((100, 2))
    size = {"half_light_radius": np.full(100, fitted.standardise(NAMES[0], 5.0), np.float32)}
    assert len(np.unique(fitted.draw(ROUND, {}, numbers(100)[0], none)[:, 1])) == 2
    drawn = fitted.draw(ROUND, size, numbers(100)[0], none)
    assert (drawn[:, 1] == np.float32(fitted.standardise(NAMES[1], 0.5))).all()


def test_a_category_without_galaxies_is_left_to_the_network() -> None:
    fitted = population()
    assert np.isnan(fitted.draw(MERGING, {}, *numbers(3))).all()
    z_np = fitted.draw(MERGING, {"axis_ratio": np.ones(3, np.float32)}, *numbers(3))
    np.testing.assert_array_equal(z_np, [[np.nan, 1]] * 3)


def test_range_of_the_network_is_kept() -> None:
    fitted = population()
    extreme = fitted.draw(0, {}, *numbers(50)[:1], np.full((50, 2), 1e3))
    assert extreme.max() == MAX_Z


def test_arrays_round_trip() -> None:
    """Ranges exactly, z within half precision."""
    fitted = population(missing=0.1)
    arrays = fitted.arrays()
    back = Population.from_arrays(NAMES, arrays)
    for name in ("centre", "scale", "lower", "upper", "code_n"):
        np.testing.assert_array_equal(getattr(back, name), getattr(fitted, name))
    np.testing.assert_allclose(back.z_np, fitted.z_np, atol=0.002)
    assert back.z_np.dtype == np.float32
    with pytest.raises(InvalidValueError, match="population"):
        Population.from_arrays(NAMES[:1], arrays)
    with pytest.raises(InvalidValueError, match="population"):
        Population.from_arrays(NAMES, {**arrays, "code": arrays["code"][1:]})


def test_a_property_of_one_value_has_it_always() -> None:
    """The mark of galaxies that only teach: never jittered, nor left to the network, nor 1."""
    fitted = population()
    values_np = np.column_stack([fitted.z_np, np.zeros(len(fitted.z_np))])
    fitted = Population.fit((*NAMES, TEACH), values_np, fitted.code_n)
    rng = np.random.default_rng(0)
    pick_n, jitter_np = rng.random(50), rng.standard_normal((50, 3))
    plain = population().draw(0, {}, pick_n, jitter_np[:, :2])
    z_np = fitted.draw(0, {}, pick_n, jitter_np)
    assert (z_np[:, 2] == 0).all()
    assert np.ptp(z_np[:, 0]) > 1
    assert z_np.shape == (*plain.shape[:1], 3)
    nobody = fitted.draw(MERGING, {}, pick_n, jitter_np)  # no galaxy of it in the population
    assert np.isnan(nobody[:, :2]).all()
    assert (nobody[:, 2] == 0).all()
    back = Population.from_arrays(fitted.names, fitted.arrays())
    assert back.constant_p.tolist() == [False, False, True]
    with pytest.raises(InvalidValueError, match=r"property teach is 1; allowed: 0 to 0"):
        fitted.standardise(TEACH, 1)
    assert fitted.standardised(np.array([[0, 0, 1.0]]))[0, 2] == 1
