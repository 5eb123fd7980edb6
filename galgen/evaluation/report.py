"""What an evaluation found, as JSON and as a table."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from galgen.evaluation.distance import Comparison
from galgen.evaluation.exhibits import Exhibits
from galgen.evaluation.feature_distance import FeatureComparison
from galgen.evaluation.fidelity import CategoryFidelity, PropertyFidelity
from galgen.evaluation.joint import PlaneComparison
from galgen.evaluation.neighbours import Neighbours
from galgen.evaluation.two_sample import TwoSample
from galgen.settings import json_types

FORMAT = 2
_WIDTH = 100  # of the text below the table
_HEADS = {
    "HALF_LIGHT_RADIUS": "r50",
    "AXIS_RATIO": "b/a",
    "CONCENTRATION": "conc.",
    "ASYMMETRY": "asym.",
    "SURFACE_BRIGHTNESS": "SB",
    "LOG_FLUX": "log flux",
    "GINI": "Gini",
    "M20": "M20",
    "PETROSIAN_RADIUS": "r Petro.",
    "MOMENT_RADIUS": "r rms",
    "FOURIER_A1": "A1",
    "FOURIER_A3": "A3",
    "FOURIER_A4": "A4",
    "ARM_STRENGTH": "arms",
    "ARM_COHERENCE": "coherence",
    "BAR_STRENGTH": "bar",
    "PITCH_ANGLE": "pitch",
}


@dataclass(frozen=True)
class CategoryReport:
    """One category of the catalogue.

    Attributes
    ----------
    name : str
        Category asked for.
    code : int
        Its code.
    generated, real : int
        Galaxies of the catalogue, and reference galaxies of the category or anything below it.
    generated_seen, real_seen : int
        Of these, the ones whose stamps were looked at.
    generated_undetected, real_undetected : float
        Fraction in which no galaxy could be measured.
    columns : mapping of str to Comparison
        By column; empty where there are too few galaxies.
    planes : mapping of str to PlaneComparison
        By the names of two columns, with a comma.
    two_sample : mapping of str to TwoSample
        How well a classifier tells the two apart, by space of features.
    features : mapping of str to FeatureComparison
        Distances by space of features.
    """

    name: str
    code: int
    generated: int
    real: int
    generated_seen: int
    real_seen: int
    generated_undetected: float
    real_undetected: float
    columns: Mapping[str, Comparison] = field(default_factory=dict)
    planes: Mapping[str, PlaneComparison] = field(default_factory=dict)
    two_sample: Mapping[str, TwoSample] = field(default_factory=dict)
    features: Mapping[str, FeatureComparison] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Median ratio over the columns, NaN where there are none."""
        return _median(c.ratio for c in self.columns.values())

    @property
    def mean(self) -> float:
        """Mean ratio over the columns, NaN where there are none."""
        return _mean(c.ratio for c in self.columns.values())

    @property
    def worst(self) -> str | None:
        """The column with the largest ratio, if there is one."""
        return max(self.columns, key=lambda name: self.columns[name].ratio, default=None)


@dataclass(frozen=True)
class Evaluation:
    """Generated against real galaxies; see `galgen.evaluation.evaluate`.

    Attributes
    ----------
    catalog : mapping
        Provenance of the catalogue: file, galaxies, weights, sampler.
    reference, train : mapping
        Source, galaxies and SHA-256 of the reference and of the training galaxies; `train` is None
        where these were not given.
    seed, splits, stamps : int
        Of all that is random, how many random halvings, and the most galaxies of a category, of
        either origin, whose stamps were looked at.
    units : mapping of str to str
        Unit of each column compared.
    categories : tuple of CategoryReport
        In code order.
    properties : mapping of str to PropertyFidelity
        What was asked of galaxies against what was measured, by column.
    classified : CategoryFidelity or None
        Categories asked for against those that a classifier sees, beside real galaxies.
    neighbours : Neighbours or None
        None where not looked for.
    missing : tuple of str
        What could not be said, and why.
    versions : mapping of str to str
        Versions of the packages that measured.
    exhibits : Exhibits or None
        What the page shows and JSON has no word of.
    """

    catalog: Mapping[str, object]
    reference: Mapping[str, object]
    train: Mapping[str, object] | None
    seed: int
    splits: int
    stamps: int
    units: Mapping[str, str]
    categories: tuple[CategoryReport, ...]
    properties: Mapping[str, PropertyFidelity]
    classified: CategoryFidelity | None
    neighbours: Neighbours | None
    missing: tuple[str, ...]
    versions: Mapping[str, str]
    exhibits: Exhibits | None = field(default=None, repr=False, compare=False)

    @property
    def spaces(self) -> tuple[str, ...]:
        """The spaces of features, in order."""
        return tuple(dict.fromkeys(name for r in self.categories for name in r.two_sample))

    @property
    def median(self) -> float:
        """Median ratio over all categories and columns, NaN where there are none."""
        return _median(self._ratios())

    @property
    def mean(self) -> float:
        """Mean ratio over all categories and columns, NaN where there are none."""
        return _mean(self._ratios())

    def column_medians(self) -> dict[str, float]:
        """Median ratio of each column over the categories."""
        return {
            name: _median(r.columns[name].ratio for r in self.categories if name in r.columns)
            for name in self.units
        }

    def to_json(self) -> dict[str, object]:
        """Everything as JSON types, with the summary first; NaN and infinity are None."""
        compared = [r for r in self.categories if r.columns]
        told_apart = {
            r.name: {space: found.generated.auc for space, found in r.two_sample.items()}
            for r in self.categories
            if r.two_sample
        }
        summary = {
            "median_ratio": self.median,
            "mean_ratio": self.mean,
            "largest_ratio": max(self._ratios(), default=math.nan),
            "by_column": self.column_medians(),
            "by_category": {r.name: r.median for r in compared},
            "auc": told_apart,
        }
        found = asdict(replace(self, exhibits=None))
        del found["exhibits"]
        everything = {"format": FORMAT, "summary": summary, **found}
        return {name: json_types(value) for name, value in everything.items()}

    def table(self) -> str:
        """Return what a person should know first, as aligned text."""
        heads = ["category", "generated", "real", "mean", "median", "largest", *self.spaces]
        rows = [heads, *self.rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        lines = [
            "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zipped))
            for zipped in (list(zip(row, widths, strict=True)) for row in rows)
        ]
        notes = [textwrap.fill(note, _WIDTH) for note in self.notes()]
        return "\n".join([*(line.rstrip() for line in lines), "", *notes]) + "\n"

    def rows(self) -> Iterator[list[str]]:
        """Cells of the table: a row for each category, and the last for all of them."""
        for r in self.categories:
            worst = "-"
            if r.worst is not None:
                ratio = r.columns[r.worst]
                worst = f"{short(r.worst)} {number(ratio.ratio)}" + "*" * ratio.differs
            told = [apart(r.two_sample.get(space)) for space in self.spaces]
            counts = [str(r.generated), str(r.real), number(r.mean), number(r.median)]
            yield [r.name, *counts, worst, *told]
        aucs = [
            number(
                _mean(r.two_sample[s].generated.auc for r in self.categories if s in r.two_sample)
            )
            for s in self.spaces
        ]
        yield ["all", "", "", number(self.mean), number(self.median), "", *aucs]

    def notes(self) -> list[str]:
        """Lines below the table."""
        notes = [
            "Mean, median, largest: Wasserstein-1 distance of generated from real galaxies over "
            f"that of real from real ones, of {len(self.units)} columns; 1 cannot be told apart at "
            "this sample size, * is more than 19 of 20 real halves.",
        ]
        if self.spaces:
            notes.append(
                f"{', '.join(self.spaces)}: area under the curve of a classifier between generated "
                "and real galaxies (in brackets: real and real), 0.5 is chance."
            )
        undetected = [
            f"{r.name} {r.generated_undetected:.1%} (real {percent(r.real_undetected)})"
            for r in self.categories
            if r.generated_undetected > 0
        ]
        notes.append(f"No galaxy detected: {', '.join(undetected) or 'none'}.")
        if self.classified is not None:
            found = self.classified
            notes.append(
                f"Classified as what was asked for: {percent(found.generated)}, real galaxies as "
                f"their label {percent(found.real)}; difference {100 * found.difference:+.1f} "
                f"± {100 * found.difference_error:.1f} points, mean over categories."
            )
        if self.neighbours is not None:
            near = self.neighbours
            known = "reference" if self.train is None else "training"
            notes.append(
                f"Nearest neighbours of {near.generated} stamps: {near.fraction_closer:.1%} are "
                f"closer to a {known} galaxy than 99% of real ones are (chance: 1%); median "
                f"distance {near.median_ratio:.2f} of theirs."
            )
        return notes + [f"Left out: {line}" for line in self.missing]

    def _ratios(self) -> Iterator[float]:
        """Ratios of all categories and columns."""
        return (c.ratio for r in self.categories for c in r.columns.values())


def short(name: str) -> str:
    """Return a column name short enough for a table; ``COLOR_G_R`` becomes g-r."""
    if name.startswith("COLOR_"):
        return name.removeprefix("COLOR_").replace("_", "-").lower()
    return _HEADS.get(name, name.replace("_", " ").lower())


def number(value: float) -> str:
    """Return a ratio as text."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def percent(value: float) -> str:
    """Return a fraction as text."""
    return f"{value:.1%}" if math.isfinite(value) else "unknown"


def apart(found: TwoSample | None) -> str:
    """Return an area under the curve, and that of real against real, as text."""
    return "-" if found is None else f"{found.generated.auc:.2f} ({found.real.auc:.2f})"


def _median(values: Iterable[float]) -> float:
    """Median, NaN of nothing."""
    values = list(values)
    return float(np.median(values)) if values else math.nan


def _mean(values: Iterable[float]) -> float:
    """Mean, NaN of nothing."""
    values = list(values)
    return float(np.mean(values)) if values else math.nan
