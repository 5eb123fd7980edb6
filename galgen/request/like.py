"""One galaxy per row of a table: what a mock survey asks for its own population.

A sibling of `galgen.request.mixture.Request`, with the same interface. Galaxy i is row i, so what
is asked of it depends on neither the batch nor the number of galaxies.
"""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from galgen.columns import Column
from galgen.errors import DataError, GalgenWarning, InvalidValueError
from galgen.measure import ZERO_POINT
from galgen.pixels.units import FluxScale
from galgen.request.mixture import Request
from galgen.request.population import Population
from galgen.request.survey import MISSING, Asked, Survey
from galgen.request.table import InputTable

MAX_COLUMN_BYTES = 1024  # per row; more belongs into a file of its own
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
    drop : iterable of str
        Columns not to carry over, by name or pattern (``flux_*``), whatever their case.

    Raises
    ------
    InvalidValueError
        If `n` is beyond the table, or a pattern in `drop` fits no column.
    DataError
        If the table has no rows, or columns that are not dropped cannot be carried over.
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
        drop: Iterable[str] = (),
    ) -> None:
        rows = len(survey.table)
        if rows == 0:
            raise DataError(f"{survey.table.path}: has no rows.")
        self.n = rows if n is None else n
        if not 1 <= self.n <= rows:
            raise InvalidValueError("n", n, f"1 to {rows}, the rows of {survey.table.path}")
        self._survey, self._scale, self._fallback = survey, scale, fallback
        self._mixture_given, self._strict = mixture_given, strict
        self._drop = tuple(drop)
        self._kept = _kept(survey.table, self._drop)

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
        path = self._survey.table.path
        for start in range(0, self.n, _CHUNK):
            asked = self._survey.asked(slice(start, min(start + _CHUNK, self.n)))
            if not self._mixture_given and (asked.code_n == MISSING).any():
                row = start + int((asked.code_n == MISSING).argmax())
                raise DataError(
                    f"{path}: row {row} has no category. Give those that have none a category or a "
                    "mixture (--category), or name the column (--map category=COLUMN)."
                )
            if self._all_fluxes and (dark_n := np.isnan(asked.flux_nb).all(1)).any():
                raise DataError(
                    f"{path}: row {start + int(dark_n.argmax())} has no flux in any band, and the "
                    "weights are not calibrated: nothing says how bright it is. Leave it out."
                )
            for name, value_n in self._properties(population, asked).items():
                p = population.names.index(name)
                lower, upper = population.lower[p], population.upper[p]
                wrong_n = (value_n < lower) | (value_n > upper)
                outside[name] += int(wrong_n.sum())
                if self._strict and wrong_n.any():
                    row = int(wrong_n.argmax())
                    raise DataError(
                        f"{path}: row {start + row}: {name} is {value_n[row]:.4g}; the model knows "
                        f"{lower:.4g} to {upper:.4g}. Leave such rows out, or do without --strict."
                    )
        if any(outside.values()):
            counts = ", ".join(f"{name} {count:,}" for name, count in outside.items() if count)
            warnings.warn(
                f"{path}: values outside the range that the model knows were brought to its edge, "
                f"of {self.n:,} rows: {counts}.",
                GalgenWarning,
                stacklevel=4,
            )

    def draw(self, population: Population, index_n: Tensor) -> tuple[Tensor, Tensor]:
        """Category and properties of galaxies; see `Request.draw`."""
        asked = self._survey.asked(self._rows(index_n))
        drawn_n, ranged = self._fallback.draw_given(population, index_n)
        code_n = np.where(asked.code_n == MISSING, drawn_n, asked.code_n)
        given = {}
        for name, value_n in self._properties(population, asked).items():
            p = population.names.index(name)
            value_n = np.clip(value_n, population.lower[p], population.upper[p])
            given[name] = ((value_n - population.centre[p]) / population.scale[p]).astype("f4")
        for name, z_n in ranged.items():
            own_n = given.get(name, np.full(len(z_n), np.nan, np.float32))
            given[name] = np.where(np.isnan(own_n), z_n, own_n)
        z_np = self._fallback.complete(population, index_n, code_n, given)
        return torch.from_numpy(code_n), z_np

    def flux(self, index_n: Tensor) -> Tensor | None:
        """Total flux (N, B) asked for, in the unit to be written; NaN where there is none."""
        if self._survey.fluxes is None:
            return None
        flux_nb = self._survey.asked(self._rows(index_n)).flux_nb
        if self._survey.fluxes == "AB":
            flux_nb = flux_nb * 10 ** (0.4 * (self._scale.zero_point - 22.5))
        else:
            flux_nb = flux_nb * self._scale.factor
        return torch.from_numpy(flux_nb.astype(np.float32))

    def carried(self, index_n: Tensor) -> Mapping[str, np.ndarray]:
        """Columns of the table, raw, by their names in it."""
        rows, table = self._rows(index_n), self._survey.table
        return {column.name: np.asarray(table.raw(column.name, rows)) for column in self._kept}

    @property
    def columns(self) -> tuple[Column, ...]:
        """Those carried over."""
        return self._kept

    def describe(self) -> str:
        """What was asked for, as text: where each quantity comes from, and the rest."""
        used = [f"{ours}={theirs}" for ours, theirs in self._survey.used.items()]
        rest = self._fallback.describe()
        if not self._mixture_given:
            rest = rest.partition(" ")[2]
        drop = [f"drop={pattern}" for pattern in self._drop]
        return " ".join(["like", self._survey.table.path.name, *used, *drop, rest]).strip()

    @cached_property
    def provenance(self) -> dict[str, object]:
        """What a catalogue's header records of the table."""
        table = self._survey.table
        return {"like": table.path.name, "like_sha256": table.sha256, "like_rows": len(table)}

    @property
    def _all_fluxes(self) -> bool:
        """Whether each galaxy must have a flux: uncalibrated weights have no scale of their own."""
        return self._survey.fluxes == "AB" and not self._survey.calibrated

    def _rows(self, index_n: Tensor) -> np.ndarray:
        # The last micro-batch is padded with galaxies beyond the table, which nobody sees.
        return np.minimum(index_n.numpy(), len(self._survey.table) - 1)

    def _properties(self, population: Population, asked: Asked) -> dict[str, np.ndarray]:
        """Properties that the model knows, in its units."""
        properties = dict(asked.properties)
        flux_nb = self._survey.in_model_unit(asked.flux_nb)
        if flux_nb is not None:
            half_n = 0.5 * flux_nb.mean(axis=1) / (np.pi * properties["half_light_radius"] ** 2)
            properties["surface_brightness"] = ZERO_POINT - 2.5 * np.log10(half_n)
        return {name: properties[name] for name in population.names if name in properties}


def _kept(table: InputTable, drop: tuple[str, ...]) -> tuple[Column, ...]:
    """Columns to carry over."""
    names = [column.name.lower() for column in table.columns]
    for pattern in drop:
        if not fnmatch.filter(names, pattern.lower()):
            raise InvalidValueError("column to drop", pattern, ", ".join(names))
    kept, refused = [], []
    for column in table.columns:
        if any(fnmatch.fnmatchcase(column.name.lower(), pattern.lower()) for pattern in drop):
            continue
        if column.variable or not 0 < column.dtype.itemsize <= MAX_COLUMN_BYTES:
            refused.append(f"{column.name} ({column.form})")
        kept.append(column)
    if refused:
        raise DataError(
            f"{table.path}: columns that cannot be carried over, as their length varies or is over "
            f"{MAX_COLUMN_BYTES} bytes: {', '.join(refused)}. Leave them out with --drop."
        )
    return tuple(kept)
