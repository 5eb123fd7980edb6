"""Columns of a catalogue as a table of astropy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from astropy import units
from astropy.table import QTable
from astropy.utils.masked import Masked

from galgen.columns import Column


def as_table(columns: Sequence[Column], read: Callable[[str], np.ndarray]) -> QTable:
    """Make a table with units and descriptions.

    Parameters
    ----------
    columns : sequence of Column
        The columns.
    read : callable
        Reads the values of one, by its name; nulls are masked.
    """
    table = QTable()
    for column in columns:
        values = read(column.name)
        # Not in the FITS format: nanomaggies are in astropy but not in the standard.
        unit = units.Unit(column.unit, parse_strict="silent") if column.unit else None
        if unit is not None and values.dtype.kind in "iufc":
            table[column.name] = _quantity(values, unit)
        else:
            table[column.name] = values
            table[column.name].info.unit = unit
        table[column.name].info.description = column.description
    return table


def _quantity(values: np.ndarray, unit: units.UnitBase) -> units.Quantity:
    """Give numbers their unit; those masked stay so, and integers integers."""
    if np.ma.isMaskedArray(values):
        values = Masked(values.data, values.mask)
    return units.Quantity(values, unit, dtype=values.dtype, subok=True)
