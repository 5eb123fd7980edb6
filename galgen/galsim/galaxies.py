"""Galaxies to draw, cleaned a block at a time: what those of a file and of a model have in common.

Input objects of GalSim live in one process; the others ask them through proxies, from a thread
each, for what their public methods return.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property, lru_cache
from threading import RLock
from typing import Any, Self

import numpy as np

from galgen.categories import nearest
from galgen.columns import Column
from galgen.errors import InvalidValueError
from galgen.measure.clean import CleanStamp, clean
from galgen.runinfo import RunInfo

_CACHE = 2**28  # bytes of stamps kept


class Galaxies(ABC):
    """Galaxies of any origin; `_read` and `_codes` are what they have not in common.

    Parameters
    ----------
    name : str
        What they are called in messages.
    info : RunInfo
        Of the run that made them, or will.
    n : int
        How many there are.
    block : int
        How many are read and cleaned together.
    columns : sequence of Column
        Columns of their rows.
    options : dict
        Keyword arguments that make the same galaxies in another process.

    Attributes
    ----------
    nobjects : int
        How many galaxies there are.
    bands : tuple of str
        Bluest first.
    pixel_scale : float or None
        Arcsec per pixel of the stamps, None where they have no common one.
    info : RunInfo
        Of the run that made them, or will.
    """

    def __init__(
        self,
        name: str,
        info: RunInfo,
        n: int,
        block: int,
        columns: Sequence[Column],
        options: dict[str, Any],
    ) -> None:
        self.info, self.nobjects = info, n
        self.bands, self.pixel_scale = info.bands, info.pixel_scale
        self._name, self._size, self._options = name, block, options
        self._columns = tuple(columns)
        self._lock = RLock()
        stamp_bytes = 4 * len(info.bands) * info.height * info.width
        self._block = lru_cache(max(2, _CACHE // (block * stamp_bytes)))(self._load)
        self._rows = lru_cache(None)(self._find)

    @abstractmethod
    def _read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Stamps (N, B, H, W) of the galaxies of one block, and their rows, fields numbered."""

    @abstractmethod
    def _codes(self) -> np.ndarray:
        """Category of each galaxy."""

    @classmethod
    def _rebuild(cls, options: dict[str, Any]) -> Self:
        """Make the same galaxies again, in another process."""
        return cls(**options)

    def __reduce__(self) -> tuple[object, ...]:
        return self._rebuild, (self._options,)

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self._options.items() if v is not None)
        return f"galgen.galsim.{type(self).__name__}({given})"

    def count(self, category: str | None = None) -> int:
        """Count the galaxies of a category and of those below it.

        Raises
        ------
        InvalidValueError
            If there are none.
        """
        return self.nobjects if category is None else len(self._rows(category))

    def rows(self, category: str | None = None) -> np.ndarray:
        """Return the rows (N,) of the galaxies of a category and of those below it.

        Raises
        ------
        InvalidValueError
            If there are none.
        """
        return np.arange(self.nobjects) if category is None else self._rows(category).copy()

    def row(self, index: int, category: str | None = None) -> int:
        """Find which galaxy number `index` of a category is among all of them.

        Raises
        ------
        InvalidValueError
            If there are fewer.
        """
        n = self.count(category)
        if not 0 <= index < n:
            hint = f"{self._name} has {n}" + (f" of category {category}." if category else ".")
            raise InvalidValueError("index", index, f"0..{n - 1}", hint)
        return index if category is None else int(self._rows(category)[index])

    def value(self, key: str, row: int) -> float | int | str:
        """Return column `key` of the catalogue for one galaxy; NaN where it has no value.

        Raises
        ------
        InvalidValueError
            If there is no such column, or it has not one number or text per galaxy.
        """
        names = [column.name for column in self._columns]
        if key not in names:
            raise InvalidValueError("key", key, ", ".join(names))
        number = names.index(key)
        column = self._columns[number]
        with self._lock:
            _, rows = self._block(row // self._size)
        one = slice(row % self._size, row % self._size + 1)
        values = column.values(rows[f"{number}"][one])
        if values.size != 1 or values.dtype.kind == "c":
            hint = f"Column {key} has type {column.form}."
            raise InvalidValueError("key", key, "a column of one number or text per galaxy", hint)
        value: float | int | str = math.nan if np.ma.is_masked(values) else values.item()
        return value

    def stamp(self, row: int) -> CleanStamp | None:
        """Return one galaxy without sky, neighbours and edges; None if it cannot be seen."""
        with self._lock:
            cleaned, _ = self._block(row // self._size)
        return cleaned[row % self._size]

    def _load(self, block: int) -> tuple[list[CleanStamp | None], np.ndarray]:
        """Read and clean the galaxies of a block."""
        start = block * self._size
        stamps_nbhw, rows = self._read(start, min(start + self._size, self.nobjects))
        return clean(stamps_nbhw), rows

    def _find(self, category: str) -> np.ndarray:
        """Return the rows of the galaxies of a category and of those below it."""
        with self._lock:
            code_n = self._code_n
        row_n = np.flatnonzero(self.info.tree.are_below(code_n, nearest(category, self.info.tree)))
        if not len(row_n):
            there = ", ".join(self.info.tree.get(int(code)).name for code in np.unique(code_n))
            raise InvalidValueError("category", category, f"what {self._name} has: {there}")
        return row_n

    @cached_property
    def _code_n(self) -> np.ndarray:
        """Category of each galaxy, read once."""
        return self._codes()
