"""Where everything of a catalogue file is, fixed before the first galaxy is made.

Every table row and stamp has a known offset, so whoever holds the file can write any galaxy at any
time. Galaxy i is row i of the table and stamp i of each band.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import prod

import numpy as np
from astropy.io import fits

from galgen.batch import RunInfo
from galgen.catalog import headers
from galgen.catalog.schema import catalog_columns, row_dtype
from galgen.errors import InvalidValueError

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
    n : int
        Galaxies in the file; fewer than `info.n` where the run was stopped.
    row : dtype
        One row of the table.
    hdus : tuple of Hdu
        Primary, table, and stamps of each band, in file order.
    """

    info: RunInfo
    n: int
    row: np.dtype
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
        """(bands, H, W) of one galaxy."""
        return len(self.info.bands), self.info.height, self.info.width


def plan(
    info: RunInfo, n: int | None = None, stopped: str | None = None, date: datetime | None = None
) -> Layout:
    """Lay out a catalogue.

    Parameters
    ----------
    info : RunInfo
    n : int, optional
        Galaxies the file will hold, by default all of `info.n`. Fewer never move data up.
    stopped, date
        See `headers.primary_header`.

    Raises
    ------
    InvalidValueError
        If the run cannot be a FITS file.
    """
    _check(info)
    n = info.n if n is None else n
    columns = catalog_columns(info.bands, info.flux_unit)
    row = row_dtype(columns)
    stamp_bytes = prod((info.height, info.width, np.dtype(np.float32).itemsize))
    parts = [
        (headers.primary_header(info, n, stopped, date), 0),
        (headers.table_header(columns, n), row.itemsize),
        *((headers.stamps_header(info, band, n), stamp_bytes) for band in info.bands),
    ]
    hdus, start = [], 0
    for header, stride in parts:
        hdus.append(Hdu(header, start, start + len(header.tostring()), stride, n))
        start = hdus[-1].stop
    return Layout(info, n, row, tuple(hdus))


def _check(info: RunInfo) -> None:
    for name in ("n", "height", "width"):
        if getattr(info, name) < 1:
            raise InvalidValueError(name, getattr(info, name), "1 or more")
    if not -(2**63) <= info.seed < 2**63:
        raise InvalidValueError("seed", info.seed, "-2^63 to 2^63 - 1, what a FITS column holds")
    check_bands(info.bands)


def check_bands(bands: Sequence[str]) -> None:
    """Raise InvalidValueError unless bands can name the columns and extensions of a catalogue."""
    # Names become FITS column and extension names, which ignore case.
    if not bands or len({band.upper() for band in bands}) < len(bands):
        raise InvalidValueError("bands", bands, "at least one, each once whatever its case")
    for band in bands:
        if not re.fullmatch(r"[A-Za-z0-9_]{1,16}", band):
            raise InvalidValueError("band", band, "1 to 16 letters, digits or underscores")
