"""HEALPix pixels that hold about equally many galaxies each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galgen.errors import InvalidValueError


@dataclass(frozen=True)
class Partition:
    """One pixel of the partition.

    Attributes
    ----------
    order, pixel : int
        HEALPix order and number of the pixel, nested.
    start, n : int
        Its first row and how many it has, among the rows sorted by partition.
    """

    order: int
    pixel: int
    start: int
    n: int

    @property
    def path(self) -> str:
        """Path of its parquet file below ``dataset``."""
        folder = self.pixel // 10_000 * 10_000
        return f"Norder={self.order}/Dir={folder}/Npix={self.pixel}.parquet"


def partition_pixels(counts: np.ndarray, rows: int) -> tuple[list[Partition], np.ndarray]:
    """Find the largest HEALPix pixels that have at most `rows` galaxies each, and one at least.

    Parameters
    ----------
    counts : ndarray (12 * 4^order,) int64
        Galaxies in each nested pixel of the finest order.
    rows : int
        Most galaxies in a pixel.

    Returns
    -------
    partitions : list of Partition
        Pixels in the order of their area on the nested curve.
    owner : ndarray (12 * 4^order,) int32
        Number of the partition that each pixel belongs to; -1 for empty ones.

    Raises
    ------
    InvalidValueError
        If a pixel of the finest order has more.
    """
    finest = (len(counts) // 12).bit_length() // 2
    fine = np.flatnonzero(counts)
    left = np.ones(len(fine), bool)
    order_n, pixel_n = np.zeros(len(fine), int), np.zeros(len(fine), np.int64)
    for order in range(finest + 1):
        pixel, inverse = np.unique(fine >> 2 * (finest - order), return_inverse=True)
        fits = np.bincount(inverse, counts[fine]) <= rows
        new = left & fits[inverse]
        order_n[new], pixel_n[new] = order, pixel[inverse[new]]
        left &= ~new
    if left.any():
        most = int(counts[fine].max())
        name = f"galaxies in one HEALPix pixel of order {finest}"
        raise InvalidValueError(
            name, most, f"at most {rows}, the rows of a partition", "Allow more, or more sky."
        )
    begins = np.flatnonzero(np.diff(order_n, prepend=-1) | np.diff(pixel_n, prepend=-1))
    owner = np.full(len(counts), -1, np.int32)
    owner[fine] = np.cumsum(np.bincount(begins, minlength=len(fine))) - 1
    totals = np.add.reduceat(counts[fine], begins)
    starts = np.cumsum(totals) - totals
    return [
        Partition(int(order_n[i]), int(pixel_n[i]), int(start), int(n))
        for i, start, n in zip(begins, starts, totals, strict=True)
    ], owner
