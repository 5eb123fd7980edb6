"""How well galaxies made in one way keep the population, with errors of differences between ways.

The galaxies that `galgen train` holds out are halved by galaxy: what is chosen is chosen on one
half (`CHOOSE`), what is said of the choice is measured on the other (`REPORT`). For each real
galaxy of a half one of its label is made. All ways make the same galaxies, with the same properties
and the same noise to begin with, and are compared with the same real ones; so their differences are
known better than their distances.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.matched_sets import Galaxies, real
from bench.pixel_statistics import statistics
from galgen import categories
from galgen.data import StampSet, split
from galgen.evaluation.columns import compared_values
from galgen.evaluation.distance import wasserstein1
from galgen.evaluation.two_sample import Separation, separation
from galgen.training.cache import measurement_version
from galgen.training.config import TrainConfig

# Kinds that have enough galaxies in both halves, and their labels.
KINDS: Mapping[str, tuple[str, ...]] = {
    "round-smooth": ("round-smooth",),
    "in-between-smooth": ("in-between-smooth",),
    "spiral": ("spiral", "barred-spiral", "tight-spiral", "loose-spiral"),
    "edge-on": ("edge-on-bulge", "edge-on-no-bulge", "cigar-smooth"),
}
CHOOSE, REPORT = "choose", "report"
POPULATION, PIXELS, SPREAD, OVERALL = "population", "pixels", "spread", "overall"
_SALT = "galgen report"  # of the halves
_DRAWS = 40  # sets of training galaxies behind a floor
_PARTS = 20  # of the jackknife
_LEAST = 0.1  # ratio in a geometric mean: one that happens to be zero must not decide
REPEATS = 3  # of the cross-validation


Table = Mapping[str, np.ndarray]  # columns (N,) by name


def tables_of(galaxies: Galaxies, bands: tuple[str, ...]) -> dict[str, Table]:
    """Return what is compared: measured columns, and statistics of the pixels."""
    return {
        POPULATION: compared_values(galaxies.measured, bands),
        PIXELS: statistics(galaxies.images_nhwc, galaxies.measured, bands),
    }


@dataclass(frozen=True)
class Half:
    """Real galaxies of one half, in the order of `KINDS`, and galaxies that were learned from.

    Attributes
    ----------
    code_n, kind_n : ndarray (N,)
        Labels of the real ones, and their numbers in `KINDS`.
    real, training : dict of str to Table
        `tables_of` the real ones, and of all labelled training galaxies of the same kinds.
    rows_dn : ndarray (draws, N) of int
        Training galaxies of the same labels, drawn at random: sets that are as good as real.
    bands : tuple of str
        Bluest first.
    images_nhwc : ndarray (N, H, W, B) uint8
        The real ones.
    """

    code_n: np.ndarray
    kind_n: np.ndarray
    real: Mapping[str, Table]
    training: Mapping[str, Table]
    rows_dn: np.ndarray
    bands: tuple[str, ...]
    images_nhwc: np.ndarray

    @cached_property
    def part_n(self) -> np.ndarray:
        """Which part of the jackknife each galaxy is in: of every kind equally many."""
        return np.concatenate([np.arange(count) % _PARTS for count in self.counts])

    @property
    def counts(self) -> list[int]:
        """Real galaxies of each kind."""
        return np.bincount(self.kind_n, minlength=len(KINDS)).tolist()

    @cached_property
    def floors(self) -> dict[str, np.ndarray]:
        """Mean distance of training galaxies from the real ones: (1 + parts, kinds, columns)."""
        sets = [self.training_set(draw) for draw in range(len(self.rows_dn))]
        return {
            name: np.mean([self._distances(each[name], table) for each in sets], 0)
            for name, table in self.real.items()
        }

    @cached_property
    def spreads(self) -> np.ndarray:
        """Interquartile ranges of the training galaxies, in the half's labels; (kinds, columns)."""
        columns = [column[self.rows_dn] for column in self.training[POPULATION].values()]
        return np.array([[_range(c[:, rows]) for c in columns] for rows in self._rows()])

    def training_set(self, draw: int) -> dict[str, Table]:
        """Return one of the sets of training galaxies."""
        rows = self.rows_dn[draw]
        return {
            name: {column: values[rows] for column, values in table.items()}
            for name, table in self.training.items()
        }

    def compare(self, made: Mapping[str, Table]) -> dict[str, Found]:
        """Compare galaxies that were made, one for each real one, with them."""
        found = {}
        for name, table in self.real.items():
            floors = self.floors[name]
            usable = (floors > 0).all((0, 1))  # a column that is the same in all says nothing
            ratios = self._distances(made[name], table)[..., usable] / floors[..., usable]
            names = tuple(column for column, use in zip(table, usable, strict=True) if use)
            found[name] = Found(ratios, names)
        ranges = self._each(lambda rows: [_range(c[rows]) for c in made[POPULATION].values()])
        found[SPREAD] = Found(ranges / self.spreads, tuple(made[POPULATION]))
        return found

    def told_apart(self, made: Mapping[str, Table]) -> Separation:
        """Tell them from the real ones by the statistics of their pixels."""
        sides = [np.column_stack(list(t[PIXELS].values())) for t in (made, self.real)]
        middle = np.nanmedian(sides[1], 0)
        return separation(*(np.where(np.isfinite(x), x, middle) for x in sides), repeats=REPEATS)

    def _distances(self, a: Table, b: Table) -> np.ndarray:
        sides = [np.column_stack([table[column] for column in b]) for table in (a, b)]
        return self._each(lambda rows: _distances(*(side[rows] for side in sides)))

    def _each(self, numbers: Callable[[np.ndarray], Any]) -> np.ndarray:
        """Numbers of each kind, of all galaxies and without each part: (1 + parts, kinds, ...)."""
        parts = [None, *range(_PARTS)]
        return np.array([[numbers(rows) for rows in self._rows(part)] for part in parts])

    def _rows(self, without: int | None = None) -> list[np.ndarray]:
        kept = self.part_n != (-1 if without is None else without)
        return [np.flatnonzero(kept & (self.kind_n == kind)) for kind in range(len(KINDS))]


@dataclass(frozen=True)
class Found:
    """Ratios of all galaxies, then without each part of the jackknife.

    Attributes
    ----------
    ratios : ndarray (1 + parts, kinds, columns)
        Wasserstein-1 distance to the real galaxies over that of as many training galaxies, or
        interquartile range over theirs.
    columns : tuple of str
        Names of the columns.
    """

    ratios: np.ndarray
    columns: tuple[str, ...]

    def mean(self, geometric: bool = False) -> np.ndarray:
        """Mean over kinds and columns, (1 + parts,)."""
        if geometric:
            return np.exp(np.log(np.maximum(self.ratios, _LEAST)).mean((1, 2)))
        return self.ratios.mean((1, 2))


def as_json(found: Mapping[str, Found], default: Mapping[str, Found] | None) -> dict[str, Any]:
    """Return means with their errors, and their differences from those of a default."""
    means = summaries(found)
    out: dict[str, Any] = {name: with_error(mean) for name, mean in means.items()}
    if default is not None:
        for name, mean in summaries(default).items():
            out[f"{name}_difference"] = with_error(means[name] - mean)
    first = found[POPULATION].ratios[0]
    kinds, columns = first.mean(1).tolist(), first.mean(0).tolist()
    out["by_kind"] = {k: round(v, 3) for k, v in zip(KINDS, kinds, strict=True)}
    names = found[POPULATION].columns
    out["by_column"] = {c: round(v, 3) for c, v in zip(names, columns, strict=True)}
    return out


def summaries(found: Mapping[str, Found]) -> dict[str, np.ndarray]:
    """Return a number for each comparison, (1 + parts,), and one over population and pixels.

    Pixels have many columns of which a few may be far off: there, and of spreads, geometric means.
    Blurred galaxies without noise may have the right sizes and colours, and sharp ones with the
    right noise too large an asymmetry. So the geometric mean of both ratios decides.
    """
    means = {name: each.mean(name != POPULATION) for name, each in found.items()}
    return means | {OVERALL: np.sqrt(means[POPULATION] * means[PIXELS])}


def with_error(replicates: np.ndarray) -> list[float]:
    """Value and standard error: of all galaxies, and by the jackknife over its parts."""
    whole, parts = replicates[0], replicates[1:]
    error = np.sqrt((len(parts) - 1) * np.mean((parts - parts.mean()) ** 2))
    return [round(float(whole), 4), round(float(error), 4)]


def _distances(a_nc: np.ndarray, b_nc: np.ndarray) -> np.ndarray:
    """Wasserstein-1 distance of each column, of what is finite."""
    # Of equally many values, sorted, it is the mean difference of like ranks.
    found_c: np.ndarray = np.abs(np.sort(a_nc, 0) - np.sort(b_nc, 0)).mean(0)
    for c in np.flatnonzero(~np.isfinite(found_c)):
        found_c[c] = wasserstein1(*(x[np.isfinite(x)] for x in (a_nc[:, c], b_nc[:, c])))
    return found_c


def _range(values: np.ndarray) -> float:
    low, high = np.nanpercentile(values, [25, 75])
    return float(high - low)


def half_of(stamps: StampSet, which: str, cache: Path, seed: int = 0) -> Half:
    """Take one half of the held-out galaxies of a labelled set.

    Parameters
    ----------
    stamps : StampSet
        Labelled galaxies, those held out of training among them.
    which : str
        `CHOOSE` or `REPORT`.
    cache : Path
        Folder for what is measured.
    seed : int
        Of the sets of training galaxies.
    """
    training, held_out = split(stamps, TrainConfig.validation)
    half = split(held_out, 0.5, _SALT)[which == REPORT]
    rows, kinds = [], []
    for number, labels in enumerate(KINDS.values()):
        codes = [categories.get(label).code for label in labels]
        rows.append(np.flatnonzero(np.isin(half.category, codes)))
        kinds.append(np.full(len(rows[-1]), number))
    row_n = np.concatenate(rows)
    code_n = half.category[row_n].astype(np.int64)
    of_kinds = training.select(np.isin(training.category, code_n))
    rng = np.random.default_rng(seed)
    rows_dn = np.empty((_DRAWS, len(code_n)), np.int64)
    for code in np.unique(code_n):
        members = np.flatnonzero(of_kinds.category == code)
        wanted = np.flatnonzero(code_n == code)
        for draw in rows_dn:
            draw[wanted] = rng.choice(members, len(wanted), replace=False)
    ours = real(half, row_n)
    measured = tables_of(ours, half.bands), _measured(of_kinds, cache)
    return Half(code_n, np.concatenate(kinds), *measured, rows_dn, half.bands, ours.images_nhwc)


def _measured(stamps: StampSet, cache: Path) -> dict[str, Table]:
    """`tables_of` real galaxies, from a folder where they are known."""
    digest = hashlib.sha256(np.ascontiguousarray(stamps.pixels).data)
    digest.update(measurement_version().encode())
    path = cache / f"real-{digest.hexdigest()[:20]}.npz"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        tables = tables_of(real(stamps, np.arange(len(stamps))), stamps.bands)
        np.savez(path, **{f"{t}.{c}": v for t, table in tables.items() for c, v in table.items()})
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path) as known:
        for key in known.files:
            name, column = key.split(".", 1)
            found.setdefault(name, {})[column] = known[key]
    return found
