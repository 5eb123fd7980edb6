"""Tables that users bring: columns found by the names that surveys give them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from galgen.columns import Column
from galgen.errors import DataError, InvalidValueError, reading
from galgen.request.names import NAMES, check_ours
from galgen.request.numbers import Numbers, numbers_in
from galgen.request.tablefile import Which, read_table

Rows = slice | np.ndarray
_LISTED = 40  # columns in a message


class InputTable:
    """A table in FITS, VOTable, Parquet, ECSV, CSV or another form of text.

    Of FITS only the rows asked for are read, from a memory map; others are read whole (Parquet by
    column). A column that FITS cannot hold is refused when it is asked for, not before.

    Parameters
    ----------
    path : str or Path
        The file; see `galgen.request.tablefile.read_table`.
    renamed : mapping of str to str, optional
        What the file calls our columns, where that is not one of `galgen.request.names.NAMES`. Ours
        are the keys of these, ``mag_<band>``, ``flux_<band>`` and ``color_<band>_<band>``.
    table : str or int, optional
        Name, or number from 1, of the table, where a file has several; else the first.

    Attributes
    ----------
    path : Path
        The file.
    names : tuple of str
        The file's own names of the columns.
    others : tuple of str
        Numbers and names of other tables in the file.
    renamed : mapping of str to str
        What the file calls our columns, as given.

    Raises
    ------
    DataError
        If the file cannot be read, or has no column of a name in `renamed`.
    InvalidValueError
        If `renamed` has something else than our columns, or there is no such table.
    """

    def __init__(
        self, path: str | Path, renamed: Mapping[str, str] | None = None, table: Which = None
    ) -> None:
        self.path, self._which = Path(path), table
        self._stored = read_table(self.path, table)
        self.names, self.others = tuple(self._stored.names), tuple(self._stored.others)
        if not self.names:
            raise DataError(f"{self.path}: has no columns.")
        name, times = Counter(self.names).most_common(1)[0]
        if times > 1:
            raise DataError(f"{self.path}: has two columns called {name!r}. Rename one.")
        self._place = {name: i for i, name in enumerate(self.names)}
        self.renamed = dict(renamed or {})
        check_ours(self.renamed)
        for theirs in self.renamed.values():
            if theirs not in self._place:
                raise DataError(f"{path}: no column {theirs!r}; it has {self.listed}.")

    def __reduce__(self) -> tuple[object, ...]:
        # The map is opened again where this is unpickled, by a worker of a cluster say.
        return type(self), (self.path, self.renamed, self._which)

    def __len__(self) -> int:
        return self._stored.n

    @cached_property
    def sha256(self) -> str:
        """Digest of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def find(self, ours: str, *more: str) -> str | None:
        """Return what the file calls one of our columns, or None; `more` are more names of it."""
        if ours in self.renamed:
            return self.renamed[ours]
        by_lower = {name.lower(): name for name in reversed(self.names)}
        return next((by_lower[n] for n in (*more, *NAMES.get(ours, ())) if n in by_lower), None)

    def column(self, name: str) -> Column:
        """Return a column by the file's own name of it.

        Raises
        ------
        DataError
            If FITS has no such column.
        """
        return self._column(name)[0]

    def count(self, rows: Rows) -> int:
        """Return how many rows these are."""
        return len(range(len(self))[rows]) if isinstance(rows, slice) else len(rows)

    def raw(self, name: str, rows: Rows = slice(None)) -> np.ndarray:
        """Return values of a column as a FITS file has them: big-endian, not scaled, not masked.

        Parameters
        ----------
        name : str
            The file's own name of the column.
        rows : slice or ndarray of int
            Which rows; by default all.

        Returns
        -------
        ndarray (n, ...)
            A view of the file where `rows` is a slice.

        Raises
        ------
        DataError
            If FITS has no such column.
        """
        return self._column(name)[1][rows]

    def plain(self, name: str, rows: Rows = slice(None)) -> np.ndarray:
        """Read a column of numbers as float64 in its own unit, NaN where it has no value.

        Parameters
        ----------
        name, rows
            See `raw`.

        Raises
        ------
        DataError
            If it holds no numbers, or several per row.
        """
        try:
            return self.column(name).numbers(np.asarray(self.raw(name, rows)))
        except InvalidValueError as error:
            raise DataError(f"{self.path}: column {name} holds no numbers ({error}).") from None

    def numbers_in(self, ours: str, *more: str, unit: str, required: bool = False) -> Numbers:
        """Find a column of numbers, to be read in a unit.

        Parameters
        ----------
        ours, *more : str
            See `find`.
        unit : str
            What the numbers are converted to; those without a unit are taken to be in it.
        required : bool
            Raise if there is no such column.

        Returns
        -------
        Numbers
            The column; all NaN if it is missing.

        Raises
        ------
        DataError
            If it is required and missing, or has a unit that cannot be converted.
        """
        name = self.find(ours, *more)
        if name is None:
            if required:
                known = ", ".join((*more, *NAMES.get(ours, ())))
                raise DataError(
                    f"{self.path}: no column for {ours} ({known}); it has {self.listed}. "
                    f"Name it with {ours}=COLUMN."
                )
            return Numbers(self, None)
        return numbers_in(self, name, ours, unit)

    def numbers(
        self, ours: str, *more: str, unit: str, required: bool = False, rows: Rows = slice(None)
    ) -> np.ndarray:
        """Read a column of numbers in a unit; see `numbers_in` and `Numbers.read`."""
        return self.numbers_in(ours, *more, unit=unit, required=required).read(rows)

    def labels(self, name: str, rows: Rows = slice(None)) -> list[str | int | None]:
        """Read a column of texts or whole numbers, by the file's own name of it.

        Parameters
        ----------
        name, rows
            See `raw`.

        Returns
        -------
        list
            None where it has no value; a number that is not whole is a text.

        Raises
        ------
        DataError
            If it holds neither, or several per row.
        """
        raw = np.asarray(self.raw(name, rows))
        if raw.dtype.kind == "S" and raw.ndim == 1:
            return [text.decode("utf-8", "replace").strip() or None for text in raw.tolist()]
        return [
            None if np.isnan(v) else int(v) if v == int(v) else str(v)
            for v in self.plain(name, rows).tolist()
        ]

    def _column(self, name: str) -> tuple[Column, np.ndarray]:
        """Return a column and all its values, or name the file where FITS has no such one."""
        try:
            with reading(f"{self.path}: {name}", "a column"):  # of Parquet, it is read only now
                return self._stored.column(self._place[name])
        except InvalidValueError as error:
            raise DataError(f"{self.path}: {error}") from None

    @property
    def label(self) -> str:
        """The file's name, and which of its tables."""
        return self.path.name if self._which is None else f"{self.path.name} table={self._which}"

    @property
    def listed(self) -> str:
        """The names of the columns, for messages."""
        more = len(self.names) - _LISTED
        return ", ".join(self.names[:_LISTED]) + (f" and {more:,} more" if more > 0 else "")
