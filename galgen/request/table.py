"""Tables that users bring: columns found by the names that surveys give them."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.table import Table

from galgen.columns import Column, numbered_dtype, read_columns
from galgen.errors import DataError, InvalidValueError

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
_SUFFIXES = {".fits": "fits", ".fit": "fits", ".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}

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
    columns : tuple of Column
        As in the file, or as FITS would have them.
    renamed : mapping of str to str

    Raises
    ------
    DataError
        If the file cannot be read, or has no column of a name in `renamed`.
    """

    def __init__(self, path: str | Path, renamed: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        self.columns, self._rows = self._read()
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

    def _read(self) -> tuple[tuple[Column, ...], np.ndarray]:
        form = _SUFFIXES.get(self.path.suffix.lower())
        if form is None:
            raise DataError(f"{self.path}: not a table by its name ({', '.join(_SUFFIXES)}).")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of units and truncated files: both are seen to
                if form == "fits":
                    return self._map()
                return _as_fits(Table.read(self.path, format=form))
        except DataError:
            raise
        except Exception as error:  # astropy's readers raise whatever they stumble on
            raise DataError(f"{self.path}: cannot be read as a table ({error}).") from error

    def _map(self) -> tuple[tuple[Column, ...], np.ndarray]:
        with fits.open(self.path) as hdus:
            hdu = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
            if hdu is None:
                raise DataError(f"{self.path}: has no binary table.")
            columns, n = read_columns(hdu.header), int(hdu.header["NAXIS2"])
            start, row = hdu.fileinfo()["datLoc"], numbered_dtype(columns)
            if row.itemsize != hdu.header["NAXIS1"]:
                raise DataError(
                    f"{self.path}: rows of {hdu.header['NAXIS1']} bytes; its columns take "
                    f"{row.itemsize}."
                )
        if start + n * row.itemsize > self.path.stat().st_size:
            raise DataError(f"{self.path}: ends before its {n} rows do; it was cut off.")
        rows = np.memmap(self.path, row, "r", start, (n,)) if n else np.empty(0, row)
        return tuple(columns), rows

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def sha256(self) -> str:
        """Digest of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def find(self, ours: str, *more: str) -> str | None:
        """What the file calls one of our columns, or None; `more` are further names of it."""
        if ours in self.renamed:
            return self.renamed[ours]
        by_lower = {column.name.lower(): column.name for column in reversed(self.columns)}
        return next((by_lower[n] for n in (*more, *NAMES.get(ours, ())) if n in by_lower), None)

    def column(self, name: str) -> Column:
        """A column by the file's own name of it."""
        return self.columns[self._place[name]]

    def raw(self, name: str, rows: Rows = slice(None)) -> np.ndarray:
        """Values of a column as they are in a FITS file: big-endian, neither scaled nor masked."""
        return self._rows[f"{self._place[name]}"][rows]

    def plain(self, name: str, rows: Rows = slice(None)) -> np.ndarray:
        """A column of numbers as float64 in its own unit, NaN where it has no value.

        Raises
        ------
        DataError
            If it holds no numbers, or several per row.
        """
        try:
            return self.column(name).numbers(np.asarray(self.raw(name, rows)))
        except InvalidValueError as error:
            raise DataError(f"{self.path}: column {name} holds no numbers ({error}).") from None

    def numbers(
        self,
        ours: str,
        *more: str,
        unit: str,
        required: bool = False,
        rows: Rows = slice(None),
    ) -> np.ndarray:
        """A column as float64 in a unit, NaN where it has no value; all NaN if it is missing.

        Parameters
        ----------
        ours, *more : str
            See `find`.
        unit : str
            What the numbers are converted to; those without a unit are taken to be in it.
        required : bool
            Raise if there is no such column.
        rows : slice or ndarray of int
            By default all.

        Raises
        ------
        DataError
            If it is required and missing, holds no numbers, or has a unit that cannot be converted.
        """
        name = self.find(ours, *more)
        if name is None:
            if required:
                known = ", ".join((*more, *NAMES.get(ours, ())))
                raise DataError(
                    f"{self.path}: no column for {ours} ({known}); it has {self._listed()}. "
                    f"Name it with {ours}=COLUMN."
                )
            return np.full(len(self._rows[rows]), np.nan)
        values, given = self.plain(name, rows), self.column(name).unit
        if not given or given == unit or (unit == "mag" and _MAGNITUDE.search(given)):
            return values
        try:
            return values * units.Unit(given).to(unit)
        except (ValueError, units.UnitConversionError):
            raise DataError(f"{self.path}: column {name} is in {given}, not in {unit}.") from None

    def values(self, ours: str, rows: Rows = slice(None)) -> list[str | int | None]:
        """A column of texts or whole numbers; None where it has no value."""
        name = self.find(ours)
        if name is None:
            return [None] * len(self._rows[rows])
        raw = np.asarray(self.raw(name, rows))
        if raw.dtype.kind == "S" and raw.ndim == 1:
            return [text.decode("utf-8", "replace").strip() or None for text in raw.tolist()]
        return [
            None if np.isnan(v) else int(v) if v == int(v) else str(v)
            for v in self.plain(name, rows).tolist()
        ]

    def _listed(self) -> str:
        return ", ".join(column.name for column in self.columns)


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


def _as_fits(table: Table) -> tuple[tuple[Column, ...], np.ndarray]:
    """A table in memory as FITS would hold it."""
    for column in table.columns.values():
        kind = column.dtype.kind
        if hasattr(column, "fill_value"):  # what stands for no value must not be one
            fill = np.iinfo(column.dtype).min if kind == "i" else {"f": np.nan, "U": "", "S": ""}
            column.fill_value = fill if kind == "i" else fill.get(kind, column.fill_value)
    cards = [(str(column.unit or ""), column.description) for column in table.columns.values()]
    table.meta.clear()
    for column in table.columns.values():
        column.unit = None  # astropy refuses, or drops, those that FITS does not know
    file = io.BytesIO()
    hdu = fits.table_to_hdu(table, character_as_bytes=True)
    for i, (unit, description) in enumerate(cards, 1):
        hdu.header[f"TUNIT{i}"], hdu.header[f"TCOMM{i}"] = unit, description or ""
    columns = read_columns(hdu.header)
    hdu.writeto(file)
    file.seek(0)
    with fits.open(file) as hdus:
        start, row = hdus[1].fileinfo()["datLoc"], numbered_dtype(columns)
        return tuple(columns), np.frombuffer(file.getvalue(), row, len(table), start)
