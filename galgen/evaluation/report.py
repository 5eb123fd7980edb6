"""What an evaluation found, as JSON and as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from galgen.evaluation.distance import Comparison
from galgen.evaluation.neighbours import Neighbours
from galgen.settings import json_types

FORMAT = 1
_HEADS = {
    "HALF_LIGHT_RADIUS": "r50",
    "AXIS_RATIO": "b/a",
    "CONCENTRATION": "conc.",
    "ASYMMETRY": "asym.",
    "SURFACE_BRIGHTNESS": "SB",
    "LOG_FLUX": "log flux",
}


@dataclass(frozen=True)
class CategoryReport:
    """One category of the catalogue.

    Attributes
    ----------
    name : str
        Category asked for.
    generated, real : int
        Galaxies of the catalogue, and reference galaxies of the category or anything below it.
    generated_undetected, real_undetected : float
        Fraction in which no galaxy could be measured.
    columns : mapping of str to Comparison
        By column; empty where there are too few galaxies.
    """

    name: str
    generated: int
    real: int
    generated_undetected: float
    real_undetected: float
    columns: Mapping[str, Comparison] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Median ratio over the columns, NaN where there are none."""
        return _median(c.ratio for c in self.columns.values())


@dataclass(frozen=True)
class Evaluation:
    """Generated against real galaxies; see `galgen.evaluation.evaluate`.

    Attributes
    ----------
    catalog : mapping
        Provenance of the catalogue: file, galaxies, weights, sampler.
    reference : mapping
        Source, galaxies and SHA-256 of the reference.
    seed, splits : int
        Of the random halvings.
    units : mapping of str to str
        Unit of each column compared.
    categories : tuple of CategoryReport
        In code order.
    neighbours : Neighbours or None
        None where not asked for.
    versions : mapping of str to str
        Versions of the packages that measured.
    """

    catalog: Mapping[str, object]
    reference: Mapping[str, object]
    seed: int
    splits: int
    units: Mapping[str, str]
    categories: tuple[CategoryReport, ...]
    neighbours: Neighbours | None
    versions: Mapping[str, str]

    @property
    def median(self) -> float:
        """Median ratio over all categories and columns, NaN where there are none."""
        return _median(c.ratio for r in self.categories for c in r.columns.values())

    def column_medians(self) -> dict[str, float]:
        """Median ratio of each column over the categories."""
        return {
            name: _median(r.columns[name].ratio for r in self.categories if name in r.columns)
            for name in self.units
        }

    def to_json(self) -> dict[str, object]:
        """Everything as JSON types, with the summary first; NaN and infinity are None."""
        summary = {
            "median_ratio": self.median,
            "by_column": self.column_medians(),
            "by_category": {r.name: r.median for r in self.categories if r.columns},
        }
        everything = {"format": FORMAT, "summary": summary, **asdict(self)}
        return {name: json_types(value) for name, value in everything.items()}

    def table(self) -> str:
        """Ratios by category and column, and what else a person should know, as aligned text."""
        heads = ["category", "generated", "real", *map(_head, self.units), "median"]
        rows = [heads]
        for report in self.categories:
            cells = [_cell(report.columns.get(name)) for name in self.units]
            counts = [str(report.generated), str(report.real)]
            rows.append([report.name, *counts, *cells, _number(report.median)])
        medians = [_number(m) for m in self.column_medians().values()]
        rows.append(["median", "", "", *medians, _number(self.median)])
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        lines = [
            "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zipped))
            for zipped in (list(zip(row, widths, strict=True)) for row in rows)
        ]
        lines = [line.rstrip() for line in lines]
        return "\n".join([*lines, "", *self._notes()]) + "\n"

    def _notes(self) -> list[str]:
        """Lines below the table."""
        notes = [
            "Wasserstein-1 distance of generated from real galaxies over that of two halves of the "
            "real ones:",
            "1 is indistinguishable at this sample size; * is more than 19 of 20 real halves.",
        ]
        few = [r.name for r in self.categories if not r.columns]
        if few:
            notes.append(f"Too few galaxies to compare: {', '.join(few)}.")
        undetected = [
            f"{r.name} {r.generated_undetected:.1%} (real {_percent(r.real_undetected)})"
            for r in self.categories
            if r.generated_undetected > 0
        ]
        notes.append(f"No galaxy detected: {', '.join(undetected) or 'none'}.")
        if self.neighbours is not None:
            near = self.neighbours
            notes.append(
                f"Nearest neighbours of {near.generated} stamps: {near.fraction_closer:.1%} are "
                f"closer to a real galaxy than 99% of real ones are (chance: 1%); median distance "
                f"{near.median_ratio:.2f} of theirs."
            )
        return notes


def _head(name: str) -> str:
    """Return a column name short enough for a table; ``COLOR_G_R`` becomes g-r."""
    if name.startswith("COLOR_"):
        return name.removeprefix("COLOR_").replace("_", "-").lower()
    return _HEADS.get(name, name.replace("_", " ").lower())


def _cell(comparison: Comparison | None) -> str:
    """Return a cell of the table."""
    if comparison is None:
        return "-"
    return _number(comparison.ratio) + ("*" if comparison.differs else " ")


def _number(value: float) -> str:
    """Return a ratio as text."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def _percent(value: float) -> str:
    """Return a fraction as text."""
    return f"{value:.1%}" if math.isfinite(value) else "unknown"


def _median(values: Iterable[float]) -> float:
    """Median, NaN of nothing."""
    values = list(values)
    return float(np.median(values)) if values else math.nan
