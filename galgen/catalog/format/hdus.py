"""The HDUs of a file as bytes: where they are, copied and summed piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits

from galgen.catalog.format import checksum, crc, seal
from galgen.catalog.format.layout import BLOCK
from galgen.errors import CatalogError, reading
from galgen.system.fitsfile import check_headers

_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class RawHdu:
    """One HDU of a file on disk; a compressed image is the table that it is stored as.

    Attributes
    ----------
    name : str
        ``EXTNAME``, or PRIMARY.
    header : Header
        As it is in the file.
    start, data_start : int
        Bytes of the file where the header and the data start.
    data_bytes : int
        Bytes of data, without padding.
    stop : int
        Byte of the file where the next HDU starts.
    """

    name: str
    header: fits.Header
    start: int
    data_start: int
    data_bytes: int
    stop: int


def raw_hdus(path: Path) -> list[RawHdu]:
    """Find all HDUs of a FITS file, in file order.

    Raises
    ------
    CatalogError
        If a header is damaged.
    """
    found = []
    with reading(path, "FITS", CatalogError), path.open("rb") as file:
        check_headers(file, path, CatalogError)
        for hdu in fits.open(file, disable_image_compression=True):
            at = hdu.fileinfo()
            header, data = at["hdrLoc"], at["datLoc"]
            found.append(RawHdu(hdu.name, hdu.header, header, data, hdu.size, data + at["datSpan"]))
    return found


class StreamSum:
    """What bytes add up to that come in pieces of any length, in order, from byte `place` on."""

    def __init__(self, place: int = 0) -> None:
        self._total, self._rest = 0, b""
        self._end, self._remainder = place, 0

    def add(self, data: bytes) -> None:
        """Add the next bytes."""
        self._end, self._remainder = self._end + len(data), crc.raw(data, self._remainder)
        if self._rest:
            data = self._rest + data
        whole = len(data) // 4 * 4
        self._total = checksum.add(self._total, checksum.sum_bytes(memoryview(data)[:whole]))
        self._rest = bytes(data[whole:])

    @property
    def value(self) -> checksum.Sum:
        """The sum of all bytes so far, as if zeros followed."""
        rest = checksum.sum_bytes(self._rest.ljust(4, b"\0")) if self._rest else 0
        term = crc.shift(self._remainder, -self._end)
        return checksum.Sum(checksum.add(self._total, rest), term)


def data_of(path: Path, hdu: RawHdu, whole: bool = False) -> Iterator[bytes]:
    """Read the data of an HDU in pieces, checked on the way.

    Parameters
    ----------
    path : Path
        The file.
    hdu : RawHdu
        An HDU of it.
    whole : bool
        Give the header first and the padding last: the whole HDU.

    Yields
    ------
    bytes
        The next ones, 4 MiB or less.

    Raises
    ------
    CatalogError
        At the end, if they are not those that were sealed: a copy of them must not be sealed anew.
    """
    total = StreamSum()
    with path.open("rb") as file:
        file.seek(hdu.start)
        header = file.read(hdu.data_start - hdu.start)
        if whole:
            yield header
        left = hdu.data_bytes
        while left:
            chunk = file.read(min(left, _CHUNK_BYTES))
            if not chunk:
                raise CatalogError(f"{path}: {hdu.name} ends {left} bytes early.")
            left -= len(chunk)
            total.add(chunk)
            yield chunk
        padding = file.read(hdu.stop - hdu.data_start - hdu.data_bytes)
        total.add(padding)
        if whole:
            yield padding
    data, size = total.value, hdu.stop - hdu.data_start
    if wrong := [*seal.faults(hdu.header, header, data.words, data.crc32(size))]:
        raise CatalogError(
            f"{path}: {wrong[-1][0]} of {hdu.name} does not hold: the file has changed since it "
            "was written. 'galgen verify' says more."
        )


def check_data(path: Path, hdu: RawHdu) -> None:
    """Read the data of an HDU for nothing but its checksum.

    Raises
    ------
    CatalogError
        If it does not hold.
    """
    for _ in data_of(path, hdu):
        pass


def append_hdu(file: BinaryIO, header: fits.Header, data: Iterator[bytes]) -> int:
    """Write an HDU at the end of what is written, and seal it.

    Parameters
    ----------
    file : binary file
        At a multiple of 2,880 bytes.
    header : Header
        Complete but for the values of its seal.
    data : iterator of bytes
        Pieces of any length.

    Returns
    -------
    int
        ``DATASUM``, the sum of the data.
    """
    start, total, size = file.tell(), StreamSum(), 0
    file.write(header.tostring().encode("ascii"))
    for chunk in data:
        total.add(chunk)
        size += len(chunk)
        file.write(chunk)
    file.write(bytes(-size % BLOCK))
    end = file.tell()
    file.seek(start)
    found = total.value
    file.write(seal.header_bytes(header, found.words, found.crc32(size + -size % BLOCK)))
    file.seek(end)
    return found.words
