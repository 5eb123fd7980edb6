"""CRCs of parts, in any order, against zlib's of the whole."""

from __future__ import annotations

import zlib
from functools import reduce
from itertools import pairwise
from operator import xor
from random import Random

import pytest

from galgen.catalog.format import checksum, crc
from galgen.catalog.format.checksum import NOTHING, Sum
from galgen.catalog.format.hdus import StreamSum


@pytest.mark.parametrize("cuts", [[], [0], [1], [7, 7, 8], [99_999], [*range(0, 100_000, 4099)]])
@pytest.mark.parametrize("kind", ["random", "zeros", "ones"])
def test_parts_in_any_order(cuts: list[int], kind: str) -> None:
    rng = Random(len(cuts))
    data = {"random": rng.randbytes(100_003), "zeros": bytes(100_003), "ones": b"\xff" * 100_003}
    whole = data[kind]
    edges = [0, *cuts, len(whole)]
    parts = [crc.term(whole[a:b], a) for a, b in pairwise(edges)]
    rng.shuffle(parts)
    total = reduce(xor, parts)
    assert crc.value(total, len(whole)) == zlib.crc32(whole)
    assert crc.value(total, len(whole) + 2880) == zlib.crc32(whole + bytes(2880))


def test_nothing_at_all() -> None:
    assert crc.value(0, 0) == zlib.crc32(b"") == 0
    assert crc.term(b"", 10**15) == 0


def test_places_beyond_the_order_of_the_polynomial() -> None:
    """A file of terabytes: x to the power of 2^32 - 1 is 1, which is not the end of the places."""
    place = 5 * 10**12
    assert crc.shift(crc.term(b"galaxy", place), place + 6) == crc.raw(b"galaxy")
    assert crc.term(b"galaxy", place) != crc.term(b"galaxy", place + 4)


def test_a_stream_that_begins_elsewhere() -> None:
    whole = Random(1).randbytes(5000)
    first, second = StreamSum(), StreamSum(1000)
    for start in range(0, 1000, 7):
        first.add(whole[start : min(start + 7, 1000)])
    for start in range(1000, 5000, 333):
        second.add(whole[start : start + 333])
    total = checksum.together(second.value, NOTHING, first.value)
    assert total.words == checksum.sum_bytes(whole)
    assert crc.value(total.crc or 0, 5000) == zlib.crc32(whole)


def test_what_is_not_known_stays_unknown() -> None:
    assert checksum.together(Sum(1, 5), Sum(2, None), Sum(3, 6)) == Sum(6, None)
