"""Sections of the page with tables."""

from __future__ import annotations

import math

from galgen.evaluation.distance import Comparison
from galgen.evaluation.feature_distance import Score
from galgen.evaluation.page import html, svg
from galgen.evaluation.report import Evaluation, short
from galgen.evaluation.two_sample import Separation

_SPACES = {
    "final": "last features of a network trained on photographs (EfficientNet-Lite0, ImageNet)",
    "early": "first features of that network, which see texture",
    "morphology": "features of a classifier trained on real galaxies",
}
_SCORES = ("frechet", "kernel", "precision", "recall", "density", "coverage")


def glance(found: Evaluation) -> str:
    """Say what a person should know first."""
    heads = ["category", "generated", "real", "mean", "median", "largest", *found.spaces]
    return html.table(
        heads, found.rows(), "Galaxies, ratios of distances, and areas under curves"
    ) + (html.items(found.notes()))


def told_apart(found: Evaluation) -> str:
    """Draw areas under the curve of each space, generated beside real against real."""
    parts = []
    for space in found.spaces:
        dots = []
        for report in found.categories:
            if space in report.two_sample:
                test = report.two_sample[space]
                made, real = test.generated, test.real
                dots.append(svg.Dot(report.name, made.auc, made.error, real.auc, real.error))
        drawing = svg.dots(dots, 0.3, 1.0, f"area under the curve, {space}")
        parts.append(html.figure(drawing, _SPACES.get(space, "")))
    if not parts:
        return ""
    said = (
        "How well a logistic classifier tells generated from real galaxies that it has not seen: "
        "0.5 is chance, 1 is always. Full dots: generated against real, hollow ones: real against "
        "real."
    )
    rows = [
        [report.name, str(test.sample), space, _auc(test.generated), _auc(test.real)]
        for report in found.categories
        for space, test in report.two_sample.items()
    ]
    heads = ["category", "of each", "space", "generated", "real against real"]
    table = html.table(heads, rows, "Area under the curve with its standard error")
    return "".join([html.paragraph(said), html.row(parts), html.folded("As a table", table)])


def distances(found: Evaluation) -> str:
    """List distances of columns and of features, with their errors."""
    parts = []
    compared = [r for r in found.categories if r.columns]
    for title, of in (("Wasserstein-1", _wasserstein), ("Kolmogorov-Smirnov", _ks)):
        rows = [
            [short(n), *(of(r.columns[n]) if n in r.columns else "-" for r in compared)]
            for n in found.units
            if any(n in r.columns for r in compared)
        ]
        if rows:
            caption = (
                f"{title} distance of generated from real galaxies over that of real from real; "
                "* is more than 19 of 20 real halves"
            )
            parts.append(html.table(["column", *(r.name for r in compared)], rows, caption))
    for space in found.spaces:
        rows = [
            [r.name, str(f.sample), *(_score(getattr(f, name)) for name in _SCORES)]
            for r in found.categories
            if (f := r.features.get(space)) is not None
        ]
        caption = f"Distances of features, {space}: generated ± error (real against real)"
        parts.append(html.table(["category", "of each", *_SCORES], rows, caption))
    return "".join(parts)


def fidelity(found: Evaluation) -> str:
    """Compare what was asked for with what was made."""
    parts = []
    if found.classified is not None:
        classes = found.classified
        rows = [
            [
                c.name,
                str(c.generated_n),
                f"{100 * c.generated:.1f}",
                str(c.real_n),
                f"{100 * c.real:.1f}",
                f"{100 * c.difference:+.1f} ± {100 * c.difference_error:.1f}",
            ]
            for c in classes.categories
        ]
        mean = f"{100 * classes.difference:+.1f} ± {100 * classes.difference_error:.1f}"
        means = f"{100 * classes.generated:.1f}", f"{100 * classes.real:.1f}"
        rows.append(["mean", "", means[0], "", means[1], mean])
        heads = ["category", "generated", "%", "real", "%", "difference, points"]
        caption = "Classified as what was asked for, or as what the label of real galaxies says"
        parts.append(html.table(heads, rows, caption))
        for name, table in (
            ("generated", classes.generated_table),
            ("real", classes.real_table),
        ):
            counts = [
                [asked, *(str(count) for count in row)]
                for asked, row in zip(classes.names, table, strict=True)
            ]
            caption = f"{name.capitalize()} galaxies: asked for (rows), classified as (columns)"
            parts.append(html.folded(caption, html.table(["", *classes.names], counts, caption)))
    if found.properties:
        rows = [
            [
                short(name),
                str(p.n),
                _with(p.slope, p.slope_error),
                _with(p.bias, p.bias_error),
                _with(p.scatter, p.scatter_error),
                _with(p.rank_correlation, p.rank_correlation_error),
            ]
            for name, p in found.properties.items()
        ]
        heads = ["property", "galaxies", "slope", "bias", "scatter", "rank correlation"]
        parts.append(html.table(heads, rows, "Measured against what was asked for"))
    return "".join(parts)


def _wasserstein(c: Comparison) -> str:
    """Return a ratio of Wasserstein distances with its error."""
    return f"{_with(c.ratio, c.ratio_error)}{' *' * c.differs}"


def _ks(c: Comparison) -> str:
    """Return a ratio of Kolmogorov-Smirnov distances with its error."""
    return f"{_with(c.ks_ratio, c.ks_ratio_error)}{' *' * (c.ks_ratio > c.ks_limit)}"


def _auc(found: Separation) -> str:
    """Return an area under the curve with its error."""
    return f"{found.auc:.3f} ± {found.error:.3f}"


def _score(score: Score) -> str:
    """Return a score of features beside that of real against real."""
    places = _places(score.generated, score.generated_error)
    return f"{_with(score.generated, score.generated_error)} ({score.real:.{places}f})"


def _with(value: float, error: float) -> str:
    """Return a number with its error, where that is known, both as exact as they are worth."""
    if not math.isfinite(value):
        return "-"
    places = _places(value, error)
    return f"{value:.{places}f}" + (f" ± {error:.{places}f}" if math.isfinite(error) else "")


def _places(value: float, error: float) -> int:
    """Return the digits behind the point: two of the error count, or three of the value."""
    known = math.isfinite(error) and error > 0
    size, digits = (error, 1) if known else (abs(value), 2)
    return min(max(digits - math.floor(math.log10(size)), 0), 6) if size > 0 else 2
