"""Writing galaxies into a laid-out file: the fast path, which knows offsets and bytes only.

Nothing here has state, so any thread or process with the file open can write any galaxies; what it
must hand on is the sums.
"""

from __future__ import annotations

import os

import numpy as np

from galgen.batch import GalaxyBatch
from galgen.catalog import checksum
from galgen.catalog.layout import Layout
from galgen.catalog.partfile import pwrite_all, start_writeback
from galgen.catalog.schema import pack_rows
from galgen.catalog.written import Sums

# Summed, swapped and handed to the kernel while still in a core's second-level cache.
_BLOCK_BYTES = 1 << 19
_COPY_BYTES = 1 << 23
_ON_DISK = np.dtype(">f4")


def write_batch(fd: int, layout: Layout, batch: GalaxyBatch) -> Sums:
    """Write galaxies to their places.

    Parameters
    ----------
    fd : int
        Open for writing.
    layout : Layout
    batch : GalaxyBatch
        Of consecutive galaxies that fit `layout`.

    Returns
    -------
    tuple of int
        DATASUM of what was written, per HDU.
    """
    first = int(batch.galaxy_id_n[0])
    _, table, *images = layout.hdus
    rows = pack_rows(batch, layout.row).tobytes()
    pwrite_all(fd, rows, table.data_start + first * table.stride)
    sums = [0, checksum.sum_bytes(rows)]
    stamps_nbhw, sums_nb = batch.stamps_nbhw, batch.stamp_sums_nb
    if stamps_nbhw.dtype != _ON_DISK:
        stamps_nbhw = np.asarray(stamps_nbhw, dtype=np.float32)
    for band, image in enumerate(images):
        offset = image.data_start + first * image.stride
        known = None if sums_nb is None else checksum.add(*sums_nb[:, band].tolist())
        sums.append(_write_stamps(fd, stamps_nbhw[:, band], known, offset, image.stride))
    return tuple(sums)


def _write_stamps(
    fd: int, stamps_nhw: np.ndarray, known: int | None, offset: int, stride: int
) -> int:
    """Write stamps of one band; return their sum, which is computed unless `known`."""
    as_is = stamps_nhw.dtype == _ON_DISK and stamps_nhw.flags.c_contiguous
    count = max(1, _BLOCK_BYTES // stride)
    swapped = np.empty((0 if as_is else count, *stamps_nhw.shape[1:]), dtype=_ON_DISK)
    total = known or 0
    for start in range(0, len(stamps_nhw), count):
        block = stamps_nhw[start : start + count]
        if known is None:
            total = checksum.add(total, checksum.sum_values(block))
        if not as_is:
            np.copyto(swapped[: len(block)], block)
            block = swapped[: len(block)]
        pwrite_all(fd, block.view(np.uint8), offset + start * stride)
    if len(stamps_nhw) >= count:  # pieces too small would make the disk slower
        start_writeback(fd, offset, len(stamps_nhw) * stride)
    return total


def write_headers(fd: int, layout: Layout, sums: Sums) -> None:
    """Write all headers with their checksums, the first one last: until then this is no FITS."""
    for hdu, datasum in reversed(list(zip(layout.hdus, sums, strict=True))):
        pwrite_all(fd, checksum.seal(hdu.header, datasum), hdu.start)


def compact(fd: int, old: Layout, new: Layout) -> Sums:
    """Move the first `new.n` galaxies of a file from where `old` has them to where `new` does.

    Returns
    -------
    tuple of int
        DATASUM of what was moved, per HDU.
    """
    sums = []
    for source, target in zip(old.hdus, new.hdus, strict=True):
        # Going up in the file and moving down, nothing is overwritten before it is read.
        assert target.data_start <= source.data_start
        total = 0
        for start in range(0, target.data_bytes, _COPY_BYTES):
            size = min(_COPY_BYTES, target.data_bytes - start)
            data = os.pread(fd, size, source.data_start + start)
            total = checksum.add(total, checksum.sum_bytes(data))
            pwrite_all(fd, data, target.data_start + start)
        end = target.data_start + target.data_bytes
        pwrite_all(fd, bytes(target.stop - end), end)
        sums.append(total)
    return tuple(sums)
