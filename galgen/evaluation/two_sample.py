"""How well a classifier tells two sets of galaxies apart, by cross-validation."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from galgen.evaluation.basics import ranks
from galgen.evaluation.chance import Pool
from galgen.settings import require

PENALTY = 100.0  # half of it times |w|^2 is added to the sum of the log losses; fixed in advance
FOLDS, REPEATS = 5, 10
HALVINGS = 2
_STEPS = 25  # of Newton's method; it stops long before
_TINY = 1e-6


@dataclass(frozen=True)
class Separation:
    """Area under the ROC curve on galaxies that the classifier was not fitted to.

    Attributes
    ----------
    auc : float
        Mean over repeats: 0.5 is chance, 1 tells every pair apart.
    spread : float
        Standard deviation over repeats of the cross-validation, which share their galaxies.
    error : float
        Standard error due to the number of galaxies (Hanley & McNeil 1982).
    """

    auc: float
    spread: float
    error: float

    def to_json(self) -> dict[str, float]:
        """Return it rounded to four digits after the point."""
        return {name: round(value, 4) for name, value in asdict(self).items()}

    @classmethod
    def of(cls, auc_r: np.ndarray, n: int, m: int) -> Separation:
        """Summarise repeats (r,) of the area with n and m galaxies."""
        mean = float(auc_r.mean())
        spread = float(auc_r.std(ddof=1)) if len(auc_r) > 1 else math.nan
        return cls(mean, spread, auc_error(mean, n, m))


@dataclass(frozen=True)
class TwoSample:
    """Whether generated galaxies can be told from real ones, and real ones from real ones.

    Attributes
    ----------
    sample : int
        Galaxies on each side.
    generated, real : Separation
        Of generated from real galaxies, and of two sets of real ones.
    """

    sample: int
    generated: Separation
    real: Separation


@dataclass(frozen=True)
class Scores:
    """What the classifier took each galaxy for when it was not fitted to it.

    Attributes
    ----------
    generated_n, real_m : ndarray (N,), (M,)
        Mean log odds of being generated; NaN of galaxies that were never drawn.
    """

    generated_n: np.ndarray
    real_m: np.ndarray


def separation(
    a_nc: np.ndarray, b_mc: np.ndarray, seed: int = 0, repeats: int = REPEATS
) -> Separation:
    """Tell two sets apart by L2-regularised logistic regression on standardised features.

    Features are standardised by the galaxies that a fold is fitted to. Cross-validation is
    stratified, and repeated with other folds.

    Parameters
    ----------
    a_nc, b_mc : ndarray (N, C), (M, C)
        Features.
    seed : int
        Of the folds.
    repeats : int
        Of the cross-validation.

    Raises
    ------
    InvalidValueError
        If one set has fewer than two galaxies.
    """
    x_pc = np.concatenate([a_nc, b_mc]).astype(np.float64)
    rows, n = np.arange(len(x_pc)), len(a_nc)
    auc_r, _ = _validated(x_pc, rows[:n], rows[n:], rows, repeats, np.random.default_rng(seed))
    return Separation.of(auc_r, n, len(b_mc))


def two_sample(
    generated_nc: np.ndarray,
    real_mc: np.ndarray,
    rng: np.random.Generator,
    group_m: np.ndarray | None = None,
    halvings: int = HALVINGS,
    repeats: int = 2,
) -> tuple[TwoSample, Scores]:
    """Tell generated galaxies from real ones, and two halves of the real ones from each other.

    All of one size, see `galgen.evaluation.chance`: for each random halving of the real galaxies,
    the generated ones and the second half are each told from the first, as by `separation`.

    Parameters
    ----------
    generated_nc, real_mc : ndarray (N, C), (M, C)
        Features; galaxies of which one is not finite are left out.
    rng : np.random.Generator
        Source of halvings and folds.
    group_m : ndarray (M,), optional
        Groups of the real galaxies of which all are in one half and one fold; by default each is
        its own.
    halvings, repeats : int
        Random halvings of the real galaxies, and cross-validations of each.

    Returns
    -------
    TwoSample
        Areas under the curve.
    Scores
        Of each galaxy.

    Raises
    ------
    InvalidValueError
        If there are fewer than 2 generated and 4 real galaxies.
    """
    rows_n = np.flatnonzero(np.isfinite(generated_nc).all(1))
    rows_m = np.flatnonzero(np.isfinite(real_mc).all(1))
    pool = Pool.of(len(rows_n), len(rows_m), None if group_m is None else group_m[rows_m])
    sizes = len(rows_n), len(rows_m)
    require(pool.sample >= 2, "galaxies to compare", sizes, "2 generated, 4 real ones, or more")
    x_pc = np.concatenate([generated_nc[rows_n], real_mc[rows_m]]).astype(np.float64)
    # A generated galaxy is its own group.
    group_p = pool.group + len(x_pc)
    group_p[pool.ours] = pool.ours
    auc_of: tuple[list[np.ndarray], ...] = [], []
    total_p, times_p = np.zeros(len(x_pc)), np.zeros(len(x_pc))
    for _ in range(halvings):
        ours, first, second = pool.draw(rng)
        for found, stand_in in zip(auc_of, (ours, second), strict=True):
            auc_r, odds_p = _validated(x_pc, first, stand_in, group_p, repeats, rng)
            found.append(auc_r)
            if stand_in is ours:
                scored = np.concatenate([first, ours])
                total_p[scored] += odds_p[scored]
                times_p[scored] += 1
    with np.errstate(invalid="ignore"):
        mean_p = total_p / times_p
    scores = Scores(np.full(len(generated_nc), np.nan), np.full(len(real_mc), np.nan))
    scores.generated_n[rows_n], scores.real_m[rows_m] = np.split(mean_p, [len(rows_n)])
    s = pool.sample
    separations = (Separation.of(np.concatenate(found), s, s) for found in auc_of)
    return TwoSample(s, *separations), scores


def _validated(
    x_pc: np.ndarray,
    zeros: np.ndarray,
    ones: np.ndarray,
    group_p: np.ndarray,
    repeats: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Cross-validate the classifier of rows labelled 0 and 1.

    Returns
    -------
    auc_r : ndarray (repeats,)
        Area under the curve, mean over folds.
    odds_p : ndarray (p,)
        Mean log odds of label 1 on galaxies that a fold is not fitted to, 0 of other rows.
    """
    groups = [len(np.unique(group_p[part])) for part in (zeros, ones)]
    folds = min(FOLDS, *groups)
    require(folds >= 2, "galaxies to tell apart", groups, "2 or more of each")
    rows = np.concatenate([zeros, ones])
    y_n = np.repeat([0.0, 1.0], [len(zeros), len(ones)])
    auc_r, odds_p = np.zeros(repeats), np.zeros(len(x_pc))
    for r in range(repeats):
        fold_n = np.concatenate([_folds(group_p[part], folds, rng) for part in (zeros, ones)])
        for fold in range(folds):
            out_n = fold_n == fold
            odds = _held_out_odds(x_pc[rows[~out_n]], y_n[~out_n], x_pc[rows[out_n]])
            odds_p[rows[out_n]] += odds / repeats
            auc_r[r] += auc(odds, y_n[out_n]) / folds
    return auc_r, odds_p


def _folds(group_n: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Deal groups to folds at random, as evenly as may be."""
    _, code_n = np.unique(group_n, return_inverse=True)
    fold_of_group = rng.permutation(np.arange(code_n.max() + 1) % folds)
    dealt_n: np.ndarray = fold_of_group[code_n]
    return dealt_n


def _held_out_odds(fit_nc: np.ndarray, y_n: np.ndarray, out_kc: np.ndarray) -> np.ndarray:
    """Fit a classifier, and return its log odds (k,) of other galaxies."""
    mean_c, std_c = fit_nc.mean(0), fit_nc.std(0)
    scale_c = np.where(std_c > _TINY, std_c, np.inf)  # a constant says nothing
    weights_c, intercept = logistic((fit_nc - mean_c) / scale_c, y_n)
    odds_k: np.ndarray = ((out_kc - mean_c) / scale_c) @ weights_c + intercept
    return odds_k


def logistic(
    x_nc: np.ndarray, y_n: np.ndarray, penalty: float = PENALTY
) -> tuple[np.ndarray, float]:
    """Weights and intercept of the logistic regression of labels 0 and 1.

    The weights lie in the span of the galaxies, so that Newton's method works with as many unknowns
    as there are galaxies, or features where these are fewer.
    """
    basis_ck, r_kn = np.linalg.qr(x_nc.T)
    design = np.column_stack([r_kn.T, np.ones(len(x_nc))])
    ridge_k = np.append(np.full(len(r_kn), penalty), 0.0)
    solution_k = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p_n = 0.5 + 0.5 * np.tanh(0.5 * design @ solution_k)
        gradient_k = design.T @ (p_n - y_n) + ridge_k * solution_k
        curvature = (design.T * (p_n * (1 - p_n))) @ design + np.diag(ridge_k)
        step_k = np.linalg.solve(curvature, gradient_k)
        solution_k -= step_k
        if np.abs(step_k).max() < 1e-9:
            break
    return basis_ck @ solution_k[:-1], float(solution_k[-1])


def auc(score_n: np.ndarray, y_n: np.ndarray) -> float:
    """Chance that a galaxy labelled 1 scores above one labelled 0; ties count half."""
    positive = y_n > 0.5
    n1, n0 = int(positive.sum()), int((~positive).sum())
    return float((ranks(score_n)[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def auc_error(a: float, n0: int, n1: int) -> float:
    """Return the standard error of an AUC of n0 and n1 galaxies (Hanley & McNeil 1982)."""
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = a * (1 - a) + (n1 - 1) * (q1 - a * a) + (n0 - 1) * (q2 - a * a)
    return math.sqrt(max(variance, 0.0) / (n0 * n1))
