"""Sections of the page with pictures of galaxies."""

from __future__ import annotations

import numpy as np

from galgen.evaluation.exhibits import Exhibits
from galgen.evaluation.galaxies import evenly
from galgen.evaluation.page import html
from galgen.evaluation.page.pictures import strip
from galgen.evaluation.report import Evaluation, percent

COLUMNS = 16
EXTREMES = 8  # most and least convincing galaxies


def galaxies(found: Evaluation) -> str:
    """Show generated galaxies above real ones of each category, evenly spaced, not selected."""
    shown = found.exhibits
    if shown is None or not len(shown.generated.images_mhwc):
        return ""
    parts = [html.paragraph("Generated above real ones, evenly spaced in their files, not chosen.")]
    for report in found.categories:
        made = shown.generated.pictures(shown.generated.rows(report.code))
        real = shown.real.pictures(shown.real.rows(report.code, below=True))
        rows = [
            g.images_mhwc[where[evenly(len(where), COLUMNS)]]
            for g, where in ((shown.generated, made), (shown.real, real))
            if len(where)
        ]
        said = f"{report.name}: generated galaxies above real ones."
        parts.append(html.part(report.name, strip(rows, said)))
    return "".join(parts)


def convincing(found: Evaluation) -> str:
    """Show what a classifier took for real and for generated, of each category."""
    if found.exhibits is None or not found.exhibits.judged:
        return ""
    space = next(iter(found.exhibits.judged.values())).space
    parts = [
        html.paragraph(
            f"How a classifier on the features '{space}' judged galaxies that it had not seen, the "
            "most extreme first."
        )
    ]
    for name in found.exhibits.judged:
        parts.append(html.part(name, html.row(_judged(found.exhibits, name))))
    return "".join(parts)


def neighbours(found: Evaluation) -> str:
    """Show the nearest pairs of generated and known galaxies."""
    near = found.neighbours
    if near is None or found.exhibits is None:
        return ""
    known = "reference" if found.train is None else "training"
    lines = [
        f"{near.generated} generated galaxies were looked up among the {known} galaxies, under "
        f"flips and turns; {near.real} real galaxies of the same mixture give the scale.",
        f"Nearer to a {known} galaxy than 99% of real ones are: {percent(near.fraction_closer)} ± "
        f"{percent(near.fraction_error)}, by chance 1%. Median distance {near.median_ratio:.2f} of "
        "that of real galaxies.",
    ]
    pairs = [
        html.figure(
            strip(
                [pair.generated_hwc[None], pair.known_hwc[None]],
                f"Generated galaxy {pair.galaxy_id} above {pair.known_id}.",
                2.0,
            ),
            f"{pair.distance:.3f}: {pair.galaxy_id} above {pair.known_id}",
        )
        for pair in found.exhibits.pairs
    ]
    shown = html.paragraph(f"The nearest pairs, generated above {known} galaxies:")
    return "".join(map(html.paragraph, lines)) + shown + html.row(pairs)


def _judged(shown: Exhibits, name: str) -> list[str]:
    """Return strips of the extremes of one category."""
    judged = shown.judged[name]
    figures = []
    for kind, images, which, score in (
        ("generated", shown.generated.images_mhwc, judged.generated_n, judged.scores.generated_n),
        ("real", shown.real.images_mhwc, judged.real_m, judged.scores.real_m),
    ):
        scored = np.flatnonzero(np.isfinite(score))
        order = scored[np.argsort(score[scored], kind="stable")]
        for taken, best in (("real", order[:EXTREMES]), ("generated", order[::-1][:EXTREMES])):
            said = f"{kind}, taken for {taken}" if kind != taken else f"{kind}, surely {taken}"
            picture = strip([images[which[best]]], f"{name}: {said}.")
            figures.append(html.figure(picture, said))
    return figures
