"""Right ascension or declination as a column of a catalogue, whatever its unit."""

from __future__ import annotations

import numpy as np

from galgen.catalog import CatalogFile
from galgen.errors import CatalogError
from galgen.request.angles import SkyAxis


class AngleColumn:
    """A column of angles, to be read in degrees.

    Units and texts are understood as in tables that are read, see `galgen.request.angles.SkyAxis`.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue.
    name : str
        Column of it, ``RA`` or ``DEC`` in any case.

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
        axis = SkyAxis.of(name.lower(), column.unit)
        if axis is None:
            raise CatalogError(
                f"{catalog.path}: column {name} is in {column.unit}, which is no unit of angles. "
                "Positions can be in deg, arcsec, rad or hourangle."
            )
        self._axis = axis
        self.in_degrees = kind != "U" and axis.factor == 1

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
        return degrees_n if self.in_degrees else degrees_n * self._axis.factor

    def _parsed(self, text: str) -> float:
        """Angle of a text, in degrees; NaN if it is none."""
        try:
            return self._axis.degrees(text)
        except ValueError:
            return float("nan")
