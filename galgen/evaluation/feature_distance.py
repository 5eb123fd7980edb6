"""Distances between two samples of feature vectors, such as what a network sees in images.

Everything is had from inner products of the galaxies, so that the number of features does not
matter, and covariances need no inverse or root even where there are fewer galaxies than features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galgen.evaluation.chance import Pool, repeat
from galgen.settings import require

NEAREST = 3  # neighbours that span the manifold of precision and recall
NEAREST_DENSITY = 5  # and that of density and coverage; both as published
SPLITS, RESAMPLES = 10, 20
MOST = 1000  # generated galaxies, and real ones in each half, that are compared
_NAMES = ("frechet", "kernel", "precision", "recall", "density", "coverage")


@dataclass(frozen=True)
class Gram:
    """Inner products of two samples of n and m galaxies, in c features.

    Attributes
    ----------
    aa, bb, ab : ndarray (n, n), (m, m), (n, m)
        Of the first with themselves, the second with themselves, the first with the second.
    features : int
        Number c of features.
    """

    aa: np.ndarray
    bb: np.ndarray
    ab: np.ndarray
    features: int

    @classmethod
    def of(cls, a_nc: np.ndarray, b_mc: np.ndarray) -> Gram:
        """Multiply features (n, c) and (m, c)."""
        a, b = np.asarray(a_nc, np.float64), np.asarray(b_mc, np.float64)
        return cls(a @ a.T, b @ b.T, a @ b.T, a.shape[1])

    def frechet(self) -> float:
        """Frechet distance, squared, of Gaussians fitted to both (Heusel et al. 2017).

        |mean a - mean b|^2 + tr(A + B - 2 (A B)^(1/2)) with covariances A and B. The trace of the
        root is the sum of the singular values of the inner products of centred features.
        """
        n, m = self.ab.shape
        means = self.aa.mean() + self.bb.mean() - 2 * self.ab.mean()
        traces = np.trace(_centred(self.aa)) / (n - 1) + np.trace(_centred(self.bb)) / (m - 1)
        root = np.linalg.svd(_centred(self.ab), compute_uv=False).sum()
        return float(means + traces - 2 * root / np.sqrt((n - 1) * (m - 1)))

    def kernel(self) -> float:
        """Squared maximum mean discrepancy of the kernel (x y / c + 1)^3 (Binkowski et al. 2018).

        Without bias: its mean is 0 where nothing differs, so that it may be negative.
        """
        n, m = self.ab.shape
        aa, bb, ab = (
            (products / self.features + 1) ** 3 for products in (self.aa, self.bb, self.ab)
        )
        within_a = (aa.sum() - np.trace(aa)) / (n * (n - 1))
        within_b = (bb.sum() - np.trace(bb)) / (m * (m - 1))
        return float(within_a + within_b - 2 * ab.mean())

    def manifolds(self) -> tuple[float, float, float, float]:
        """Precision, recall, density and coverage of the first sample, the second being real.

        Precision and recall are the fractions of generated galaxies within the manifold of real
        ones and the other way round, a manifold being the balls around its galaxies that reach to
        their third neighbours (Kynkaanniemi et al. 2019). Density counts how many such balls of
        real galaxies, of fifth neighbours, a generated one is in, over five; coverage is the
        fraction of these balls with a generated galaxy in them (Naeem et al. 2020).
        """
        square_a, square_b = np.diag(self.aa), np.diag(self.bb)
        apart_nm = square_a[:, None] + square_b - 2 * self.ab
        within_a = _sorted_neighbours(square_a[:, None] + square_a - 2 * self.aa)
        within_b = _sorted_neighbours(square_b[:, None] + square_b - 2 * self.bb)
        in_real_nm = apart_nm <= _radius(within_b, NEAREST)
        in_ours_nm = apart_nm <= _radius(within_a, NEAREST)[:, None]
        near_nm = apart_nm <= _radius(within_b, NEAREST_DENSITY)
        neighbours = min(NEAREST_DENSITY, len(square_b) - 1)
        return (
            float(in_real_nm.any(1).mean()),
            float(in_ours_nm.any(0).mean()),
            float(near_nm.sum(1).mean() / neighbours),
            float(near_nm.any(0).mean()),
        )


def _centred(products: np.ndarray) -> np.ndarray:
    """Inner products of features of which the mean of each sample is taken away."""
    centred: np.ndarray = (
        products - products.mean(0) - products.mean(1, keepdims=True) + products.mean()
    )
    return centred


def _sorted_neighbours(square_nn: np.ndarray) -> np.ndarray:
    """Squared distances (k, n) of each galaxy from its nearest others, nearest first."""
    others = square_nn.copy()
    np.fill_diagonal(others, np.inf)
    most = min(max(NEAREST, NEAREST_DENSITY), len(others) - 1)
    return np.sort(np.partition(others, most - 1, axis=0)[:most], axis=0)


def _radius(neighbours_kn: np.ndarray, k: int) -> np.ndarray:
    """Squared distance (n,) of the k-th neighbour, or of the farthest of fewer."""
    radius_n: np.ndarray = neighbours_kn[min(k, len(neighbours_kn)) - 1]
    return radius_n


@dataclass(frozen=True)
class Score:
    """A number for generated galaxies beside that of real ones, of equally many.

    Attributes
    ----------
    generated, generated_error : float
        Mean over halvings of the real galaxies, and its standard error due to the number of
        galaxies.
    real : float
        Mean of one half of the real galaxies against the other.
    real_low, real_high : float
        Nine in ten such pairs are between.
    """

    generated: float
    generated_error: float
    real: float
    real_low: float
    real_high: float


@dataclass(frozen=True)
class FeatureComparison:
    """Generated against real galaxies in a space of features; see `Gram` for what each score is.

    Attributes
    ----------
    sample : int
        Galaxies on each side.
    frechet, kernel : Score
        Distances: lower is nearer.
    precision, recall, density, coverage : Score
        Real galaxies against real ones have the highest that can be hoped for, about: precision and
        density fall where generated galaxies look like none, recall and coverage where kinds are
        missing.
    """

    sample: int
    frechet: Score
    kernel: Score
    precision: Score
    recall: Score
    density: Score
    coverage: Score


def compare_features(
    generated_nc: np.ndarray,
    real_mc: np.ndarray,
    rng: np.random.Generator,
    group_m: np.ndarray | None = None,
    splits: int = SPLITS,
) -> FeatureComparison:
    """Compare two samples of feature vectors; see `galgen.evaluation.chance`.

    Of more than `MOST` generated and twice as many real galaxies a random choice is compared.

    Parameters
    ----------
    generated_nc, real_mc : ndarray (N, C), (M, C)
        Features as the network has them, not standardised; galaxies of which one is not finite are
        left out.
    rng : np.random.Generator
        Source of the halvings.
    group_m : ndarray (M,), optional
        Groups of the real galaxies of which all are in one half; by default each is its own.
    splits : int
        Random halvings of the real galaxies to average over.

    Returns
    -------
    FeatureComparison
        Scores of generated and of real galaxies.

    Raises
    ------
    InvalidValueError
        If there are fewer than 2 generated and 4 real galaxies.
    """
    keep_m = np.isfinite(real_mc).all(1)
    groups = None if group_m is None else group_m[keep_m]
    ours = _some(generated_nc[np.isfinite(generated_nc).all(1)], MOST, rng)
    chosen = _some(np.arange(keep_m.sum()), 2 * MOST, rng)
    real = real_mc[keep_m][chosen]
    pool = Pool.of(len(ours), len(real), None if groups is None else groups[chosen])
    sizes = len(ours), len(real)
    require(pool.sample >= 2, "galaxies to compare", sizes, "2 generated, 4 real ones, or more")
    features_pc = np.concatenate([ours, real]).astype(np.float64)
    products = features_pc @ features_pc.T

    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if min(len(a), len(b)) < 2:  # half of very few
            return np.full(len(_NAMES), np.nan)
        gram = Gram(
            products[np.ix_(a, a)],
            products[np.ix_(b, b)],
            products[np.ix_(a, b)],
            features_pc.shape[1],
        )
        return np.array([gram.frechet(), gram.kernel(), *gram.manifolds()])

    found = repeat(distances, pool, splits, rng, RESAMPLES)
    low_q, high_q = np.quantile(found.real_kq, (0.05, 0.95), axis=0)
    columns = (found.generated_kq.mean(0), found.generated_error_q, found.floor_q, low_q, high_q)
    scores = (Score(*row) for row in np.stack(columns, axis=1).tolist())
    return FeatureComparison(found.sample, **dict(zip(_NAMES, scores, strict=True)))


def _some(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return at most so many of them, drawn at random."""
    return rows if len(rows) <= most else rows[rng.permutation(len(rows))[:most]]
