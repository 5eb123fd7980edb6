"""Writing galaxies into a laid-out file: the fast path, which knows offsets and bytes only.

Nothing here has state, so any thread or process with the file open can write any galaxies; what it
must hand on is the sums.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import numpy as np

from galgen.batch import GalaxyBatch
from galgen.catalog.format import checksum, crc, seal
from galgen.catalog.format.checksum import NOTHING, Sum
from galgen.catalog.format.layout import Hdu, Layout
from galgen.catalog.format.stamps import encode
from galgen.catalog.write.disk import pwrite_all, start_writeback
from galgen.catalog.write.written import Sums

# Summed, swapped and handed to the kernel while still in a core's second-level cache.
_BLOCK_BYTES = 1 << 19
_CODES_BLOCK_BYTES = _BLOCK_BYTES >> 2  # made in float64
_PIECE_BYTES = 1 << 21  # what one thread writes before it looks for more
_COPY_BYTES = 1 << 23
_ON_DISK = np.dtype(">f4")


def write_batch(
    fd: int, layout: Layout, batch: GalaxyBatch, rows: np.ndarray, threads: Executor
) -> Sums:
    """Write galaxies to their places.

    Parameters
    ----------
    fd : int
        The file, open for writing.
    layout : Layout
        Where everything goes in it.
    batch : GalaxyBatch
        Consecutive galaxies that fit `layout`.
    rows : ndarray (n,)
        Their rows of the table, see `galgen.catalog.format.schema.pack_rows`.
    threads : Executor
        A few threads: while one copies to the kernel, which lets in one at a time, the others sum
        and swap.

    Returns
    -------
    tuple of Sum
        What was written adds up to, per HDU.

    Raises
    ------
    OSError
        If the disk is full or fails.
    InvalidValueError
        If pixels are not finite that are written as int16.
    """
    first = int(batch.galaxy_id_n[0]) - layout.first
    _, table, *images = layout.hdus
    pieces = [
        (band, part)
        for band, image in enumerate(images)
        for part in _pieces(len(batch), image.stride)
    ]

    def write(piece: tuple[int, slice]) -> Sum:
        band, part = piece
        image, stamps_nhw = images[band], batch.stamps_nbhw[part, band]
        place = (first + part.start) * image.stride
        if layout.info.scaling:
            return _write_codes(fd, stamps_nhw, layout.info.scaling[band], image, place)
        known = None if batch.stamp_sums_nb is None else batch.stamp_sums_nb[part, band]
        return _write_stamps(fd, stamps_nhw, known, image, place)

    written = threads.map(write, pieces)
    data, place = rows.tobytes(), first * table.stride
    pwrite_all(fd, data, table.data_start + place)
    sums = [NOTHING, _sum(data, place), *(NOTHING for _ in images)]
    for (band, _), part_sum in zip(pieces, written, strict=True):
        sums[2 + band] = checksum.together(sums[2 + band], part_sum)
    for image in images:
        size = len(batch) * image.stride
        if size >= _BLOCK_BYTES:  # pieces too small would make the disk slower
            start_writeback(fd, image.data_start + first * image.stride, size)
    return tuple(sums)


def _pieces(n: int, stride: int) -> Iterator[slice]:
    """Cut `n` galaxies into what one thread writes at a time."""
    count = max(1, _PIECE_BYTES // stride)
    return (slice(start, min(start + count, n)) for start in range(0, n, count))


def _sum(data: bytes | memoryview, place: int) -> Sum:
    """Sum data from a byte of those of an HDU on."""
    return Sum(checksum.sum_bytes(data), crc.term(data, place))


def _write_stamps(
    fd: int, stamps_nhw: np.ndarray, sums_n: np.ndarray | None, image: Hdu, place: int
) -> Sum:
    """Write stamps of one band from a byte of its data on; use their sums where they are known."""
    as_is = stamps_nhw.dtype == _ON_DISK and stamps_nhw.flags.c_contiguous
    if stamps_nhw.dtype != _ON_DISK:
        stamps_nhw = np.asarray(stamps_nhw, dtype=np.float32)
    count = max(1, _BLOCK_BYTES // image.stride)
    swapped = np.empty((0 if as_is else count, *stamps_nhw.shape[1:]), dtype=_ON_DISK)
    words = 0 if sums_n is None else checksum.add(*sums_n.tolist())
    remainder = 0
    for start in range(0, len(stamps_nhw), count):
        block = stamps_nhw[start : start + count]
        if sums_n is None:
            words = checksum.add(words, checksum.sum_values(block))
        if not as_is:
            np.copyto(swapped[: len(block)], block)
            block = swapped[: len(block)]
        data = block.view(np.uint8).data
        remainder = crc.raw(data, remainder)
        pwrite_all(fd, data, image.data_start + place)
        place += data.nbytes
    return Sum(words, crc.shift(remainder, -place))


def _write_codes(
    fd: int, stamps_nhw: np.ndarray, scaling: tuple[float, float], image: Hdu, place: int
) -> Sum:
    """Write stamps of one band as int16 from a byte of its data on."""
    count, total = max(1, _CODES_BLOCK_BYTES // image.stride), NOTHING
    for start in range(0, len(stamps_nhw), count):
        codes = encode(stamps_nhw[start : start + count], *scaling).view(np.uint8)
        total = checksum.together(total, _sum(codes.data, place))
        pwrite_all(fd, codes.data, image.data_start + place)
        place += codes.nbytes
    return total


def write_headers(fd: int, layout: Layout, sums: Sums) -> None:
    """Seal all HDUs, of which all must be known, the first one last: until then this is no FITS.

    What fills the data up to whole blocks is written too, as it is part of no galaxy.
    """
    for hdu, data in reversed(list(zip(layout.hdus, sums, strict=True))):
        end = hdu.data_start + hdu.data_bytes
        pwrite_all(fd, bytes(hdu.stop - end), end)
        datacrc = data.crc32(hdu.stop - hdu.data_start)
        pwrite_all(fd, seal.header_bytes(hdu.header, data.words, datacrc), hdu.start)


def is_whole(path: Path, layout: Layout) -> bool:
    """Whether a finished file of this layout is there; its data are not read."""
    header = seal.header_bytes(layout.hdus[0].header, 0)
    if not path.is_file() or path.stat().st_size != layout.total_bytes:
        return False
    with path.open("rb") as file:
        return file.read(len(header)) == header


def copy(
    source_fd: int, source: Layout, target_fd: int, target: Layout, start: int, stop: int
) -> Sums:
    """Copy galaxies `start` to before `stop` of the run to their places in another file.

    Returns
    -------
    tuple of Sum
        What was copied adds up to, per HDU.

    Raises
    ------
    OSError
        If the disk is full or fails, or the source ends early.
    """
    first, last = start - source.first, stop - source.first
    sums = []
    for old, new in zip(source.hdus, target.hdus, strict=True):
        total = NOTHING
        for place, data in read_data(source_fd, old, first, last):
            total = checksum.together(total, _sum(data, place))
            pwrite_all(target_fd, data, new.data_start + place)
        sums.append(total)
    return tuple(sums)


def sum_data(fd: int, layout: Layout, start: int, stop: int) -> Sums:
    """Sum the data of galaxies `start` to before `stop` of the run as they are in a file.

    Returns
    -------
    tuple of Sum
        What they add up to, per HDU.

    Raises
    ------
    OSError
        If the file cannot be read, or ends early.
    """
    first, last = start - layout.first, stop - layout.first
    return tuple(
        checksum.together(*(_sum(data, at) for at, data in read_data(fd, hdu, first, last)))
        for hdu in layout.hdus
    )


def read_data(fd: int, hdu: Hdu, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """Read the data of rows `first` to before `last` of an HDU in pieces.

    Yields
    ------
    start : int
        Byte of the HDU's data at which the piece starts.
    data : bytes
        The piece.

    Raises
    ------
    OSError
        If the file ends early.
    """
    stop = last * hdu.stride
    for start in range(first * hdu.stride, stop, _COPY_BYTES):
        size = min(_COPY_BYTES, stop - start)
        data = os.pread(fd, size, hdu.data_start + start)
        if len(data) < size:
            raise OSError(f"the file ends {size - len(data)} bytes early")
        yield start, data
