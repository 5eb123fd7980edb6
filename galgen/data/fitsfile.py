"""FITS files of strangers: gzip and images whose size is checked before memory is taken."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits

from galgen.data.bounds import check_rows, check_unpacked
from galgen.errors import DataError
from galgen.system.inputs import open_input

_GZIP, _FITS = b"\x1f\x8b", b"SIMPLE"


def open_fits(path: Path) -> BinaryIO | gzip.GzipFile:
    """Open a FITS file, compressed as a whole by gzip or not, for astropy to parse.

    Raises
    ------
    DataError
        If it begins as neither: astropy would unpack other formats, however large they are.
    """
    file = open_input(path)
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(_GZIP):
        file.close()
        return _Gzip(path)
    if magic != _FITS:
        file.close()
        raise DataError(f"{path}: cannot be read as FITS: it does not begin with {_FITS.decode()}.")
    return file


def checked_hdus(hdus: fits.HDUList, path: Path) -> Iterator[fits.hdu.base._BaseHDU]:
    """Yield the HDUs of an open file, unless they are far larger than the file.

    Raises
    ------
    DataError
        If they are, or a tile of a compressed image is.
    """
    stored = path.stat().st_size
    total = 0
    for hdu in hdus:  # one by one: each is only found by skipping the data before it
        if hdu.size < 0:  # the next one would be looked for before this one, for ever
            raise DataError(f"{path}: {hdu.name or 'an extension'} has less than no data.")
        shape = tuple(hdu.shape) if hdu.is_image and hdu.header["NAXIS"] else ()
        total += max(hdu.size, 4 * prod(shape) if shape else 0)
        check_unpacked(f"{path}: {hdu.name or 'an extension'} and before", total, stored)
        if len(shape) in (3, 4):
            check_rows(f"{path}: {hdu.name}", shape[0], stored)
        if isinstance(hdu, fits.CompImageHDU):
            check_unpacked(f"{path}: tiles of {hdu.name}", 8 * prod(hdu.tile_shape), stored)
        yield hdu


class _Gzip(gzip.GzipFile):
    """A file in gzip, of which no more is unpacked than is believed of one of its size."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(path, "rb")

    def read(self, size: int | None = -1) -> bytes:
        """Read bytes, see `gzip.GzipFile`."""
        wanted = size if size is not None and size >= 0 else 1 << 62
        data = super().read(min(wanted, 1 << 30))
        self._check(self.tell())
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, see `gzip.GzipFile`."""
        self._check(offset)
        return super().seek(offset, whence)

    def _check(self, position: int) -> None:
        """Refuse to go on where far more has been unpacked than the file has."""
        check_unpacked(self._path, position, self._path.stat().st_size)
