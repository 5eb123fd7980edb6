"""What chance alone gives: distances between real galaxies, as many as are compared with others.

A distance between samples shrinks with their size even where nothing differs. So a distance of
generated from real galaxies stands beside that of two sets of real ones, all of one size: s
generated galaxies are compared with each of two halves of the real ones, and the halves with each
other, for many random halvings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from galgen.settings import require

# Distances (q,) of the galaxies of some rows from those of others. Rows 0 to n - 1 are generated
# galaxies, the m real ones follow; where both are real, the first stand in for generated ones.
Distances = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class DistanceRatio:
    """A distance of generated from real galaxies, and its ratio to what chance alone gives.

    Attributes
    ----------
    sample : int
        Galaxies on each side of every distance behind `ratio`.
    distance : float
        Of all generated from all real galaxies.
    floor : float
        Mean distance of two random halves of the real galaxies (`sample` of each).
    ratio : float
        Mean distance of `sample` generated from `sample` real galaxies, over `floor`.
    limit : float
        Ratio exceeded by one in twenty pairs of real halves: below it, nothing tells the two apart.
    ratio_error : float
        Standard error of the ratio due to the number of galaxies.
    """

    sample: int
    distance: float
    floor: float
    ratio: float
    limit: float
    ratio_error: float

    @property
    def differs(self) -> bool:
        """Whether the difference is more than chance."""
        return self.ratio > self.limit


@dataclass(frozen=True)
class Repeats:
    """Distances q, again and again.

    Attributes
    ----------
    sample : int
        Galaxies on each side.
    generated_kq, real_kq : ndarray (k, q)
        Of generated from real galaxies (mean over both halves) and of the halves, for k halvings.
    generated_rq, real_rq : ndarray (r, q)
        Means of the same over halvings of half of all galaxies, drawn r times.
    """

    sample: int
    generated_kq: np.ndarray
    real_kq: np.ndarray
    generated_rq: np.ndarray
    real_rq: np.ndarray

    @property
    def floor_q(self) -> np.ndarray:
        """Mean distance of two halves of the real galaxies."""
        floor_q: np.ndarray = self.real_kq.mean(0)
        return floor_q

    @property
    def ratio_q(self) -> np.ndarray:
        """Mean distance of generated galaxies over `floor_q`."""
        return _ratio(self.generated_kq.mean(0), self.floor_q)

    @property
    def limit_q(self) -> np.ndarray:
        """Ratio exceeded by one in twenty pairs of real halves."""
        return _ratio(np.quantile(self.real_kq, 0.95, axis=0), self.floor_q)

    @property
    def ratio_error_q(self) -> np.ndarray:
        """Standard error of the ratio due to the number of galaxies; NaN where it cannot be had.

        The relative one is taken from half of the galaxies: with all of them, the ratio of what
        does differ is larger.
        """
        halved_rq = _ratio(self.generated_rq, self.real_rq)
        mean_q = halved_rq.sum(0) / max(len(halved_rq), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            error_q: np.ndarray = self.ratio_q * _scatter(halved_rq) / mean_q
        return error_q

    @property
    def generated_error_q(self) -> np.ndarray:
        """Standard error of the distance of generated galaxies; too large where nothing differs."""
        return _scatter(self.generated_rq)


def _ratio(distance: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Divide by the floor; where the real galaxies are all alike, 1 if ours are like them too."""
    alike = floor <= 0
    if_alike = np.where(distance == 0, 1.0, np.inf)
    return np.where(alike, if_alike, distance / np.where(alike, 1.0, floor))


def _scatter(values_rq: np.ndarray) -> np.ndarray:
    """Return the standard deviation over halves of the galaxies.

    Of a statistic of half of the galaxies, drawn without replacement, that is the standard error
    for all of them: a bootstrap without the ties that would draw two samples together (Politis &
    Romano 1994).
    """
    if len(values_rq) < 2:
        return np.full(values_rq.shape[1], np.nan)
    with np.errstate(invalid="ignore"):  # of infinite ones, NaN
        scatter_q: np.ndarray = values_rq.std(0, ddof=1)
    return scatter_q


@dataclass(frozen=True)
class Pool:
    """Generated and real galaxies, to draw equally many of both from.

    Attributes
    ----------
    ours, real : ndarray of int
        Their rows, see `Distances`.
    group : ndarray of int
        Group of each row; only those of real galaxies count.
    largest : int
        Real galaxies of the largest group.
    """

    ours: np.ndarray
    real: np.ndarray
    group: np.ndarray
    largest: int

    @classmethod
    def of(cls, n: int, m: int, group_m: np.ndarray | None = None) -> Self:
        """Put n generated and m real galaxies together.

        Parameters
        ----------
        n, m : int
            How many.
        group_m : ndarray (m,), optional
            Groups that are not torn apart, such as images of one galaxy; by default each is its
            own.
        """
        group_m = np.arange(m) if group_m is None else group_m
        _, code_m, counts = np.unique(group_m, return_inverse=True, return_counts=True)
        group = np.concatenate([np.zeros(n, int), code_m])
        return cls(np.arange(n), np.arange(n, n + m), group, int(counts.max(initial=1)))

    @property
    def sample(self) -> int:
        """Galaxies s on each side of a comparison."""
        return min(len(self.ours), (len(self.real) - self.largest + 1) // 2)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw rows of s generated galaxies and of two sets of s real ones without common group."""
        order = self._shuffled(rng)
        first, rest = order[: self.sample], order[self.sample :]
        second = rest[self.group[rest] != self.group[first[-1]]][: self.sample]
        return rng.permutation(self.ours)[: self.sample], first, second

    def half(self, rng: np.random.Generator) -> Pool:
        """Draw half of the galaxies, rounded up."""
        ours = rng.permutation(self.ours)[: (len(self.ours) + 1) // 2]
        return replace(self, ours=ours, real=self._shuffled(rng)[: (len(self.real) + 1) // 2])

    def _shuffled(self, rng: np.random.Generator) -> np.ndarray:
        """Real galaxies in random order, those of a group together."""
        if self.largest == 1:
            return rng.permutation(self.real)
        key = rng.permutation(len(self.group))[self.group[self.real]]
        return self.real[np.lexsort((rng.permutation(len(key)), key))]


def sample_size(n: int, m: int, group_m: np.ndarray | None = None) -> int:
    """Galaxies on each side when n generated ones are compared with halves of m real ones.

    Parameters
    ----------
    n, m : int
        Generated and real galaxies.
    group_m : ndarray (m,), optional
        Groups that are not torn apart.
    """
    return Pool.of(n, m, group_m).sample


def repeat(
    distances: Distances,
    pool: Pool,
    splits: int,
    rng: np.random.Generator,
    resamples: int,
    resplits: int = 1,
) -> Repeats:
    """Compare generated with real galaxies, and these among themselves, again and again.

    Parameters
    ----------
    distances : callable
        Of rows from rows.
    pool : Pool
        The galaxies.
    splits : int
        Random halvings of the real galaxies.
    rng : np.random.Generator
        Source of the halvings.
    resamples, resplits : int
        How often half of all galaxies are drawn, for errors, and halvings of each draw.

    Raises
    ------
    InvalidValueError
        If there are too few galaxies for one on each side.
    """
    sizes = len(pool.ours), len(pool.real)
    require(pool.sample >= 1, "galaxies to compare", sizes, "1 generated, 2 real ones, or more")
    whole = _sides(distances, pool, splits, rng)
    parts = (pool.half(rng) for _ in range(resamples))
    halved = [_sides(distances, part, resplits, rng).mean(1) for part in parts if part.sample >= 1]
    halved_2rq = np.array(halved).reshape(-1, *whole.shape[::2]).swapaxes(0, 1)
    return Repeats(pool.sample, *whole, *halved_2rq)


def _sides(distances: Distances, pool: Pool, splits: int, rng: np.random.Generator) -> np.ndarray:
    """Distances (2, splits, q) of generated from real galaxies, and of these from each other."""
    found = []
    for _ in range(splits):
        ours, first, second = pool.draw(rng)
        generated = (distances(ours, first) + distances(ours, second)) / 2
        found.append((generated, distances(first, second)))
    return np.array(found).swapaxes(0, 1)
