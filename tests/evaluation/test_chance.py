from __future__ import annotations

import numpy as np
import pytest

from galgen.errors import InvalidValueError
from galgen.evaluation.chance import Pool, repeat, sample_size

# Each its own, pairs, one large group beside small ones, all of one group.
GROUPS = {
    "none": None,
    "pairs": np.arange(20) // 2,
    "unequal": np.array([0] * 7 + [*range(1, 14)]),
    "texts": np.array([f"galaxy {i // 3}" for i in range(20)]),
}


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
@pytest.mark.parametrize("n", [3, 50])
def test_halves_share_no_galaxy_and_no_group(group, n):
    pool = Pool.of(n, 20, group)
    rng = np.random.default_rng(0)
    for _ in range(200):
        ours, first, second = pool.draw(rng)
        assert len(ours) == len(first) == len(second) == pool.sample == sample_size(n, 20, group)
        assert set(ours) <= set(range(n))
        assert set(first) | set(second) <= set(range(n, n + 20))
        assert len(set(ours)) == pool.sample
        assert len({*first, *second}) == 2 * pool.sample
        if group is not None:
            assert not set(group[first - n]) & set(group[second - n])


@pytest.mark.parametrize(
    ("n", "m", "group", "size"),
    [
        (9, 20, None, 9),
        (99, 20, None, 10),
        (99, 21, None, 10),
        (99, 20, np.zeros(20), 0),
        (99, 20, np.arange(20) // 2, 9),
        (99, 0, None, 0),
    ],
)
def test_sample_size(n, m, group, size):
    assert sample_size(n, m, group) == size


def test_every_galaxy_is_drawn_as_often():
    pool = Pool.of(10, 30, np.arange(30) // 3)
    rng = np.random.default_rng(0)
    drawn = np.bincount(np.concatenate([np.concatenate(pool.draw(rng)) for _ in range(2000)]))
    assert drawn[:10].std() == 0
    assert drawn[10:].std() / drawn[10:].mean() < 0.03


def means(values: np.ndarray):
    return lambda a, b: np.array([abs(values[a].mean() - values[b].mean())])


def test_error_is_that_of_new_samples():
    """Of the difference of two means, which is known: sqrt(1/n + 1/m)."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=100) + 9, rng.normal(size=400)])
    found = repeat(means(values), Pool.of(100, 400), 20, rng, 400, 4)
    assert found.generated_error_q[0] == pytest.approx(np.sqrt(1 / 100 + 1 / 400), rel=0.15)


def test_errors_of_very_few_are_unknown():
    found = repeat(means(np.arange(4.0)), Pool.of(2, 2), 5, np.random.default_rng(0), 10)
    assert np.isnan(found.ratio_error_q).all()
    assert np.isnan(found.generated_error_q).all()


@pytest.mark.parametrize(("n", "m"), [(0, 9), (9, 1), (9, 0)])
def test_too_few_to_compare(n, m):
    with pytest.raises(InvalidValueError, match="galaxies to compare"):
        repeat(means(np.arange(18.0)), Pool.of(n, m), 5, np.random.default_rng(0), 10)
