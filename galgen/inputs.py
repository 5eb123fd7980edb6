"""Tables that users bring: columns found by the names that surveys give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.table import Table

from galgen.errors import DataError, InvalidValueError

# What we call a column, and the names it goes by, whatever their case; the first found is taken.
NAMES = {
    "ra": ("ra", "ra_deg", "raj2000", "alpha_j2000", "alphawin_j2000"),
    "dec": ("dec", "dec_deg", "dej2000", "decj2000", "delta_j2000", "deltawin_j2000"),
    "mag": ("mag", "magnitude", "mag_auto"),
    "density": ("density",),
    "category": ("category", "category_name", "morphology"),
    "half_light_radius": ("half_light_radius", "shape_r", "hlr", "r50"),
    "position_angle": ("position_angle", "pa"),
}
_SUFFIXES = {".fits": "fits", ".fit": "fits", ".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}


class InputTable:
    """A table in FITS (its first binary table), CSV or ECSV.

    Parameters
    ----------
    path : str or Path
        Ending in ``.fits``, ``.fit``, ``.csv`` or ``.ecsv``.
    renamed : mapping of str to str, optional
        What the file calls our columns, where that is not one of `NAMES`.

    Raises
    ------
    DataError
        If the file cannot be read, or has no column of a name in `renamed`.
    """

    def __init__(self, path: str | Path, renamed: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        self._table = self._read()
        self._renamed = dict(renamed or {})
        for ours, theirs in self._renamed.items():
            if ours not in NAMES:
                raise InvalidValueError("column to map", ours, ", ".join(NAMES))
            if theirs not in self._table.colnames:
                raise DataError(f"{path}: no column {theirs!r}; it has {self._listed()}.")

    def _read(self) -> Table:
        form = _SUFFIXES.get(self.path.suffix.lower())
        if form is None:
            raise DataError(f"{self.path}: not a table by its name ({', '.join(_SUFFIXES)}).")
        try:
            if form != "fits":
                return Table.read(self.path, format=form)
            with fits.open(self.path) as hdus:
                tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
                if not tables:
                    raise DataError(f"{self.path}: has no binary table.")
                return Table.read(tables[0])
        except DataError:
            raise
        except Exception as error:  # astropy's readers raise whatever they stumble on
            raise DataError(f"{self.path}: cannot be read as a table ({error}).") from error

    def __len__(self) -> int:
        return len(self._table)

    def find(self, ours: str, *more: str) -> str | None:
        """What the file calls one of our columns, or None; `more` are further names of it."""
        if ours in self._renamed:
            return self._renamed[ours]
        by_lower = {name.lower(): name for name in reversed(self._table.colnames)}
        return next((by_lower[n] for n in (*more, *NAMES[ours]) if n in by_lower), None)

    def numbers(self, ours: str, *more: str, unit: str, required: bool = False) -> np.ndarray:
        """A column as float64 in a unit, NaN where it has no value; all NaN if it is missing.

        Raises
        ------
        DataError
            If it is required and missing, holds no numbers, or has a unit that cannot be converted.
        """
        name = self.find(ours, *more)
        if name is None:
            if required:
                raise DataError(
                    f"{self.path}: no column for {ours} ({', '.join((*more, *NAMES[ours]))}); it "
                    f"has {self._listed()}. Name it with {ours}=COLUMN."
                )
            return np.full(len(self), np.nan)
        column = self._table[name]
        try:
            filled = np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)
        except (TypeError, ValueError) as error:
            raise DataError(f"{self.path}: column {name} holds no numbers ({error}).") from None
        if filled.ndim != 1:
            raise DataError(f"{self.path}: column {name} holds more than one number per row.")
        given = column.unit
        if given is None or str(given) == unit or (unit == "mag" and "mag" in str(given)):
            return filled
        try:
            return filled * given.to(unit)
        except (AttributeError, units.UnitConversionError):
            raise DataError(f"{self.path}: column {name} is in {given}, not in {unit}.") from None

    def values(self, ours: str) -> list[str | int | None]:
        """A column of texts or whole numbers; None where it has no value."""
        name = self.find(ours)
        if name is None:
            return [None] * len(self)
        values = np.ma.asarray(self._table[name])
        masked = np.ma.getmaskarray(values)
        return [
            None if no else _plain(v) for v, no in zip(values.data.tolist(), masked, strict=True)
        ]

    def _listed(self) -> str:
        return ", ".join(self._table.colnames)


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


def _plain(value: object) -> str | int | None:
    text = (value.decode() if isinstance(value, bytes) else str(value)).strip()
    return value if isinstance(value, int) else text or None
