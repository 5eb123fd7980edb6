"""One galaxy per row of a table: what a mock survey asks for its own population.

An `Asker` like `galgen.request.mixture.Request`. Galaxy i is row i, so what is asked of it depends
on neither the batch nor the number of galaxies.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from galgen.errors import DataError, GalgenWarning, InvalidValueError
from galgen.measure import ZERO_POINT
from galgen.pixels.units import NANOMAGGY, FluxScale, flux_ratio, magnitude
from galgen.request.asked import Asked
from galgen.request.carried import carried
from galgen.request.labels import MISSING
from galgen.request.mixture import Request
from galgen.request.population import Population
from galgen.request.rows import OF_NO_GALAXY, check_categories, check_fluxes
from galgen.request.survey import Given, Survey

_CHUNK = 1 << 16  # rows at a time, where all are looked at


class Like:
    """Galaxies like those of a table.

    A category or property that a row has not is drawn as `fallback` says: from its mixture and its
    ranges, else from the training population given what the row has. Values outside the model's
    range are brought to its edge, which a `GalgenWarning` says, or refused if `strict`.

    Parameters
    ----------
    survey : Survey
        The table, read in the terms of the model.
    scale : FluxScale
        The flux unit to be written.
    fallback : Request
        Seed, and what is drawn where a row does not say.
    mixture_given : bool
        Whether rows without a category are of the mixture of `fallback`, or an error.
    n : int, optional
        The first rows of the table only.
    strict : bool
        Refuse values outside the model's range.
    keep : iterable of str
        Columns to carry over, by name or pattern (``flux_*``), whatever their case; by default all.
    drop : iterable of str
        Columns not to carry over, of these.
    carry_only : bool
        Take nothing from the table: its rows are carried over to galaxies that are drawn as
        `fallback` says. Without it, a table is refused of which nothing is taken.

    Attributes
    ----------
    table : InputTable
        The table.
    columns : tuple of Column
        Those carried over.
    n : int
        How many rows are made.

    Raises
    ------
    InvalidValueError
        If `n` is beyond the table, a pattern in `keep` or `drop` fits no column, or nothing says
        what to make of a table that is carried over only.
    DataError
        If the table has no rows, nothing of it is taken, or columns that are not left out cannot be
        carried over.
    """

    def __init__(
        self,
        survey: Survey,
        scale: FluxScale,
        fallback: Request,
        *,
        mixture_given: bool,
        n: int | None = None,
        strict: bool = False,
        keep: Iterable[str] = (),
        drop: Iterable[str] = (),
        carry_only: bool = False,
    ) -> None:
        self.table, rows = survey.table, len(survey.table)
        if rows == 0:
            raise DataError(f"{self.table.path}: has no rows.")
        self.n = rows if n is None else n
        if not 1 <= self.n <= rows:
            raise InvalidValueError("n", n, f"1 to {rows}, the rows of {self.table.path}")
        self._survey, self._scale, self._fallback = survey, scale, fallback
        self._mixture_given, self._strict = mixture_given, strict
        if carry_only and not mixture_given:
            raise InvalidValueError(
                "`carry_only`", True, "with a category for all rows (`category`)"
            )
        if not (carry_only or survey.taken):
            raise DataError(
                f"{self.table.path}: no column of it says anything of galaxies ({survey.explain()})"
                f"; it has {self.table.listed}. Name columns (`renamed={{'category': COLUMN}}`), "
                "or, for galaxies that have nothing to do with the table, give `category` and "
                "`carry_only`."
            )
        self._carry_only = carry_only
        self._keep, self._drop = tuple(keep), tuple(drop)
        self.columns = carried(self.table, self._keep, self._drop)

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self._fallback.seed

    def check(self, population: Population) -> None:
        """Go through the rows and refuse, or warn of, what cannot be had.

        Raises
        ------
        DataError
            If a category is missing or unknown, a flux is missing that the scale depends on, or a
            value is out of range and that is refused.
        InvalidValueError
            As `Request.check`.
        """
        self._fallback.check(population)
        outside = dict.fromkeys(population.names, 0)
        absurd_b = np.zeros(len(self._survey.bands), int)
        path = self.table.path
        for start, given in self._chunks(self.n):
            if not self._mixture_given:
                check_categories(path, start, given)
            dark = self._survey.fluxes != "AB" or self._survey.calibrated
            check_fluxes(path, start, given, self._flux(given), strict=self._strict, dark=dark)
            absurd_b += given.absurd_nb.sum(0)
            for name, value_n in self._properties(population, given).items():
                outside[name] += self._count_outside(population, name, start, value_n)
        if absurd_b.any():
            names = [self._survey.used.get(f"flux_{b.lower()}", b) for b in self._survey.bands]
            counts = ", ".join(f"{k} {c:,}" for k, c in zip(names, absurd_b, strict=True) if c)
            warnings.warn(
                f"{path}: fluxes {OF_NO_GALAXY} count as missing, of {self.n:,} rows: {counts}.",
                GalgenWarning,
                stacklevel=4,
            )
        if any(outside.values()):
            counts = ", ".join(f"{name} {count:,}" for name, count in outside.items() if count)
            warnings.warn(
                f"{path}: values outside the range that the model knows were brought to its edge, "
                f"of {self.n:,} rows: {counts}.",
                GalgenWarning,
                stacklevel=4,
            )

    def ask(self, population: Population, index_n: Tensor) -> Asked:
        """Read the rows of galaxies, and draw what they lack; see `Asker.ask`.

        Raises
        ------
        DataError
            If a category is unknown, or a column holds no numbers.
        """
        # The last micro-batch is padded with galaxies beyond the table, which nobody sees.
        rows = np.minimum(index_n.numpy(), len(self.table) - 1)
        given = self._survey.given(rows)
        drawn_n, ranged = self._fallback.draw_given(population, index_n)
        code_n = np.where(given.code_n == MISSING, drawn_n, given.code_n)
        known = self._standardised(population, given)
        for name, z_n in ranged.items():
            own_n = known.get(name, np.full(len(z_n), np.nan, np.float32))
            known[name] = np.where(np.isnan(own_n), z_n, own_n)
        z_np = self._fallback.complete(population, index_n, code_n, known)
        flux_nb = self._flux(given)
        return Asked(
            torch.from_numpy(code_n),
            z_np,
            None if flux_nb is None else torch.from_numpy(flux_nb),
            {c.name: np.asarray(self.table.raw(c.name, rows)) for c in self.columns},
        )

    def brightest(self, n: int) -> np.ndarray:
        """Find the largest flux that is asked for in each band.

        Parameters
        ----------
        n : int
            How many galaxies, from the first, are looked at.

        Returns
        -------
        ndarray (b,) of float32
            Flux in the unit to be written; NaN where no flux is asked for.
        """
        most_b = np.full(len(self._survey.bands), np.nan, np.float32)
        for _, given in self._chunks(n):
            flux_nb = self._flux(given)
            if flux_nb is not None:
                most_b = np.fmax(most_b, np.fmax.reduce(flux_nb))
        return most_b

    def as_text(self) -> str:
        """Return what is asked for: where each quantity comes from, and what the rows lack."""
        used = [f"{ours}={theirs}" for ours, theirs in self._survey.used.items()]
        rest = self._fallback.as_text()
        if not self._mixture_given:
            rest = rest.partition(" ")[2]
        keep = [f"keep={pattern}" for pattern in self._keep]
        drop = [f"drop={pattern}" for pattern in self._drop]
        only = ["carry-only"] if self._carry_only else []
        like = ["like", self.table.label, *used, *keep, *drop, *only, rest]
        return " ".join(like).strip()

    def explain(self) -> str:
        """Say which columns are used for what; see `galgen.request.asked.Asker.explain`."""
        said = "nothing is used, columns are carried over only"
        lines = [said if self._carry_only else self._survey.explain()]
        if self.table.others:
            lines.append(f"other tables of the file: {', '.join(self.table.others)}")
        rest = self._fallback.explain()
        if self._mixture_given and rest:
            lines.append(rest)
        return f"{self.table.label}: " + "; ".join(lines)

    def _chunks(self, n: int) -> Iterator[tuple[int, Given]]:
        """Read the first n rows, many at a time: the first row of each part, and what it says."""
        for start in range(0, n, _CHUNK):
            yield start, self._survey.given(slice(start, min(start + _CHUNK, n)))

    def _count_outside(
        self, population: Population, name: str, start: int, value_n: np.ndarray
    ) -> int:
        """Count values that the model does not know, or refuse them."""
        p = population.names.index(name)
        lower, upper = population.lower[p], population.upper[p]
        wrong_n = (value_n < lower) | (value_n > upper)
        if self._strict and wrong_n.any():
            row = int(wrong_n.argmax())
            raise DataError(
                f"{self.table.path}: row {start + row}: {name} is {value_n[row]:.4g}; the model "
                f"knows {lower:.4g} to {upper:.4g}. Leave such rows out, or do without `strict`."
            )
        return int(wrong_n.sum())

    def _flux(self, given: Given) -> np.ndarray | None:
        """Return the flux (n, b) asked for in the unit to be written, float32; None for none."""
        if self._survey.fluxes is None:
            return None
        factor, zero = self._scale.factor, self._scale.zero_point
        if self._survey.fluxes == "AB" and zero is not None:
            factor = flux_ratio(zero - NANOMAGGY)
        with np.errstate(over="ignore"):  # `check` refuses what is too bright
            return (given.flux_nb * factor).astype(np.float32)

    def _standardised(self, population: Population, given: Given) -> dict[str, np.ndarray]:
        """Return what rows say of properties as z, brought to the edge of what the model knows."""
        known = {}
        for name, value_n in self._properties(population, given).items():
            p = population.names.index(name)
            value_n = np.clip(value_n, population.lower[p], population.upper[p])
            known[name] = ((value_n - population.centre[p]) / population.scale[p]).astype("f4")
        return known

    def _properties(self, population: Population, given: Given) -> dict[str, np.ndarray]:
        """Return what rows say of properties that the model knows, in its units."""
        properties = dict(given.properties)
        flux_nb = self._survey.in_model_unit(given.flux_nb)
        if flux_nb is not None:
            half_n = 0.5 * flux_nb.mean(axis=1) / (np.pi * properties["half_light_radius"] ** 2)
            properties["surface_brightness"] = magnitude(half_n, ZERO_POINT)
        return {name: properties[name] for name in population.names if name in properties}
