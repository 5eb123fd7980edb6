"""Tables in files of any form, as FITS would hold them: a column at a time, when it is wanted."""

from __future__ import annotations

import io
import mmap
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.utils.data import get_readable_fileobj

from galgen.columns import Column, numbered_dtype, read_columns
from galgen.errors import DataError, InvalidValueError, reading
from galgen.request.fitscolumn import check_name, fits_column
from galgen.request.parquet import Parquet
from galgen.request.plain import plain_table
from galgen.request.tabletext import read_text
from galgen.request.votable import check_votable
from galgen.system.bounds import ARRAYS, FREE, FREE_TEXT, TEXT
from galgen.system.fitsfile import check_headers
from galgen.system.inputs import open_input

Which = str | int | None  # a table of a file, by its name or its number from 1
_FITS, _PARQUET, _HDF5, _ZIP = b"SIMPLE  =", b"PAR1", b"\x89HDF\r\n", b"PK\x03\x04"
_OTHERS = {_HDF5: "HDF5", _ZIP: "a zip or Excel's own format"}


class Stored(Protocol):
    """The columns of a table, of which one is read or converted when it is asked for."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""
        ...

    @property
    def n(self) -> int:
        """How many rows there are."""
        ...

    @property
    def others(self) -> Sequence[str]:
        """Other tables of the file."""
        ...

    def column(self, i: int) -> tuple[Column, np.ndarray]:
        """Return a column and its n values as FITS has them.

        Raises
        ------
        InvalidValueError
            If FITS has no such column.
        """
        ...


class Mapped:
    """A binary table of FITS, whose bytes are as they are in the file."""

    def __init__(self, columns: Sequence[Column], rows: np.ndarray, others: Sequence[str]) -> None:
        self.names, self.n, self.others = [c.name for c in columns], len(rows), others
        self._columns, self._rows = columns, rows

    def column(self, i: int) -> tuple[Column, np.ndarray]:
        """Return a column and a view of its values."""
        return self._columns[i], self._rows[f"{i}"]


class Converted:
    """A table of another form: columns are converted when they are asked for."""

    def __init__(
        self,
        names: Sequence[str],
        n: int,
        get: Callable[[int], tuple[np.ndarray, np.ndarray | None, str, str]],
        others: Sequence[str] = (),
    ) -> None:
        self.names, self.n, self.others, self._get = names, n, others, get
        self._known: dict[int, tuple[Column, np.ndarray]] = {}

    def column(self, i: int) -> tuple[Column, np.ndarray]:
        """Return a column as FITS would have it."""
        if i not in self._known:
            check_name(self.names[i])
            self._known[i] = fits_column(self.names[i], *self._get(i))
        return self._known[i]


def read_table(path: Path, which: Which = None) -> Stored:
    """Read a table in FITS, VOTable, Parquet, ECSV or another form of text.

    What it is, its first bytes say. FITS, text and VOTable may be compressed (gzip, bzip2, xz).

    Parameters
    ----------
    path : Path
        The file.
    which : str or int, optional
        Name, or number from 1, of a table of a file that has several; else the first.

    Raises
    ------
    DataError
        If the file cannot be read as a table, or has no such one.
    MissingPackageError
        If it is in Parquet and pyarrow is not installed.
    """
    with reading(path, "a table"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units and truncated files: both are seen to
        return _read(path, which)


def _read(path: Path, which: Which) -> Stored:
    """Read a table; see `read_table`."""
    with open_input(path) as file:
        begin = file.read(16)
        if begin.startswith(_FITS):
            return _of_fits(path, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), which)
    if begin.startswith(_PARQUET):
        _one_only(path, which)
        return _of_parquet(path)
    data = _unpacked(path)
    if data.startswith(_FITS):
        return _of_fits(path, data, which)
    for magic, form in _OTHERS.items():
        if data.startswith(magic):
            raise DataError(f"{path}: is {form}; save it as CSV, FITS, VOTable or Parquet.")
    if {".fits", ".fit", ".fts"}.intersection(map(str.lower, path.suffixes[-2:])):
        raise DataError(f"{path}: cannot be read as a table (no FITS file, though called so).")
    if b"<VOTABLE" in data[:4096]:
        return _of_votable(path, data, which)
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: is no table that is known: FITS, VOTable, Parquet or text.")
    _one_only(path, which)
    return _of_astropy(read_text(data))


def _unpacked(path: Path) -> bytes:
    """Read a file that may be packed by gzip, bzip2 or xz, unless it grows as no table does."""
    stored = path.stat().st_size
    with path.open("rb") as raw, get_readable_fileobj(raw, encoding="binary") as file:
        begin = file.read(len(_FITS))
        limit = FREE + ARRAYS * stored if begin == _FITS else FREE_TEXT + TEXT * stored
        file.seek(0)
        data: bytes = file.read(limit + 1)
    if len(data) > limit:
        raise DataError(
            f"{path}: has {stored / 1e6:,.3f} MB, but grows to more than {limit / 1e6:,.0f} MB "
            "when it is unpacked, which tables do not. Unpack it first (gunzip) if it is good."
        )
    return data


def _of_fits(path: Path, data: bytes | mmap.mmap, which: Which) -> Stored:
    """Take a table of a FITS file, from its bytes."""
    mapped = isinstance(data, mmap.mmap)
    with path.open("rb") if mapped else io.BytesIO(data) as file:
        check_headers(file, path)
        hdus = fits.open(file, memmap=mapped, lazy_load_hdus=True)
        kinds = fits.BinTableHDU | fits.TableHDU
        found = {i: hdu for i, hdu in enumerate(hdus) if isinstance(hdu, kinds)}
        names = {i: hdu.name for i, hdu in found.items()}
        if not found:
            raise DataError(f"{path}: has no binary table.")
        i = _chosen(path, names, which)
        others = [f"{j} {name}".strip() for j, name in names.items() if j != i]
        hdu = found[i]
        if isinstance(hdu, fits.TableHDU):
            return _of_astropy(Table.read(hdu), others)
        columns, n = read_columns(hdu.header), int(hdu.header["NAXIS2"])
        start = hdu.fileinfo()["datLoc"]
        try:
            row = numbered_dtype(columns)
        except InvalidValueError as error:
            raise DataError(f"{path}: {error}") from None
        if row.itemsize != hdu.header["NAXIS1"]:
            raise DataError(
                f"{path}: rows of {hdu.header['NAXIS1']} bytes; its columns take {row.itemsize}."
            )
    if start + n * row.itemsize > len(data):
        raise DataError(f"{path}: ends before its {n} rows do; it was cut off.")
    if mapped and n:
        return Mapped(columns, np.memmap(path, row, "r", start, (n,)), others)
    rows = np.frombuffer(data, row, n, start) if n else np.empty(0, row)
    return Mapped(columns, rows, others)


def _of_votable(path: Path, data: bytes, which: Which) -> Stored:
    """Read a table of a VOTable."""
    from astropy.io import votable

    check_votable(path, data)
    tables = list(votable.parse(io.BytesIO(data), verify="ignore").iter_tables())
    if not tables:
        raise DataError(f"{path}: has no table.")
    names = {i: str(table.name or table.ID or "") for i, table in enumerate(tables, 1)}
    chosen = _chosen(path, names, which)
    others = [f"{i} {name}".strip() for i, name in names.items() if i != chosen]
    table = tables[chosen - 1].to_table(use_names_over_ids=True)
    return _of_astropy(table, others)


def _of_parquet(path: Path) -> Stored:
    """Read a table in Parquet."""
    file = Parquet(path)
    if file.by_astropy:  # units and mixins are in words of its own
        return _of_astropy(Table.read(path, format="parquet"))
    return Converted(file.names, file.n, file.column)


def _of_astropy(table: Table, others: Sequence[str] = ()) -> Stored:
    """Take the columns of a table of astropy."""
    columns = list(plain_table(table).columns.values())

    def get(i: int) -> tuple[np.ndarray, np.ndarray | None, str, str]:
        column = columns[i]
        mask = getattr(column, "mask", None)
        values = np.ma.getdata(column).view(np.ndarray)
        return values, mask, str(column.unit or ""), str(column.description or "")

    return Converted([column.name for column in columns], len(table), get, others)


def _chosen(path: Path, names: dict[int, str], which: Which) -> int:
    """Return the number of the table that is meant."""
    if which is None:
        return min(names)
    text = str(which).strip()
    for number, name in names.items():
        if name.lower() == text.lower():
            return number
    if text.isdecimal() and int(text) in names:
        return int(text)
    listed = ", ".join(f"{number} {name}".strip() for number, name in names.items())
    raise InvalidValueError("`table`", which, f"one of {path}: {listed}")


def _one_only(path: Path, which: Which) -> None:
    """Refuse a choice of tables where a file has one."""
    if which is not None:
        raise InvalidValueError("`table`", which, f"none, as {path} has one table only")
