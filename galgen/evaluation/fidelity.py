"""Whether galaxies are what was asked for: properties as measured, categories as classified."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galgen.evaluation.basics import (
    correlations,
    deviation,
    fraction_variance,
    ranks,
    resampled_rows,
)
from galgen.settings import require

UNKNOWN = -1  # code of a galaxy that was not classified


@dataclass(frozen=True)
class PropertyFidelity:
    """Measured against asked values of one property; errors are bootstrap standard errors.

    Attributes
    ----------
    n : int
        Galaxies with both.
    slope, slope_error : float
        Of the least-squares line of measured on asked values, which have no errors: 1 is faithful,
        0 is deaf. NaN where all were asked for the same.
    bias, bias_error : float
        Median of measured - asked, in the property's unit.
    scatter, scatter_error : float
        Robust standard deviation of it (1.4826 times the median absolute deviation).
    rank_correlation, rank_correlation_error : float
        Spearman's; NaN where all were asked for the same.
    """

    n: int
    slope: float
    slope_error: float
    bias: float
    bias_error: float
    scatter: float
    scatter_error: float
    rank_correlation: float
    rank_correlation_error: float


def property_fidelity(
    asked_n: np.ndarray, measured_n: np.ndarray, rng: np.random.Generator
) -> PropertyFidelity:
    """Compare what was asked for with what was measured, galaxy by galaxy.

    Parameters
    ----------
    asked_n, measured_n : ndarray (N,)
        Values in one unit; galaxies of which one is not finite are left out.
    rng : np.random.Generator
        Source of the resamples.

    Returns
    -------
    PropertyFidelity
        In the unit of the values.

    Raises
    ------
    InvalidValueError
        If fewer than two galaxies have both, or not as many were asked for as measured.
    """
    shapes = np.shape(asked_n), np.shape(measured_n)
    require(shapes[0] == shapes[1], "asked and measured values", shapes, "one of each per galaxy")
    keep_n = np.isfinite(asked_n) & np.isfinite(measured_n)
    asked, measured = (np.asarray(v, np.float64)[keep_n] for v in (asked_n, measured_n))
    require(len(asked) >= 2, "galaxies to compare", len(asked), "2 or more with both values")
    rows_bn = np.concatenate([np.arange(len(asked))[None], resampled_rows(len(asked), rng)])
    x_bn, y_bn = asked[rows_bn], measured[rows_bn]
    rank_bn = ranks(asked)[rows_bn], ranks(measured)[rows_bn]
    off_bn = y_bn - x_bn
    bias_b = np.median(off_bn, axis=1)
    found = (
        _slopes(x_bn, y_bn),
        bias_b,
        1.4826 * np.median(np.abs(off_bn - bias_b[:, None]), axis=1),
        correlations(*rank_bn),
    )
    # First the galaxies themselves, then their resamples.
    numbers = [float(number) for b in found for number in (b[0], deviation(b[1:]))]
    return PropertyFidelity(len(asked), *numbers)


def _slopes(x_bn: np.ndarray, y_bn: np.ndarray) -> np.ndarray:
    """Slopes (b,) of least-squares lines; NaN where all x are the same."""
    dx_bn = x_bn - x_bn.mean(1, keepdims=True)
    # The mean of equal numbers need not be that number.
    varied_b = np.ptp(x_bn, axis=1) > 0
    power_b = np.where(varied_b, (dx_bn**2).sum(1), 1.0)
    return np.where(varied_b, (dx_bn * y_bn).sum(1) / power_b, np.nan)


@dataclass(frozen=True)
class CategoryAgreement:
    """How often a classifier agrees with one category.

    Attributes
    ----------
    name : str
        The category.
    generated_n, real_n : int
        Galaxies that were asked for as it, and real ones that are labelled so.
    generated, real : float
        Fractions classified as it, NaN of none.
    difference, difference_error : float
        Generated less real, and its standard error (binomial).
    """

    name: str
    generated_n: int
    generated: float
    real_n: int
    real: float
    difference: float
    difference_error: float


@dataclass(frozen=True)
class CategoryFidelity:
    """Classified against asked categories, beside the labels of real galaxies.

    Attributes
    ----------
    names : tuple of str
        Categories in the order of both tables.
    generated_table, real_table : tuple of rows of int
        Galaxies by category asked for (labelled), down, and classified, across.
    categories : tuple of CategoryAgreement
        In the same order.
    generated, real : float
        Mean fractions over the categories that have galaxies of both kinds, each category counting
        the same; NaN where there is none.
    difference, difference_error : float
        Generated less real, and its standard error.
    """

    names: tuple[str, ...]
    generated_table: tuple[tuple[int, ...], ...]
    real_table: tuple[tuple[int, ...], ...]
    categories: tuple[CategoryAgreement, ...]
    generated: float
    real: float
    difference: float
    difference_error: float


def category_fidelity(
    asked_n: np.ndarray,
    classified_n: np.ndarray,
    real_label_m: np.ndarray,
    real_classified_m: np.ndarray,
    names: Sequence[str],
) -> CategoryFidelity:
    """Compare how often a classifier agrees with what was asked for, and with labels of real ones.

    A classifier errs with real galaxies, too, so only the difference says something of generated
    ones: above 0, they are more typical of their categories than real ones are.

    Parameters
    ----------
    asked_n, classified_n : ndarray (N,) of int
        Codes of generated galaxies, 0 to one less than there are names; those with `UNKNOWN` in
        either are left out.
    real_label_m, real_classified_m : ndarray (M,) of int
        The same of real galaxies, to which the classifier was not fitted.
    names : sequence of str
        Categories, in the order of their codes here.

    Raises
    ------
    InvalidValueError
        If a code is out of range, or not as many galaxies were asked for as classified.
    """
    tables = [
        _table(asked_n, classified_n, len(names)),
        _table(real_label_m, real_classified_m, len(names)),
    ]
    categories = tuple(
        _agreement(name, *((int(t[i].sum()), int(t[i, i])) for t in tables))
        for i, name in enumerate(names)
    )
    both = [c for c in categories if c.generated_n and c.real_n]
    error = _mean([c.difference_error**2 for c in both]) / max(len(both), 1)
    generated, real = _mean([c.generated for c in both]), _mean([c.real for c in both])
    ours, theirs = (tuple(map(tuple, table.tolist())) for table in tables)
    return CategoryFidelity(
        names=tuple(names),
        generated_table=ours,
        real_table=theirs,
        categories=categories,
        generated=generated,
        real=real,
        difference=generated - real,
        difference_error=math.sqrt(error),
    )


def _mean(values: Sequence[float]) -> float:
    """Mean, NaN of nothing."""
    return sum(values) / len(values) if values else math.nan


def _table(asked_n: np.ndarray, classified_n: np.ndarray, k: int) -> np.ndarray:
    """Count galaxies (k, k) by what was asked and what was found."""
    shapes = np.shape(asked_n), np.shape(classified_n)
    require(shapes[0] == shapes[1], "asked and classified", shapes, "one of each per galaxy")
    codes_2n = np.stack([asked_n, classified_n]).astype(np.int64)
    inside = ((codes_2n >= UNKNOWN) & (codes_2n < k)).all()
    require(bool(inside), "category codes", codes_2n.tolist(), f"{UNKNOWN} to {k - 1}")
    asked, found = codes_2n[:, (codes_2n != UNKNOWN).all(0)]
    table = np.zeros((k, k), np.int64)
    np.add.at(table, (asked, found), 1)
    return table


def _agreement(name: str, ours: tuple[int, int], theirs: tuple[int, int]) -> CategoryAgreement:
    """Compare two counts of galaxies, and of those classified as asked."""
    fractions = [agreed / n if n else math.nan for n, agreed in (ours, theirs)]
    variances = (fraction_variance(fractions[i], n) for i, (n, _) in enumerate((ours, theirs)))
    return CategoryAgreement(
        name=name,
        generated_n=ours[0],
        generated=fractions[0],
        real_n=theirs[0],
        real=fractions[1],
        difference=fractions[0] - fractions[1],
        difference_error=math.sqrt(sum(variances)),
    )
