"""How well a classifier tells two sets of galaxies apart, by cross-validation."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata

PENALTY = 100.0  # half of it times |w|^2 is added to the sum of the log losses; fixed in advance
FOLDS, REPEATS = 5, 10
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
        Of the cross-validation, 2 or more.
    """
    x_nc = np.concatenate([a_nc, b_mc]).astype(np.float64)
    y_n = np.repeat([0.0, 1.0], [len(a_nc), len(b_mc)])
    rng = np.random.default_rng(seed)
    aucs = []
    for _ in range(repeats):
        fold_n = np.concatenate([_folds(len(a_nc), rng), _folds(len(b_mc), rng)])
        parts = [_held_out_auc(x_nc, y_n, fold_n == fold) for fold in range(FOLDS)]
        aucs.append(np.mean(parts))
    mean = float(np.mean(aucs))
    return Separation(mean, float(np.std(aucs, ddof=1)), auc_error(mean, len(a_nc), len(b_mc)))


def _folds(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.arange(n) % FOLDS)


def _held_out_auc(x_nc: np.ndarray, y_n: np.ndarray, out_n: np.ndarray) -> float:
    train_nc = x_nc[~out_n]
    mean_c, std_c = train_nc.mean(0), train_nc.std(0)
    scale_c = np.where(std_c > _TINY, std_c, np.inf)  # a constant says nothing
    weights_c, _ = logistic((train_nc - mean_c) / scale_c, y_n[~out_n])
    return auc(((x_nc[out_n] - mean_c) / scale_c) @ weights_c, y_n[out_n])


def logistic(
    x_nc: np.ndarray, y_n: np.ndarray, penalty: float = PENALTY
) -> tuple[np.ndarray, float]:
    """Weights and intercept of the logistic regression of labels 0 and 1.

    The weights lie in the span of the galaxies, so that Newton's method works with as many unknowns
    as there are galaxies, or features where these are fewer.
    """
    u_nk, s_k, v_kc = np.linalg.svd(x_nc, full_matrices=False)
    keep = s_k > _TINY * s_k.max(initial=1.0)
    design = np.column_stack([u_nk[:, keep] * s_k[keep], np.ones(len(x_nc))])
    ridge_k = np.append(np.full(int(keep.sum()), penalty), 0.0)
    solution_k = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p_n = expit(design @ solution_k)
        gradient_k = design.T @ (p_n - y_n) + ridge_k * solution_k
        curvature = (design.T * (p_n * (1 - p_n))) @ design + np.diag(ridge_k)
        step_k = np.linalg.solve(curvature, gradient_k)
        solution_k -= step_k
        if np.abs(step_k).max() < 1e-9:
            break
    return solution_k[:-1] @ v_kc[keep], float(solution_k[-1])


def auc(score_n: np.ndarray, y_n: np.ndarray) -> float:
    """Chance that a galaxy labelled 1 scores above one labelled 0; ties count half."""
    positive = y_n > 0.5
    n1, n0 = int(positive.sum()), int((~positive).sum())
    return float((rankdata(score_n)[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def auc_error(a: float, n0: int, n1: int) -> float:
    """Return the standard error of an AUC of n0 and n1 galaxies (Hanley & McNeil 1982)."""
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = a * (1 - a) + (n1 - 1) * (q1 - a * a) + (n0 - 1) * (q2 - a * a)
    return math.sqrt(max(variance, 0.0) / (n0 * n1))
