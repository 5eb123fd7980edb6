"""Tables that users bring: columns found by the names that surveys give them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy import units

from galgen.columns import Column
from galgen.errors import DataError, InvalidValueError
from galgen.request.tablefile import read_table

# What we call a column, and the names it goes by, whatever their case; the first found is taken.
# Legacy Surveys (Tractor), SDSS, DESC (CosmoDC2), SourceExtractor, galgen itself.
NAMES = {
    "ra": ("ra", "ra_deg", "raj2000", "alpha_j2000", "alphawin_j2000"),
    "dec": ("dec", "dec_deg", "dej2000", "decj2000", "delta_j2000", "deltawin_j2000"),
    "mag": ("mag", "magnitude", "mag_auto"),
    "density": ("density",),
    "category": ("category", "category_name", "morphology"),
    "half_light_radius": (
        *("half_light_radius", "shape_r", "hlr", "r50"),
        *("petror50_r", "exprad_r", "devrad_r", "size_true", "size"),
    ),
    "half_light_radius_pix": ("half_light_radius_pix", "hlr_pix", "r50_pix"),
    "axis_ratio": ("axis_ratio", "q", "b_a", "ba", "expab_r", "devab_r"),
    "ellipticity": ("ellipticity", "ellipticity_true"),
    "ellipticity_1": ("ellipticity_1", "shape_e1", "ellipticity_1_true"),
    "ellipticity_2": ("ellipticity_2", "shape_e2", "ellipticity_2_true"),
    "position_angle": ("position_angle", "pa"),
    "redshift": ("redshift", "redshift_true", "z_spec", "z_phot", "photoz"),
}
_OF_BANDS = re.compile(r"(mag|flux)_\w+|color_\w+_\w+")
_MAGNITUDE = re.compile(r"(?<![a-z])mag(?![a-z])")  # ABmag, mag(AB), but not maggy

Rows = slice | np.ndarray


class InputTable:
    """A table in FITS (its first binary table), CSV or ECSV.

    Of FITS only the rows asked for are read, from a memory map; texts are read whole.

    Parameters
    ----------
    path : str or Path
        Ending in ``.fits``, ``.fit``, ``.csv`` or ``.ecsv``.
    renamed : mapping of str to str, optional
        What the file calls our columns, where that is not one of `NAMES`. Ours are the keys of
        `NAMES`, ``mag_<band>``, ``flux_<band>`` and ``color_<band>_<band>``.

    Attributes
    ----------
    path : Path
        The file.
    columns : tuple of Column
        The columns, as in the file or as FITS would have them.
    renamed : mapping of str to str
        What the file calls our columns, as given.

    Raises
    ------
    DataError
        If the file cannot be read, or has no column of a name in `renamed`.
    InvalidValueError
        If `renamed` has something else than our columns.
    """

    def __init__(self, path: str | Path, renamed: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        self.columns, self._rows = read_table(self.path)
        if not self.columns:
            raise DataError(f"{self.path}: has no columns.")
        names = [column.name for column in self.columns]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise DataError(f"{self.path}: has two columns called {twice!r}. Rename one.")
        self._place = {column.name: i for i, column in enumerate(self.columns)}
        self.renamed = dict(renamed or {})
        for ours, theirs in self.renamed.items():
            if ours not in NAMES and not _OF_BANDS.fullmatch(ours):
                allowed = ", ".join(NAMES) + ", mag_<band>, flux_<band>, color_<band>_<band>"
                raise InvalidValueError("column to map", ours, allowed)
            if theirs not in self._place:
                raise DataError(f"{path}: no column {theirs!r}; it has {self._listed()}.")

    def __reduce__(self) -> tuple[object, ...]:
        # The map is opened again where this is unpickled, by a worker of a cluster say.
        return type(self), (self.path, self.renamed)

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def sha256(self) -> str:
        """Digest of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def find(self, ours: str, *more: str) -> str | None:
        """Return what the file calls one of our columns, or None; `more` are more names of it."""
        if ours in self.renamed:
            return self.renamed[ours]
        by_lower = {column.name.lower(): column.name for column in reversed(self.columns)}
        return next((by_lower[n] for n in (*more, *NAMES.get(ours, ())) if n in by_lower), None)

    def column(self, name: str) -> Column:
        """Return a column by the file's own name of it."""
        return self.columns[self._place[name]]

    def count(self, rows: Rows) -> int:
        """Return how many rows these are."""
        return len(self._rows[rows])

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
        """
        return self._rows[f"{self._place[name]}"][rows]

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
                    f"{self.path}: no column for {ours} ({known}); it has {self._listed()}. "
                    f"Name it with {ours}=COLUMN."
                )
            return Numbers(self, None)
        given = self.column(name).unit
        if not given or given == unit or (unit == "mag" and _MAGNITUDE.search(given)):
            return Numbers(self, name)
        try:
            return Numbers(self, name, units.Unit(given).to(unit))
        except (ValueError, units.UnitConversionError):
            raise DataError(f"{self.path}: column {name} is in {given}, not in {unit}.") from None

    def numbers(
        self, ours: str, *more: str, unit: str, required: bool = False, rows: Rows = slice(None)
    ) -> np.ndarray:
        """Read a column of numbers in a unit; see `numbers_in` and `Numbers.read`."""
        return self.numbers_in(ours, *more, unit=unit, required=required).read(rows)

    def values(self, ours: str, rows: Rows = slice(None)) -> list[str | int | None]:
        """Read one of our columns as `labels`; all None if it is missing."""
        name = self.find(ours)
        return [None] * self.count(rows) if name is None else self.labels(name, rows)

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

    def _listed(self) -> str:
        """Return the names of all columns, for messages."""
        return ", ".join(column.name for column in self.columns)


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column of a table as numbers, found and understood once and read often.

    Attributes
    ----------
    table : InputTable
        Whose column it is.
    name : str or None
        The file's own name of it; None if it has none.
    factor : float or None
        What its numbers are multiplied with to be in another unit.
    """

    table: InputTable
    name: str | None
    factor: float | None = None

    def read(self, rows: Rows = slice(None)) -> np.ndarray:
        """Read some rows.

        Parameters
        ----------
        rows : slice or ndarray of int
            Which rows; by default all.

        Returns
        -------
        ndarray (n,) of float64
            The caller's own; NaN where there is no value, and everywhere without a column.

        Raises
        ------
        DataError
            If the column holds no numbers, or several per row.
        """
        if self.name is None:
            return np.full(self.table.count(rows), np.nan)
        values = self.table.plain(self.name, rows)
        return values if self.factor is None else values * self.factor


def parse_map(items: Iterable[str]) -> dict[str, str]:
    """Parse ``ours=theirs``, names of columns.

    Raises
    ------
    InvalidValueError
        If an item has another form.
    """
    renamed = {}
    for item in items:
        ours, _, theirs = (part.strip() for part in item.partition("="))
        if not ours or not theirs:
            raise InvalidValueError("map", item, "ours=theirs, such as mag=MAG_AUTO")
        renamed[ours] = theirs
    return renamed
