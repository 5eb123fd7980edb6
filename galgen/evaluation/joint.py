"""Distance between two samples of pairs of numbers, such as colours and sizes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from galgen.evaluation.basics import correlations, deviation, ranks, resampled_rows
from galgen.evaluation.chance import DistanceRatio, Pool, repeat
from galgen.evaluation.distance import RESAMPLES, RESPLITS, Lines
from galgen.settings import require

ANGLES = 16  # directions in half a turn; of more, the mean is the same to about a percent
_COLOUR = "COLOR_"  # stands for the first colour
_PLANES = (
    (_COLOUR, "HALF_LIGHT_RADIUS"),
    (_COLOUR, "LOG_FLUX"),
    (_COLOUR, "CONCENTRATION"),
    ("LOG_FLUX", "HALF_LIGHT_RADIUS"),
    ("HALF_LIGHT_RADIUS", "AXIS_RATIO"),
    ("HALF_LIGHT_RADIUS", "CONCENTRATION"),
    ("HALF_LIGHT_RADIUS", "ASYMMETRY"),
    ("CONCENTRATION", "ASYMMETRY"),
    ("GINI", "M20"),
)


def compared_planes(names: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of columns that are looked at together, of those that there are.

    Of several colours the first counts, of the bluest bands.

    Parameters
    ----------
    names : collection of str
        Columns, bluer colours before redder ones.
    """
    colour = next((name for name in names if name.startswith(_COLOUR)), _COLOUR)
    planes = ((colour if x == _COLOUR else x, y) for x, y in _PLANES)
    return tuple(plane for plane in planes if set(plane) <= set(names))


@dataclass(frozen=True)
class PlaneComparison(DistanceRatio):
    """Generated against real galaxies in the plane of two columns.

    Their distance is the sliced Wasserstein-1 distance, each column in units of the scatter of the
    real galaxies.

    Attributes
    ----------
    generated_correlation, real_correlation : float
        Spearman's rank correlation of the two columns; NaN where one is constant.
    generated_correlation_error, real_correlation_error : float
        Their bootstrap standard errors.
    """

    generated_correlation: float
    generated_correlation_error: float
    real_correlation: float
    real_correlation_error: float


def compare_plane(
    generated_n2: np.ndarray,
    real_m2: np.ndarray,
    splits: int,
    rng: np.random.Generator,
    group_m: np.ndarray | None = None,
) -> PlaneComparison:
    """Compare two samples of pairs of numbers; see `galgen.evaluation.chance`.

    The distance is the sliced Wasserstein-1 distance: the mean over directions in the plane of the
    Wasserstein-1 distance along each (Rabin et al. 2012; Bonneel et al. 2015). It is zero for equal
    distributions only, whatever their shape, and in the same units as those of single columns.

    Parameters
    ----------
    generated_n2, real_m2 : ndarray (N, 2), (M, 2)
        Values; galaxies of which one is not finite are left out.
    splits : int
        Random halvings of the real galaxies to average over.
    rng : np.random.Generator
        Source of the halvings.
    group_m : ndarray (M,), optional
        Groups of the real galaxies of which all are in one half; by default each is its own.

    Returns
    -------
    PlaneComparison
        In units of the scatter of the real galaxies.

    Raises
    ------
    InvalidValueError
        If there are not two columns, or fewer than one generated and two real galaxies.
    """
    shapes = np.shape(generated_n2), np.shape(real_m2)
    require(all(s[1:] == (2,) for s in shapes), "columns of a plane", shapes, "(n, 2) and (m, 2)")
    keep_m = np.isfinite(real_m2).all(1)
    real = np.asarray(real_m2, np.float64)[keep_m]
    generated = np.asarray(generated_n2, np.float64)[np.isfinite(generated_n2).all(1)]
    pool = Pool.of(len(generated), len(real), None if group_m is None else group_m[keep_m])
    require(pool.sample >= 1, "galaxies to compare", len(real), "1 generated, 2 real ones, or more")
    lines = Lines(_directions() @ _standardised(np.concatenate([generated, real]), real).T)

    def mean_over_lines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.atleast_1d(lines.wasserstein1(a, b).mean())

    found = repeat(mean_over_lines, pool, splits, rng, RESAMPLES, RESPLITS)
    ours, theirs = _correlation(generated, rng), _correlation(real, rng)
    return PlaneComparison(
        sample=found.sample,
        distance=float(mean_over_lines(pool.ours, pool.real)[0]),
        floor=float(found.floor_q[0]),
        ratio=float(found.ratio_q[0]),
        limit=float(found.limit_q[0]),
        ratio_error=float(found.ratio_error_q[0]),
        generated_correlation=ours[0],
        generated_correlation_error=ours[1],
        real_correlation=theirs[0],
        real_correlation_error=theirs[1],
    )


def _directions() -> np.ndarray:
    """Return unit vectors (l, 2) over half a turn, none along an axis."""
    angle_l = (np.arange(ANGLES) + 0.5) * np.pi / ANGLES
    return np.stack([np.cos(angle_l), np.sin(angle_l)], axis=1)


def _standardised(values_p2: np.ndarray, real_m2: np.ndarray) -> np.ndarray:
    """Divide by the scatter of the real galaxies, robust where fewer than half are alike."""
    deviation_m2 = np.abs(real_m2 - np.median(real_m2, axis=0))
    robust, plain = 1.4826 * np.median(deviation_m2, axis=0), real_m2.std(0)
    scale = np.where(robust > 0, robust, np.where(plain > 0, plain, 1.0))
    standardised_p2: np.ndarray = (values_p2 - np.median(real_m2, axis=0)) / scale
    return standardised_p2


def _correlation(values_p2: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Rank correlation and its bootstrap standard error."""
    x_p, y_p = ranks(values_p2[:, 0]), ranks(values_p2[:, 1])
    rows_bp = resampled_rows(len(values_p2), rng)
    # Ranks within a resample are those of the whole, but for its ties and a factor.
    resampled_b = correlations(x_p[rows_bp], y_p[rows_bp])
    return float(correlations(x_p, y_p)), deviation(resampled_b)
