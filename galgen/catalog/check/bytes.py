"""Every byte of a FITS file against the seals of its HDUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from galgen.catalog.format.hdus import RawHdu, StreamSum, raw_hdus
from galgen.catalog.format.schema import MOST_COLUMNS
from galgen.catalog.format.seal import faults

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
            header, total = raw.read(hdu.data_start - hdu.start), StreamSum()
            left = hdu.stop - hdu.data_start
            while left:
                chunk = raw.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    yield f"{hdu.name}: the file ends {left} bytes early."
                    return
                left -= len(chunk)
                total.add(chunk)
                look(hdu, chunk)
            data, size = total.value, hdu.stop - hdu.data_start
            for _, what in faults(hdu.header, header, data.words, data.crc32(size)):
                yield f"{hdu.name}: {what}"
        if extra := len(raw.read(1)):
            extra += path.stat().st_size - raw.tell()
            yield f"{extra} bytes follow the last extension."
