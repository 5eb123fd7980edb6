"""FITS checksums (FITS standard 4.0, section 4.4.2.7 and appendix J), and what goes with them.

A checksum is the sum of 32-bit big-endian words with the carry added back in, which is a sum modulo
2^32 - 1. It can therefore be taken over the parts of an HDU in any order and the parts added. So
can a CRC-32, which also sees what has changed places.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from galgen.catalog.format import crc

ALL_ONES = 0xFFFFFFFF
_PUNCTUATION = frozenset(range(0x3A, 0x41)) | frozenset(range(0x5B, 0x61))


class Sum(NamedTuple):
    """What some of the data of an HDU add up to.

    Attributes
    ----------
    words : int
        Their checksum: all of the data have ``DATASUM``.
    crc : int or None
        Their part of the CRC-32, see `galgen.catalog.format.crc`; None where it is not known.
    """

    words: int
    crc: int | None

    def crc32(self, size: int) -> int:
        """Return the CRC-32 of data of `size` bytes, all of which have been added up."""
        assert self.crc is not None
        return crc.value(self.crc, size)


NOTHING = Sum(0, 0)


def add(*sums: int) -> int:
    """Add sums of words, with end-around carry."""
    total = sum(sums)
    # Not `total % ALL_ONES`: all ones is the other zero, and only no words at all sum to 0.
    return (total - 1) % ALL_ONES + 1 if total else 0


def together(*sums: Sum) -> Sum:
    """Add what data add up to that are in different places of an HDU."""
    terms = 0
    for one in sums:
        if one.crc is None:
            return Sum(add(*(each.words for each in sums)), None)
        terms ^= one.crc
    return Sum(add(*(each.words for each in sums)), terms)


def sum_values(values: np.ndarray) -> int:
    """Sum 4-byte numbers as they will be in the file, whatever their byte order here."""
    assert values.dtype.itemsize == 4
    words = values.view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
    # 2^32 words fit before this overflows.
    return add(int(words.sum(dtype=np.uint64)))


def sum_bytes(data: bytes | bytearray | memoryview | np.ndarray) -> int:
    """Sum bytes as they are in the file; their number is a multiple of 4."""
    return add(int(np.frombuffer(data, dtype=">u4").sum(dtype=np.uint64)))


def encode(value: int) -> str:
    """Write a word as 16 letters and digits that, where ``CHECKSUM`` stands, add it to the sum.

    Each byte becomes four characters summing to it plus four times '0', the value they replace. The
    string starts at byte 11 of its card, hence the turn by one.
    """
    text = bytearray(16)
    for i, byte in enumerate(value.to_bytes(4, "big")):
        quarter, rest = divmod(byte, 4)
        quads = [ord("0") + quarter + rest] + [ord("0") + quarter] * 3
        while _PUNCTUATION.intersection(quads):
            for j in (0, 2):
                if _PUNCTUATION.intersection(quads[j : j + 2]):
                    quads[j] += 1
                    quads[j + 1] -= 1
        text[i::4] = bytes(quads)
    return (text[-1:] + text[:-1]).decode("ascii")
