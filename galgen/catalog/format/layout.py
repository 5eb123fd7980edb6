"""Where everything of a catalogue file is, fixed before the first galaxy is made.

Every table row and stamp has a known offset, so whoever holds the file can write any galaxy at any
time. Galaxy first + i is row i of the table and stamp i of each band.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from galgen.catalog.format import headers
from galgen.catalog.format.schema import MOST_COLUMNS, row_dtype, run_columns
from galgen.catalog.format.stamps import PIXEL_TYPES, check_form
from galgen.errors import InvalidValueError
from galgen.runinfo import RunInfo

BLOCK = 2880  # bytes; headers and data are padded to this


@dataclass(frozen=True)
class Hdu:
    """One header and its data.

    Attributes
    ----------
    header : Header
        Complete but for the values of its checksums.
    start, data_start : int
        Bytes of the file where the header and the data start.
    stride : int
        Bytes of data per galaxy; 0 in the primary HDU.
    n : int
        Galaxies.
    """

    header: fits.Header
    start: int
    data_start: int
    stride: int
    n: int

    @property
    def data_bytes(self) -> int:
        """Bytes of data, without padding."""
        return self.stride * self.n

    @property
    def stop(self) -> int:
        """Byte of the file where the next HDU starts."""
        return self.data_start + -(-self.data_bytes // BLOCK) * BLOCK


@dataclass(frozen=True)
class Layout:
    """The whole file.

    Attributes
    ----------
    info : RunInfo
        The run.
    first, n : int
        The first galaxy of the file, and how many are in it.
    row : dtype
        One row of the table.
    hdus : tuple of Hdu
        Primary, table, and stamps of each band unless there are none, in file order.
    """

    info: RunInfo
    first: int
    n: int
    row: np.dtype[Any]
    hdus: tuple[Hdu, ...]

    @property
    def total_bytes(self) -> int:
        """Size of the file."""
        return self.hdus[-1].stop

    @property
    def galaxy_bytes(self) -> int:
        """Bytes of data per galaxy."""
        return sum(hdu.stride for hdu in self.hdus)

    @property
    def stamp_shape(self) -> tuple[int, int, int]:
        """Shape (b, h, w) of the stamps of one galaxy."""
        return len(self.info.bands), self.info.height, self.info.width


def plan(info: RunInfo, first: int = 0, n: int | None = None, stopped: str | None = None) -> Layout:
    """Lay out a file.

    Parameters
    ----------
    info : RunInfo
        The run.
    first : int
        The first galaxy of the file.
    n : int, optional
        Galaxies the file will hold, by default all of `info.n`.
    stopped : str, optional
        Why there are fewer than asked for, in at most 72 characters.

    Raises
    ------
    InvalidValueError
        If the run cannot be a FITS file.
    """
    _check(info)
    n = info.n if n is None else n
    columns = run_columns(info)
    row = row_dtype(columns)
    pixel = PIXEL_TYPES[info.stamps]
    bands = info.bands if pixel else ()
    stamp_bytes = prod((info.height, info.width, pixel.itemsize)) if pixel else 0
    parts = [
        (headers.primary_header(info, first, n, stopped), 0),
        (headers.table_header(columns, n), row.itemsize),
        *((headers.stamps_header(info, band, n), stamp_bytes) for band in bands),
    ]
    hdus, start = [], 0
    for header, stride in parts:
        hdus.append(Hdu(header, start, start + len(header.tostring()), stride, n))
        start = hdus[-1].stop
    return Layout(info, first, n, row, tuple(hdus))


def plan_files(info: RunInfo) -> tuple[Layout, ...]:
    """Lay out all files of a catalogue: one, unless `info.per_file` says otherwise.

    Raises
    ------
    InvalidValueError
        If the run cannot be a FITS file.
    """
    size = info.n if info.per_file is None else info.per_file
    return tuple(plan(info, i, min(size, info.n - i)) for i in range(0, info.n, size))


def file_path(catalog: Path, info: RunInfo, number: int) -> Path:
    """Name a file of a catalogue: as the catalogue, or of several ``<name>.<number>.fits``."""
    if info.per_file is None:
        return catalog
    return catalog.with_name(f"{catalog.stem}.{number:04d}{catalog.suffix}")


def _check(info: RunInfo) -> None:
    """Raise InvalidValueError unless a run can be a FITS file."""
    for name in ("n", "height", "width", "per_file"):
        value = getattr(info, name)
        if value is not None and value < 1:
            raise InvalidValueError(name, value, "1 or more")
    if not -(2**63) <= info.seed < 2**63:
        raise InvalidValueError("seed", info.seed, "-2^63 to 2^63 - 1, what a FITS column holds")
    check_bands(info.bands)
    check_form(info)
    names = [column.name.upper() for column in run_columns(info)]
    if len(names) > MOST_COLUMNS:
        too_many = f"{len(info.carried) - len(names) + MOST_COLUMNS} or less, of {MOST_COLUMNS}"
        hint = "Drop some (`drop`)."
        raise InvalidValueError("columns carried over", len(info.carried), too_many, hint)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidValueError("names of carried columns", twice, "names that no other column has")


def check_bands(bands: Sequence[str]) -> None:
    """Raise InvalidValueError unless bands can name the columns and extensions of a catalogue."""
    # Names become FITS column and extension names, which ignore case.
    if not bands or len({band.upper() for band in bands}) < len(bands):
        raise InvalidValueError("bands", bands, "at least one, each once whatever its case")
    for band in bands:
        if not re.fullmatch(r"[A-Za-z0-9_]{1,16}", band):
            raise InvalidValueError("band", band, "1 to 16 letters, digits or underscores")


def galaxies_per_file(info: RunInfo, size: int) -> int:
    """Find out how many galaxies fit into a file.

    Parameters
    ----------
    info : RunInfo
        The run, of which `n` and `per_file` are ignored.
    size : int
        Bytes that the file may have.

    Raises
    ------
    InvalidValueError
        If not even one fits.
    """
    hdus = plan(replace(info, n=1, per_file=1)).hdus

    def total(n: int) -> int:
        return sum(replace(hdu, n=n).stop - hdu.start for hdu in hdus)

    if size < total(1):
        raise InvalidValueError("max-file-size", size, f"{total(1)} bytes or more")
    return bisect_right(range(size), size, key=total) - 1
