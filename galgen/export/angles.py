"""Right ascension or declination as a column of a catalogue, whatever its unit."""

from __future__ import annotations

import numpy as np
from astropy import units
from astropy.coordinates import Angle

from galgen.catalog import CatalogFile
from galgen.errors import CatalogError

# As tables have them, beside the names that astropy knows.
_SPELLINGS = {
    **dict.fromkeys(("h", "hr", "hour", "hours", "hms", "h:m:s", "hh:mm:ss"), units.hourangle),
    **dict.fromkeys(("degrees", "dms", "d:m:s", "dd:mm:ss"), units.deg),
    "radians": units.rad,
}


class AngleColumn:
    """A column of angles, to be read in degrees.

    Numbers are in the unit of the column, degrees where it has none. Texts are decimal, or
    sexagesimal; of right ascension these are in hours unless the unit says otherwise.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue.
    name : str
        Column of it. It holds right ascension if that is ``RA`` in any case.

    Attributes
    ----------
    name : str
        The column.
    in_degrees : bool
        Whether it holds numbers in degrees.

    Raises
    ------
    CatalogError
        If it does not hold one number or text per galaxy, or its unit is none of an angle.
    """

    def __init__(self, catalog: CatalogFile, name: str) -> None:
        self.name, self._catalog = name, catalog
        column = catalog.columns[catalog.column_names.index(name)]
        kind = "" if column.variable else catalog.column(name, slice(0)).dtype.kind
        if column.shape or kind not in ("i", "u", "f", "U"):
            raise CatalogError(
                f"{catalog.path}: column {name} has type {column.form}; a position is one number, "
                "or one text, per galaxy."
            )
        unit = _unit(column.unit) if column.unit else units.deg
        if unit is None:
            raise CatalogError(
                f"{catalog.path}: column {name} is in {column.unit}, which is no unit of angles. "
                "Positions can be in deg, arcsec, rad or hourangle."
            )
        in_hours = name.upper() == "RA" and not column.unit
        self._sexagesimal = units.hourangle if in_hours else unit
        self._factor = float(unit.to(units.deg))
        self.in_degrees = kind != "U" and self._factor == 1

    def degrees(self, rows: slice) -> np.ndarray:
        """Read some rows.

        Parameters
        ----------
        rows : slice
            Rows of the catalogue.

        Returns
        -------
        ndarray (n,) float64
            Degrees; NaN where there is no angle.
        """
        values = self._catalog.column(self.name, rows)
        if values.dtype.kind == "U":
            return np.array([self._parsed(text) for text in values.tolist()], np.float64)
        degrees_n: np.ndarray = np.ma.filled(values.astype(np.float64), np.nan)
        return degrees_n if self.in_degrees else degrees_n * self._factor

    def _parsed(self, text: str) -> float:
        """Angle of a text, in degrees; NaN if it is none."""
        try:
            return float(text) * self._factor
        except ValueError:
            pass
        try:
            return float(Angle(text, self._sexagesimal).deg)
        except ValueError:
            return float("nan")


def _unit(text: str) -> units.UnitBase | None:
    """Find the unit of angles that a text means; None if it is none."""
    text = text.strip(" '\"").lower()
    found = _SPELLINGS.get(text) or units.Unit(text, parse_strict="silent")
    return found if found.is_equivalent(units.deg) else None
