from __future__ import annotations

import numpy as np
import pytest
import torch

from galgen.evaluation.neighbours import SIDE, compare_neighbours, nearest, thumbnails


def noise(n: int, seed: int, bands: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, bands, SIDE, SIDE, generator=generator)


def test_thumbnail_is_the_mean_of_blocks():
    display = torch.rand(2, 64, 32, 3)  # not square
    small = thumbnails(display)
    assert small.shape == (2, 3, SIDE, SIDE)
    torch.testing.assert_close(small[1, 2, 3, 5], display[1, 12:16, 10:12, 2].mean())


# More queries than go at once, and a single one.
@pytest.mark.parametrize("n", [1, 70])
def test_nearest_equals_brute_force(n):
    query, reference = noise(n, 0), noise(40, 1)
    found, rows = nearest(query, reference)
    for i in range(n):
        q = query[i].double().numpy()
        turned = [np.rot90(p, k, (1, 2)) for p in (q, q[..., ::-1]) for k in range(4)]
        rms = [
            min(np.sqrt(((t - r) ** 2).mean()) for t in turned) for r in reference.double().numpy()
        ]
        assert rows[i] == np.argmin(rms)
        assert found[i] == pytest.approx(min(rms), rel=1e-5)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_turned_and_flipped_copies_are_found(turns, flip):
    reference = noise(20, 2)
    copy = torch.rot90(reference[13:14], turns, (2, 3))
    found, rows = nearest(copy.flip(-2) if flip else copy, reference)
    assert (found[0], rows[0]) == (0.0, 13)


def test_excluded_pairs_do_not_count():
    reference = noise(6, 3)
    exclude = torch.eye(6, dtype=torch.bool)
    found, rows = nearest(reference, reference, exclude)
    assert (rows != np.arange(6)).all()
    assert (found > 0.1).all()
    assert np.isinf(nearest(reference, reference, torch.ones(6, 6, dtype=torch.bool))[0]).all()


def compared(generated: torch.Tensor, reference: torch.Tensor, group: np.ndarray | None = None):
    ids = np.array([f"r{i}" for i in range(len(reference))])
    group = ids if group is None else group
    every = np.arange(len(reference))
    numbers = np.arange(len(generated)) + 100
    return compare_neighbours(generated, numbers, reference, ids, group, every)


def test_copies_are_told_from_galaxies_of_the_same_kind():
    reference, own = noise(200, 4), noise(90, 5)
    copies = torch.rot90(reference[50:60], 1, (2, 3)) + 1e-3
    found = compared(torch.cat([own, copies]), reference)
    assert (found.generated, found.real) == (100, 200)
    assert 0.10 <= found.fraction_closer <= 0.14  # the copies, and about one in a hundred others
    assert found.median_ratio == pytest.approx(1.0, abs=0.02)
    number, name, distance = found.closest[0]
    assert 190 <= number < 200
    assert name == f"r{number - 140}"
    assert distance == pytest.approx(1e-3, rel=1e-3)


def test_a_group_is_not_its_own_neighbour():
    """Two images of one galaxy would make the real galaxies look like copies of each other."""
    once = noise(100, 6)
    reference = torch.cat([once, once + 1e-3])
    group = np.array([f"g{i % 100}" for i in range(200)])
    apart = compared(noise(50, 7), reference, group)
    assert apart.threshold > 0.3
    assert compared(noise(50, 7), reference).threshold < 2e-3
