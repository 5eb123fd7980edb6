"""Sections of the page with plots of what was measured."""

from __future__ import annotations

import numpy as np

from galgen.evaluation.joint import compared_planes
from galgen.evaluation.page import html, svg
from galgen.evaluation.report import CategoryReport, Evaluation, number, short


def distributions(found: Evaluation) -> str:
    """Draw histograms of each category and column, generated over real."""
    parts = [
        html.paragraph(
            "Lines are generated galaxies, areas real ones; marks on the axis are medians. Below: "
            "the Wasserstein-1 distance over that of real galaxies from each other, which is 1 "
            "where nothing tells them apart; * is more than chance."
        )
    ]
    for report in found.categories:
        drawn = [_histogram(found, report, name) for name in report.columns]
        if drawn:
            parts.append(html.part(report.name, html.row(drawn)))
    return "".join(parts) if len(parts) > 1 else ""


def planes(found: Evaluation) -> str:
    """Draw scatter plots of pairs of columns, generated over real."""
    parts = []
    for report in found.categories:
        drawn = [
            _plane(found, report, pair)
            for pair in compared_planes(tuple(found.units))
            if ",".join(pair) in report.planes
        ]
        if drawn:
            parts.append(html.part(report.name, html.row(drawn)))
    if not parts:
        return ""
    said = (
        f"At most {svg.POINTS} galaxies of each kind. Below: the sliced Wasserstein-1 distance "
        "over that of real galaxies from each other, and rank correlations."
    )
    return html.paragraph(said) + "".join(parts)


def _values(
    found: Evaluation, report: CategoryReport, *names: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return values (n, k) of generated and of real galaxies of a category where all are known."""
    assert found.exhibits is not None
    sets = []
    for galaxies, below in ((found.exhibits.generated, False), (found.exhibits.real, True)):
        rows = galaxies.rows(report.code, below)
        values = np.stack([galaxies.values[name][rows] for name in names], 1)
        sets.append(values[np.isfinite(values).all(1)])
    return sets[0], sets[1]


def _histogram(found: Evaluation, report: CategoryReport, name: str) -> str:
    """Draw one column of one category."""
    made, real = _values(found, report, name)
    ratio = report.columns[name]
    text = f"{number(ratio.ratio)} ± {number(ratio.ratio_error)}" + " *" * ratio.differs
    drawing = svg.histogram(short(name), found.units[name], made[:, 0], real[:, 0])
    return html.figure(drawing, text)


def _plane(found: Evaluation, report: CategoryReport, pair: tuple[str, str]) -> str:
    """Draw one plane of one category."""
    made, real = _values(found, report, *pair)
    plane = report.planes[",".join(pair)]
    units = found.units[pair[0]], found.units[pair[1]]
    text = (
        f"{number(plane.ratio)} ± {number(plane.ratio_error)}{' *' * plane.differs}; "
        f"correlation {plane.generated_correlation:.2f} (real {plane.real_correlation:.2f})"
    )
    drawing = svg.plane((short(pair[0]), short(pair[1])), units, made, real)
    return html.figure(drawing, text)
