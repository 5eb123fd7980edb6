"""Tables in files, FITS, CSV or ECSV, as FITS would hold them: columns, and rows of raw bytes."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from galgen.columns import Column, numbered_dtype, read_columns
from galgen.errors import DataError

_SUFFIXES = {".fits": "fits", ".fit": "fits", ".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}


def read_table(path: Path) -> tuple[tuple[Column, ...], np.ndarray]:
    """Read a table, whose first binary table it is in FITS.

    Parameters
    ----------
    path : Path
        Ending in ``.fits``, ``.fit``, ``.csv`` or ``.ecsv``.

    Returns
    -------
    columns : tuple of Column
        The columns, as in the file or as FITS would have them.
    rows : ndarray (n,)
        Of `galgen.columns.numbered_dtype`; a memory map of a FITS file.

    Raises
    ------
    DataError
        If the file cannot be read as a table.
    """
    form = _SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise DataError(f"{path}: not a table by its name ({', '.join(_SUFFIXES)}).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units and truncated files: both are seen to
            if form == "fits":
                return _map(path)
            return _as_fits(Table.read(path, format=form))
    except DataError:
        raise
    except Exception as error:  # astropy's readers raise whatever they stumble on
        raise DataError(f"{path}: cannot be read as a table ({error}).") from error


def _map(path: Path) -> tuple[tuple[Column, ...], np.ndarray]:
    """Map the first binary table of a FITS file."""
    with path.open("rb") as file, fits.open(file) as hdus:  # a name may look like an address
        hdu = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
        if hdu is None:
            raise DataError(f"{path}: has no binary table.")
        columns, n = read_columns(hdu.header), int(hdu.header["NAXIS2"])
        start, row = hdu.fileinfo()["datLoc"], numbered_dtype(columns)
        if row.itemsize != hdu.header["NAXIS1"]:
            raise DataError(
                f"{path}: rows of {hdu.header['NAXIS1']} bytes; its columns take {row.itemsize}."
            )
    if start + n * row.itemsize > path.stat().st_size:
        raise DataError(f"{path}: ends before its {n} rows do; it was cut off.")
    rows = np.memmap(path, row, "r", start, (n,)) if n else np.empty(0, row)
    return tuple(columns), rows


def _as_fits(table: Table) -> tuple[tuple[Column, ...], np.ndarray]:
    """Write a table in memory as FITS, and take it from there."""
    for column in table.columns.values():
        if hasattr(column, "fill_value"):  # what stands for no value must not be one
            column.fill_value = _no_value(column.dtype, column.fill_value)
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
        start = hdus[1].fileinfo()["datLoc"]
        return tuple(columns), np.frombuffer(
            file.getvalue(), numbered_dtype(columns), len(table), start
        )


def _no_value(dtype: np.dtype, otherwise: object) -> object:
    """Return what stands for no value in a column of a type."""
    if dtype.kind == "i":
        return np.iinfo(dtype).min
    return {"f": np.nan, "U": "", "S": ""}.get(dtype.kind, otherwise)
