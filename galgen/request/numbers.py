"""Numbers of a table in the unit that is wanted, angles as texts too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy import units

from galgen.errors import DataError
from galgen.request.angles import SkyAxis, spelled_unit

if TYPE_CHECKING:
    from galgen.request.table import InputTable, Rows

_MAGNITUDE = re.compile(r"(?<![a-z])mag(?![a-z])")  # ABmag, mag(AB), but not maggy


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
    axis : SkyAxis or None
        How its texts are read as angles, in degrees, where it has texts.
    """

    table: InputTable
    name: str | None
    factor: float | None = None
    axis: SkyAxis | None = None

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
        if self.axis is not None:
            return self._angles(self.name, self.axis, rows)
        values = self.table.plain(self.name, rows)
        return values if self.factor is None else values * self.factor

    def _angles(self, name: str, axis: SkyAxis, rows: Rows) -> np.ndarray:
        """Read texts as angles, in degrees."""
        values = []
        for row, text in enumerate(self.table.labels(name, rows)):
            try:
                values.append(np.nan if text is None else axis.degrees(str(text)))
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
    if unit == "deg" and ours in ("ra", "dec"):
        axis = SkyAxis.of(ours, given)
        if axis is None:
            raise DataError(f"{table.path}: column {name} is in {given}, not in {unit}.")
        if table.column(name).kind[1] == "A":
            return Numbers(table, name, axis=axis)
        return Numbers(table, name, None if axis.factor == 1 else axis.factor)
    if not given or given == unit or (unit == "mag" and _MAGNITUDE.search(given)):
        return Numbers(table, name)
    try:
        return Numbers(table, name, spelled_unit(given).to(unit))
    except (ValueError, units.UnitConversionError):
        raise DataError(f"{table.path}: column {name} is in {given}, not in {unit}.") from None
