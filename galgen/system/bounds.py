"""How much memory a file may ask for: so much for nothing, and a multiple of its size.

Archives, HDF5 and images say how large they are once unpacked. What is said is checked before the
memory is taken, as a few bytes can claim anything; a file that is really there cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from galgen.errors import DataError

FREE = 1 << 28  # bytes
ARRAYS = 32  # times: noise hardly compresses, text and padding at most so far
FREE_TEXT, TEXT = 1 << 24, 40  # of packed tables; parsing takes many times their size
PICTURES = 200  # times: WebP and JPEG of dark sky
SIDE = 4096  # pixels of one image
_ROW = 512  # bytes that names, hashes and labels of one galaxy take


def check_unpacked(where: str | Path, unpacked: int, stored: int, times: int = ARRAYS) -> None:
    """Refuse what says to be far larger than what is stored of it.

    Parameters
    ----------
    where : str or Path
        The file, and the part of it, for the message.
    unpacked : int
        Bytes of memory that it would take.
    stored : int
        Bytes that it takes on disk.
    times : int
        How many times as many are believed, beyond `FREE`.

    Raises
    ------
    DataError
        If it is larger.
    """
    if unpacked > FREE + times * stored:
        raise DataError(
            f"{where}: would take {unpacked / 1e6:,.0f} MB of memory, but has {stored / 1e6:,.3f} "
            "MB on disk, which no real data do. Write it anew with less compression if it is good."
        )


def check_rows(where: str | Path, n: int, stored: int) -> None:
    """Refuse more galaxies than a file can have; parameters and errors are as above."""
    check_unpacked(f"{where}: {n:,} galaxies", _ROW * n, stored)


def text_array(where: str | Path, values: Sequence[str], stored: int) -> np.ndarray:
    """Make an array of texts, each of which takes as much memory as the longest.

    Parameters
    ----------
    where : str or Path
        Where they are from, for the message.
    values : sequence of str
        The n texts.
    stored : int
        Bytes that they take on disk.

    Returns
    -------
    ndarray (n,) of str
        The same.

    Raises
    ------
    DataError
        If one is so long that the array would be far larger than the texts.
    """
    longest = max(map(len, values), default=0)
    check_unpacked(f"{where}: a text of {longest} characters", 4 * longest * len(values), stored)
    return np.array(values, dtype=str)
