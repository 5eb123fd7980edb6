"""Distance between two samples of one number, in units of what chance alone gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def wasserstein1(a_n: np.ndarray, b_m: np.ndarray) -> float:
    """Wasserstein-1 distance of samples (N,) and (M,), the area between their distributions.

    In the unit of the samples: the mean distance that one sample has to be moved to become the
    other.
    """
    a, b = np.sort(np.asarray(a_n, np.float64)), np.sort(np.asarray(b_m, np.float64))
    edges = np.sort(np.concatenate([a, b]))
    cdf_a = np.searchsorted(a, edges[:-1], side="right") / len(a)
    cdf_b = np.searchsorted(b, edges[:-1], side="right") / len(b)
    return float(np.abs(cdf_a - cdf_b) @ np.diff(edges))


@dataclass(frozen=True)
class Comparison:
    """Generated against real values of one column.

    Attributes
    ----------
    sample : int
        Values on each side of every distance behind `ratio`.
    distance : float
        Wasserstein-1 distance of all generated from all real values, in the column's unit.
    floor : float
        Mean distance of two random halves of the real values (`sample` of each).
    ratio : float
        Mean distance of `sample` generated from `sample` real values, over `floor`.
    limit : float
        Ratio exceeded by one in twenty pairs of real halves: below it, nothing tells the two apart.
    generated_median, real_median : float
        In the column's unit; their difference is the direction to go.
    """

    sample: int
    distance: float
    floor: float
    ratio: float
    limit: float
    generated_median: float
    real_median: float

    @property
    def differs(self) -> bool:
        """Whether the difference is more than chance."""
        return self.ratio > self.limit


def compare(
    generated_n: np.ndarray, real_m: np.ndarray, splits: int, rng: np.random.Generator
) -> Comparison:
    """Compare two samples of finite values.

    A distance between samples shrinks with their size even where nothing differs, so numerator and
    denominator of the ratio have the same: s = min(N, M // 2) values on both sides, drawn anew,
    without replacement, for each of `splits` random halvings of the real values. The numerator is
    the mean over both halves.

    Parameters
    ----------
    generated_n, real_m : ndarray (N,), (M,)
        Finite values, N at least 1 and M at least 2.
    splits : int
        Random halvings to average over.
    rng : np.random.Generator
        Source of the halvings.

    Returns
    -------
    Comparison
        In the unit of the samples.
    """
    generated = np.sort(np.asarray(generated_n, np.float64))
    real = np.sort(np.asarray(real_m, np.float64))
    sample = min(len(generated), len(real) // 2)
    floors, distances = np.empty(splits), np.empty(splits)
    for k in range(splits):
        order = rng.permutation(len(real))
        first = _pick(real, order[:sample])
        second = _pick(real, order[sample : 2 * sample])
        ours = _pick(generated, rng.permutation(len(generated))[:sample])
        # For equally many values, sorted, the distance is the mean difference of like ranks.
        floors[k] = np.abs(first - second).mean()
        distances[k] = (np.abs(ours - first).mean() + np.abs(ours - second).mean()) / 2
    floor, distance = floors.mean(), distances.mean()
    return Comparison(
        sample=sample,
        distance=wasserstein1(generated, real),
        floor=float(floor),
        ratio=_ratio(distance, floor),
        limit=_ratio(np.quantile(floors, 0.95), floor),
        generated_median=float(np.median(generated)),
        real_median=float(np.median(real)),
    )


def _pick(sorted_n: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Chosen values of a sorted array, still sorted."""
    chosen = np.zeros(len(sorted_n), bool)
    chosen[rows] = True
    return sorted_n[chosen]


def _ratio(distance: float, floor: float) -> float:
    """Divide by the floor; where the real values are all one number, 1 if ours are it too."""
    if floor > 0:
        return float(distance / floor)
    return 1.0 if distance == 0 else float("inf")
