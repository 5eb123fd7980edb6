"""Draws by rejection have the distribution of weighing every galaxy, which is the definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.bench_draw import weigh_all
from galgen.request.likeness import BLOCK, FEW, Likeness

N = 20 * FEW  # enough for draws to be tried, not weighed
DRAWS = 20_000


def cloud(n: int, axes: int) -> np.ndarray:
    """Correlated values in units of the Gaussian's width, the first axis with a tail."""
    rng = np.random.default_rng(axes)
    mixed_nd = rng.standard_normal((n, axes)) @ (np.eye(axes) + 0.4)
    mixed_nd[:, 0] = np.exp(0.6 * mixed_nd[:, 0])
    return np.clip(4 * mixed_nd, -16, 16).astype(np.float32)


def lumps() -> np.ndarray:
    """Many galaxies of a few values: blocks of no width, ties, and one galaxy far from all."""
    values_nd = np.repeat(cloud(12, 2), N // 12, axis=0)
    return np.concatenate([values_nd, [[31.0, 31.0]]]).astype(np.float32)


def unmeasured() -> np.ndarray:
    """A third without a value, which lie together far away (`Population` puts them there)."""
    known_nd = cloud(N, 2)
    known_nd[::3, 1] = 32
    return known_nd


def counts(expected_n: np.ndarray, seen_n: np.ndarray) -> float:
    """p-value of chi-square, galaxies that are drawn less than 10 times taken together."""
    order_n = np.argsort(expected_n)
    group_n = (np.cumsum(expected_n[order_n] * len(seen_n)) / 10).astype(int)
    expected = np.bincount(group_n, expected_n[order_n] * len(seen_n))
    seen = np.bincount(group_n, np.bincount(seen_n, minlength=len(order_n))[order_n])
    kept = expected > 1
    assert seen[~kept].sum() < 10
    if kept.sum() == 1:
        return 1.0 if (seen == len(seen_n)).any() else 0.0
    return stats.chi2.sf(((seen - expected)[kept] ** 2 / expected[kept]).sum(), kept.sum() - 1)


@pytest.mark.parametrize(
    ("known_nd", "wanted_d"),
    [
        pytest.param(cloud(N, 1), [4.0], id="one property, a third of all galaxies have it"),
        pytest.param(cloud(N, 1), [60.0], id="beyond all of them"),
        pytest.param(cloud(N, 2), [3.0, -2.0], id="two properties"),
        pytest.param(cloud(N, 3), [3.0, 1.0, -2.0], id="three"),
        pytest.param(cloud(N, 5), [4.0, 1.0, 0.0, 2.0, -1.0], id="five, amid them"),
        pytest.param(cloud(N, 5), [0.5, -9.0, 9.0, -9.0, 9.0], id="five that no galaxy has"),
        pytest.param(cloud(N, 5), [40.0, -40.0, 40.0, -40.0, 40.0], id="so far that none is tried"),
        pytest.param(lumps(), [2.0, 2.0], id="ties"),
        pytest.param(lumps(), [20.0, 20.0], id="one galaxy alone"),
        pytest.param(unmeasured(), [4.0, 0.0], id="unmeasured"),
        pytest.param(cloud(FEW, 2), [3.0, -2.0], id="few"),
        pytest.param(cloud(1, 2), [3.0, -2.0], id="a single one"),
        pytest.param(np.zeros((N, 1), np.float32), [0.0], id="all alike"),
    ],
)
def test_distribution(known_nd: np.ndarray, wanted_d: list[float]) -> None:
    wanted_md = np.tile(np.float32(wanted_d), (DRAWS, 1))
    seen_n = Likeness(known_nd).pick(wanted_md, np.random.default_rng(3).random(DRAWS))
    distance_n = ((known_nd.astype(float) - wanted_d) ** 2).sum(1)
    likely_n = np.exp(-0.5 * (distance_n - distance_n.min()))
    assert counts(likely_n / likely_n.sum(), seen_n) > 1e-3


@pytest.mark.parametrize("axes", [1, 2, 3, 4, 5])
def test_population_of_what_is_drawn(axes: int) -> None:
    """As weighing all: what is drawn for many different ones, and how far it is from each."""
    known_nd, rng = cloud(N, axes), np.random.default_rng(1)
    wanted_md = (known_nd[rng.integers(N, size=4000)] + rng.standard_normal((4000, axes))).astype(
        "f4"
    )
    drawn_md = known_nd[Likeness(known_nd).pick(wanted_md, rng.random(4000))]
    weighed_md = known_nd[weigh_all(known_nd, wanted_md, rng.random(4000))]
    for axis in range(axes):
        assert stats.ks_2samp(drawn_md[:, axis], weighed_md[:, axis]).pvalue > 1e-3
    far = [((values_md - wanted_md) ** 2).sum(1) for values_md in (drawn_md, weighed_md)]
    assert stats.ks_2samp(*far).pvalue > 1e-3


@pytest.mark.parametrize("n", [1, BLOCK, FEW, FEW + 1, N])
def test_a_draw_does_not_depend_on_its_batch(n: int) -> None:
    known_nd, rng = cloud(n, 3), np.random.default_rng(2)
    wanted_md, uniform_m = rng.normal(0, 9, (700, 3)).astype("f4"), rng.random(700)
    likeness = Likeness(known_nd)
    together_m = likeness.pick(wanted_md, uniform_m)
    for part in (slice(0, 1), slice(3, 8), slice(100, 699), slice(0, 0)):
        np.testing.assert_array_equal(
            likeness.pick(wanted_md[part], uniform_m[part]), together_m[part]
        )


@pytest.mark.parametrize("n", [3, N])
def test_ends_of_the_uniform_numbers(n: int) -> None:
    """The least and the greatest, 1 - 2^-53, pick a galaxy too."""
    ends = np.array([0.0, np.nextafter(1, 0)])
    picked_m = Likeness(cloud(n, 1)).pick(np.full((2, 1), 4, np.float32), ends)
    assert ((picked_m >= 0) & (picked_m < n)).all()
