"""Distance between two samples of one number, in units of what chance alone gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galgen.evaluation.chance import DistanceRatio, Pool, repeat

RESAMPLES, RESPLITS = 40, 10  # halves of the galaxies drawn for errors, and halvings of each


class Lines:
    """Distances between samples of numbers, along several lines at once.

    Parameters
    ----------
    values_lp : ndarray (l, p)
        Places of p galaxies on each line.
    """

    def __init__(self, values_lp: np.ndarray) -> None:
        self._order_lp = np.argsort(values_lp, axis=1, kind="stable")
        self._gap_lp = np.diff(np.take_along_axis(values_lp, self._order_lp, 1), axis=1)

    def differences(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Differences of two distribution functions between neighbouring places.

        Parameters
        ----------
        a, b : ndarray of int
            Rows of the galaxies, none twice in either.

        Returns
        -------
        ndarray (l, p - 1)
            In order of place; what two galaxies at the same place have between them counts, too.
        """
        step_p = np.zeros(self._order_lp.shape[1])
        step_p[a] += len(b)  # whole numbers, so that equal samples differ by 0 exactly
        step_p[b] -= len(a)
        sums_lp = np.abs(np.cumsum(step_p[self._order_lp], axis=1))[:, :-1]
        differences_lp: np.ndarray = sums_lp / (len(a) * len(b))
        return differences_lp

    def wasserstein1(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Wasserstein-1 distance (l,), the area between two distribution functions."""
        area_l: np.ndarray = (self.differences(a, b) * self._gap_lp).sum(1)
        return area_l

    def both(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Wasserstein-1 and Kolmogorov-Smirnov distance on the first line, (2,)."""
        difference_p, gap_p = self.differences(a, b)[0], self._gap_lp[0]
        return np.array([difference_p @ gap_p, difference_p[gap_p > 0].max(initial=0.0)])


def wasserstein1(a_n: np.ndarray, b_m: np.ndarray) -> float:
    """Wasserstein-1 distance of samples (N,) and (M,), the area between their distributions.

    In the unit of the samples: the mean distance that one sample has to be moved to become the
    other.
    """
    return float(_whole(a_n, b_m)[0])


def kolmogorov_smirnov(a_n: np.ndarray, b_m: np.ndarray) -> float:
    """Largest difference of the distribution functions of samples (N,) and (M,), 0 to 1."""
    return float(_whole(a_n, b_m)[1])


def _whole(a_n: np.ndarray, b_m: np.ndarray) -> np.ndarray:
    """Both distances of two samples."""
    rows = np.arange(len(a_n) + len(b_m))
    pooled = np.concatenate([a_n, b_m]).astype(np.float64)
    return Lines(pooled[None]).both(rows[: len(a_n)], rows[len(a_n) :])


@dataclass(frozen=True)
class Comparison(DistanceRatio):
    """Generated against real values of one column, by their Wasserstein-1 distance in its unit.

    Attributes
    ----------
    ks, ks_floor, ks_ratio, ks_limit, ks_ratio_error : float
        The same of the Kolmogorov-Smirnov distance, the largest difference of the distribution
        functions: it has no unit, and far outliers count no more than others.
    generated_median, real_median : float
        In the column's unit; their difference is the direction to go.
    """

    ks: float
    ks_floor: float
    ks_ratio: float
    ks_limit: float
    ks_ratio_error: float
    generated_median: float
    real_median: float


def compare(
    generated_n: np.ndarray,
    real_m: np.ndarray,
    splits: int,
    rng: np.random.Generator,
    group_m: np.ndarray | None = None,
) -> Comparison:
    """Compare two samples; see `galgen.evaluation.chance`.

    Parameters
    ----------
    generated_n, real_m : ndarray (N,), (M,)
        Values; those that are not finite are left out.
    splits : int
        Random halvings of the real values to average over.
    rng : np.random.Generator
        Source of the halvings.
    group_m : ndarray (M,), optional
        Groups of the real values of which all are in one half; by default each is its own.

    Returns
    -------
    Comparison
        In the unit of the samples.

    Raises
    ------
    InvalidValueError
        If there are fewer than one finite generated and two real values.
    """
    keep_m = np.isfinite(real_m)
    generated = np.asarray(generated_n, np.float64)[np.isfinite(generated_n)]
    real = np.asarray(real_m, np.float64)[keep_m]
    pool = Pool.of(len(generated), len(real), None if group_m is None else group_m[keep_m])
    lines = Lines(np.concatenate([generated, real])[None])
    found = repeat(lines.both, pool, splits, rng, RESAMPLES, RESPLITS)
    distance, ks = lines.both(pool.ours, pool.real).tolist()
    floor, ks_floor = found.floor_q.tolist()
    ratio, ks_ratio = found.ratio_q.tolist()
    limit, ks_limit = found.limit_q.tolist()
    error, ks_error = found.ratio_error_q.tolist()
    return Comparison(
        sample=found.sample,
        distance=distance,
        floor=floor,
        ratio=ratio,
        limit=limit,
        ratio_error=error,
        ks=ks,
        ks_floor=ks_floor,
        ks_ratio=ks_ratio,
        ks_limit=ks_limit,
        ks_ratio_error=ks_error,
        generated_median=float(np.median(generated)),
        real_median=float(np.median(real)),
    )
