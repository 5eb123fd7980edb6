from __future__ import annotations

import numpy as np
import pytest
import torch

from galgen.errors import DataError
from galgen.evaluation.neighbours import (
    CANDIDATES,
    SIDE,
    compare_neighbours,
    nearest,
    thumbnails,
)


def noise(n: int, seed: int, bands: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, bands, SIDE, SIDE, generator=generator)


def test_thumbnail_is_the_mean_of_blocks():
    display = torch.rand(2, 64, 32, 3)  # not square
    small = thumbnails(display)
    assert small.shape == (2, 3, SIDE, SIDE)
    torch.testing.assert_close(small[1, 2, 3, 5], display[1, 6:8, 5, 2].mean())


def halved(image: np.ndarray) -> np.ndarray:
    b, h, w = image.shape
    return image.reshape(b, h // 2, 2, w // 2, 2).mean((2, 4))


def orientations(image: np.ndarray) -> list[np.ndarray]:
    return [np.rot90(p, k, (1, 2)) for p in (image, image[..., ::-1]) for k in range(4)]


# More queries than go at once, and a single one; fewer known ones than are looked at shifted.
@pytest.mark.parametrize(("n", "m"), [(1, 40), (70, 40), (3, 2)])
def test_nearest_equals_brute_force(n, m):
    query, known = noise(n, 0).double().numpy(), noise(m, 1).double().numpy()
    found, rows = nearest(noise(n, 0), noise(m, 1))
    for i in range(n):
        turned = orientations(query[i])
        apart = [min(np.sqrt(((halved(t) - halved(k)) ** 2).mean()) for t in turned) for k in known]
        shifted = {}
        for row in np.argsort(apart)[:CANDIDATES]:
            inner = halved(known[row][:, 1:-1, 1:-1])
            shifted[row] = min(
                np.sqrt(((halved(t[:, y : SIDE - 2 + y, x : SIDE - 2 + x]) - inner) ** 2).mean())
                for t in turned
                for y in range(3)
                for x in range(3)
            )
        assert rows[i] == min(shifted, key=shifted.get)
        assert found[i] == pytest.approx(min(shifted.values()), rel=1e-5)


def blobs(n: int, seed: int) -> torch.Tensor:
    """Smooth images of 64 pixels, as galaxies are."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 12, 12, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (80, 80), mode="bicubic")
    return smooth.movedim(1, -1)


@pytest.mark.parametrize("shift", [(2, 0), (-2, 2), (1, -1)])
def test_copies_shifted_by_a_few_pixels_are_found(shift):
    images = blobs(60, 8)
    y, x = shift
    known = thumbnails(images[:, 8:72, 8:72])
    moved = thumbnails(images[20:40, 8 + y : 72 + y, 8 + x : 72 + x]).flip(-1)
    found, rows = nearest(moved, known)
    others, _ = nearest(known, known, torch.eye(60, dtype=torch.bool))
    assert (rows == np.arange(20, 40)).all()
    whole = y % 2 == x % 2 == 0  # of a thumbnail's pixels
    assert found.max() < (1e-6 if whole else 0.5 * others.min())


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
    """The known galaxies set the scale themselves."""
    ids = np.array([f"r{i}" for i in range(len(reference))])
    group = ids if group is None else group
    numbers = np.arange(len(generated)) + 100
    return compare_neighbours(generated, numbers, reference, ids, group, reference, group)


def test_copies_are_told_from_galaxies_of_the_same_kind():
    reference, own = noise(200, 4), noise(90, 5)
    copies = torch.rot90(reference[50:60], 1, (2, 3)) + 1e-3
    found = compared(torch.cat([own, copies]), reference)
    assert (found.generated, found.real) == (100, 200)
    assert found.fraction_error == pytest.approx(0.03, abs=0.01)
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
    assert apart.threshold > 0.1
    assert compared(noise(50, 7), reference).threshold < 2e-3


def test_held_out_galaxies_set_the_scale():
    """Galaxies that were not in training: copies are nearer to it than these, own ones are not."""
    known, held_out, own = noise(120, 8), noise(150, 9), noise(80, 10)
    ids, others = np.arange(120).astype(str), np.array([f"held out {i}" for i in range(150)])
    arguments = known, ids, ids, held_out, others
    learned = compare_neighbours(own, np.arange(80), *arguments)
    assert (learned.generated, learned.real) == (80, 150)
    assert learned.fraction_closer < 0.01 + 3 * learned.fraction_error
    assert learned.median_ratio == pytest.approx(1.0, abs=0.02)
    copied = compare_neighbours(torch.rot90(known[:80], 3, (2, 3)), np.arange(80), *arguments)
    assert (copied.fraction_closer, copied.median_ratio) == (1.0, 0.0)
    assert [(str(number), 0.0) for number, _, _ in copied.closest] == [
        (name, distance) for _, name, distance in copied.closest
    ]


def test_nothing_to_be_judged_by():
    known, ids = noise(5, 1), np.zeros(5, str)
    with pytest.raises(DataError, match="outside its own group"):
        compare_neighbours(noise(3, 2), np.arange(3), known, ids, ids, known, ids)
