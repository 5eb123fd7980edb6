"""Numbers of a table in the unit that is wanted, angles as texts too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy import units
from astropy.coordinates import Angle

from galgen.errors import DataError

if TYPE_CHECKING:
    from galgen.request.table import InputTable, Rows

_MAGNITUDE = re.compile(r"(?<![a-z])mag(?![a-z])")  # ABmag, mag(AB), but not maggy
# Units as people write them, where astropy knows another word.
_SPELLINGS = {
    **dict.fromkeys(("degs", "degrees", "ddeg", "d:m:s", "dms", "dd:mm:ss"), "deg"),
    **dict.fromkeys(("rads", "radians"), "rad"),
    **dict.fromkeys(("hourangle", "hour angle", "h:m:s", "hms", "hh:mm:ss"), "hourangle"),
    **dict.fromkeys(("hours", "hr", "hrs"), "h"),
    **dict.fromkeys(("arcsecs", "arcseconds", "asec", '"', "''"), "arcsec"),
    **dict.fromkeys(("arcmins", "arcminutes", "amin"), "arcmin"),
}
_SEXAGESIMAL = re.compile(r"[:hdms°'\s]")


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
    angle : Unit or None
        Unit of its texts such as ``10:00:12.5``, where it has texts.
    """

    table: InputTable
    name: str | None
    factor: float | None = None
    angle: units.UnitBase | None = None

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
        if self.angle is not None:
            values = self._angles(self.name, self.angle, rows)
        else:
            values = self.table.plain(self.name, rows)
        return values if self.factor is None else values * self.factor

    def _angles(self, name: str, unit: units.UnitBase, rows: Rows) -> np.ndarray:
        """Read texts as angles, in what `factor` converts to degrees."""
        values = []
        for row, text in enumerate(self.table.labels(name, rows)):
            try:
                values.append(np.nan if text is None else _angle(str(text), unit, self.factor))
            except ValueError as error:
                raise DataError(
                    f"{self.table.path}: row {row} (from 0), column {name} holds no angle: "
                    f"{text!r} ({error})."
                ) from None
        return np.array(values, np.float64)


def numbers_in(table: InputTable, name: str, ours: str, unit: str) -> Numbers:
    """Understand a column of a table as numbers in a unit.

    Parameters
    ----------
    table : InputTable
        The table.
    name : str
        The file's own name of the column.
    ours : str
        What it is to us; ``ra`` and ``dec`` may be texts, and ``ra`` be in hours.
    unit : str
        What the numbers are converted to; those without a unit are taken to be in it.

    Raises
    ------
    DataError
        If the column has a unit that cannot be converted.
    """
    given = table.column(name).unit
    if ours in ("ra", "dec") and table.column(name).kind[1] == "A":
        known = _hours_of_angle(ours, _unit(given)) if given else units.deg
        if known not in (units.hourangle, units.deg):
            raise DataError(f"{table.path}: column {name} is text in {given}, not an angle.")
        colons = units.hourangle if ours == "ra" and not given else known
        return Numbers(table, name, known.to(units.deg), colons)
    if not given or given == unit or (unit == "mag" and _MAGNITUDE.search(given)):
        return Numbers(table, name)
    try:
        return Numbers(table, name, _hours_of_angle(ours, _unit(given)).to(unit))
    except (ValueError, units.UnitConversionError):
        raise DataError(f"{table.path}: column {name} is in {given}, not in {unit}.") from None


def _unit(text: str) -> units.UnitBase:
    """Return a unit as tables spell it; one that nothing converts to if it is unknown."""
    plain = text.strip(" \"'[]()") or text
    for spelling in (text, plain, _SPELLINGS.get(plain.lower(), plain), plain.lower()):
        unit = units.Unit(spelling, parse_strict="silent")
        if not isinstance(unit, units.UnrecognizedUnit):
            return unit
    return unit


def _hours_of_angle(ours: str, unit: units.UnitBase) -> units.UnitBase:
    """Return the unit of a column: hours of right ascension are an angle, not a time."""
    return units.hourangle if ours == "ra" and unit == units.h else unit


def _angle(text: str, unit: units.UnitBase, factor: float | None) -> float:
    """Return an angle in units of `factor` degrees; a plain number is in that unit already."""
    if not _SEXAGESIMAL.search(text):
        return float(text)
    return float(Angle(text, unit).deg) / (factor or 1.0)
