"""FITS files of strangers: gzip and images whose size is checked before memory is taken."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits

from galgen.errors import DataError, GalgenError
from galgen.system.bounds import check_rows, check_unpacked
from galgen.system.inputs import open_input

_GZIP, _FITS = b"\x1f\x8b", b"SIMPLE"
_BLOCK, _CARD = 2880, 80  # bytes
_SIZES = re.compile(rb"Z?(BITPIX|NAXIS\d*)|[PG]COUNT|TFIELDS")
_WHOLE = re.compile(rb"[+-]?\d{1,40}")
_GROUPS = b"GROUPS"
_BITS, _LARGE = (-64, 64), 2**62
_MOST = {b"NAXIS": 999, b"ZNAXIS": 999, b"TFIELDS": 9999}
_MOST_CARDS = 10**6


def open_fits(path: Path) -> BinaryIO | gzip.GzipFile:
    """Open a FITS file, compressed as a whole by gzip or not, for astropy to parse.

    Raises
    ------
    DataError
        If it begins as neither: astropy would unpack other formats, however large they are. Or as
        `check_headers`.
    """
    file = _opened(path)
    try:
        check_headers(file, path)
    except BaseException:
        file.close()
        raise
    return file


def _opened(path: Path) -> BinaryIO | gzip.GzipFile:
    """Open a FITS file; see `open_fits`."""
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


def check_headers(
    file: BinaryIO | gzip.GzipFile, path: Path, kind: type[GalgenError] = DataError
) -> None:
    """Look through a FITS file before astropy does, which headers of strangers can keep for ever.

    It looks for the HDU after one of less than no data in front of that, and counts axes to any
    number.

    Parameters
    ----------
    file : binary file
        At its start, where it is left.
    path : Path
        The same, for the message.
    kind : type of GalgenError
        What is raised.

    Raises
    ------
    GalgenError
        Of `kind`, if a header has sizes that no data have.
    """
    while header := _header(file):
        found: dict[bytes, int] = {}
        for key, text in header:
            if key == _GROUPS and text.startswith(b"T"):
                raise kind(f"{path}: has random groups, which are not read.")
            if not _SIZES.fullmatch(key):
                continue
            name, digits = key.decode(), _WHOLE.match(text)
            if key in found:
                raise kind(f"{path}: has two cards {name} in one header.")
            found[key] = value = int(digits[0]) if digits else 0
            least, most = _BITS if name.endswith("BITPIX") else (0, _MOST.get(key, _LARGE))
            if not least <= value <= most:
                raise kind(f"{path}: a header has {name} = {value}; allowed: {least} to {most}.")
        axes = [found.get(b"NAXIS%d" % i, 0) for i in range(1, found.get(b"NAXIS", 0) + 1)]
        values = found.get(b"PCOUNT", 0) + prod(axes) if axes else 0
        size = abs(found.get(b"BITPIX", 0)) // 8 * found.get(b"GCOUNT", 1) * values
        if size >= _LARGE:
            raise kind(f"{path}: a header says to have {size} bytes of data, which no file has.")
        file.seek(file.tell() + -(-size // _BLOCK) * _BLOCK)
    file.seek(0)


def _header(file: BinaryIO | gzip.GzipFile) -> list[tuple[bytes, bytes]]:
    """Read a header: keys and what follows them; nothing at the end of the file."""
    cards: list[tuple[bytes, bytes]] = []
    while len(block := file.read(_BLOCK)) == _BLOCK:
        for at in range(0, _BLOCK, _CARD):
            key, text = block[at : at + 8], block[at + 8 : at + _CARD]
            cards.append((key.strip().upper(), text.lstrip(b"= ")))
            if cards[-1][0] == b"END":
                return cards
        if len(cards) > _MOST_CARDS:
            break
    return []


def checked_hdus(
    hdus: fits.HDUList, path: Path, stored: int | None = None
) -> Iterator[fits.hdu.base._BaseHDU]:
    """Yield the HDUs of an open file, unless they are far larger than the file.

    Parameters
    ----------
    hdus : HDUList
        The open file.
    path : Path
        Its name, for the message.
    stored : int, optional
        Bytes that it takes on disk; by default those of the file at `path`.

    Raises
    ------
    DataError
        If they are, or a tile of a compressed image is.
    """
    stored = path.stat().st_size if stored is None else stored
    total = 0
    for hdu in hdus:  # one by one: each is only found by skipping the data before it
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
