"""Which columns of a table are carried over into the catalogue."""

from __future__ import annotations

import fnmatch

from galgen.columns import Column
from galgen.errors import DataError, InvalidValueError
from galgen.request.table import InputTable

MAX_COLUMN_BYTES = 1024  # per row; more belongs into a file of its own


def carried(table: InputTable, keep: tuple[str, ...], drop: tuple[str, ...]) -> tuple[Column, ...]:
    """Find the columns to carry over; others are not read.

    Parameters
    ----------
    table : InputTable
        The table.
    keep, drop : tuple of str
        Names or patterns, whatever their case, of columns to carry over (by default all), and of
        those not to.

    Raises
    ------
    InvalidValueError
        If a pattern fits no column.
    DataError
        If FITS has no such column, or it cannot be carried over.
    """
    lower = [name.lower() for name in table.names]
    chosen = []
    for what, patterns in (("keep", keep or ("*",)), ("drop", drop)):
        fits = [set(fnmatch.filter(lower, pattern.lower())) for pattern in patterns]
        if nothing := next((p for p, found in zip(patterns, fits, strict=True) if not found), None):
            raise InvalidValueError(f"column to {what}", nothing, table.listed)
        chosen.append(set[str]().union(*fits))
    wanted, unwanted = chosen
    kept, refused = [], []
    for name in table.names:
        if name.lower() not in wanted - unwanted:
            continue
        column = table.column(name)
        if column.variable or not 0 < column.dtype.itemsize <= MAX_COLUMN_BYTES:
            refused.append(f"{column.name} ({column.form})")
        kept.append(column)
    if refused:
        raise DataError(
            f"{table.path}: columns that cannot be carried over, as their length varies or is over "
            f"{MAX_COLUMN_BYTES} bytes: {', '.join(refused)}. Leave them out with `drop`."
        )
    return tuple(kept)
