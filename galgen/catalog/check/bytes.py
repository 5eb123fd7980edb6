"""Every byte of a FITS file against its checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from galgen.catalog.format import checksum
from galgen.catalog.format.hdus import RawHdu, raw_hdus
from galgen.catalog.format.schema import MOST_COLUMNS

_CHUNK_BYTES = 1 << 22


def check_bytes(
    path: Path, look: Callable[[RawHdu, bytes], None] = lambda hdu, data: None
) -> Iterator[str]:
    """Check what needs all bytes of a file, in one pass.

    Parameters
    ----------
    path : Path
        The file.
    look : callable
        Called with each piece of the data of an HDU, padding included.

    Yields
    ------
    str
        What is wrong.
    """
    with path.open("rb") as raw:
        for hdu in raw_hdus(path):
            if hdu.header.get("TFIELDS", 0) > MOST_COLUMNS:
                fields = hdu.header["TFIELDS"]
                yield f"{hdu.name}: TFIELDS is {fields}; a FITS table has {MOST_COLUMNS} at most."
            raw.seek(hdu.start)
            header_sum = checksum.sum_bytes(raw.read(hdu.data_start - hdu.start))
            datasum = 0
            left = hdu.stop - hdu.data_start
            while left:
                chunk = raw.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    yield f"{hdu.name}: the file ends {left} bytes early."
                    return
                left -= len(chunk)
                datasum = checksum.add(datasum, checksum.sum_bytes(chunk))
                look(hdu, chunk)
            yield from _check_sums(hdu, header_sum, datasum)
        if extra := len(raw.read(1)):
            extra += path.stat().st_size - raw.tell()
            yield f"{extra} bytes follow the last extension."


def _check_sums(hdu: RawHdu, header_sum: int, datasum: int) -> Iterator[str]:
    """Whether an HDU has checksums, and they are those of its bytes."""
    stored = hdu.header.get("DATASUM")
    if stored is None or "CHECKSUM" not in hdu.header:
        yield f"{hdu.name}: has no checksums."
        return
    if stored != str(datasum):
        yield f"{hdu.name}: the data sum to {datasum}, but DATASUM is {stored}: they have changed."
    if checksum.add(header_sum, datasum) not in (0, checksum.ALL_ONES):
        yield f"{hdu.name}: CHECKSUM does not hold: the header or the data have changed."
