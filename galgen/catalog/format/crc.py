"""CRC-32, that of zip and PNG, of bytes that come in any order.

``DATASUM`` is a sum: it does not see words that have changed places. The CRC of bytes is the
remainder of a polynomial, bit by bit its coefficients, so it does: whatever two words change places
in less than 512 MiB, and all but 1 in 2^32 of other damage. What a stretch of bytes adds to it
depends on the stretch and on its place only; such terms are added by exclusive or.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

_ONES = 0xFFFFFFFF  # what a CRC begins with, and is turned over by at the end
_POLYNOMIAL = 0xEDB88320  # without x^32; the highest bit is that of x^0
_ONE = 1 << 31
_ORDER = 2**32 - 1  # x to this power is 1


def term(data: bytes | memoryview, place: int) -> int:
    """Return what bytes from byte `place` on add to a CRC."""
    return shift(raw(data), -(place + memoryview(data).nbytes))


def raw(data: bytes | memoryview, before: int = 0) -> int:
    """Return the remainder of bytes that follow those whose remainder is `before`."""
    return zlib.crc32(data, before ^ _ONES) ^ _ONES


def shift(remainder: int, n: int) -> int:
    """Return the remainder where `n` bytes of zeros follow; `n` below 0 takes them away."""
    return _product(remainder, _power(8 * n % _ORDER)) if remainder else 0


def value(terms: int, n: int) -> int:
    """Return the CRC-32 of `n` bytes whose terms add up to `terms`, as ``zlib.crc32`` does."""
    return shift(terms ^ _ONES, n) ^ _ONES


def _product(a: int, b: int) -> int:
    """Multiply two remainders."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = a << 1 & _ONES
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _power(n: int) -> int:
    """Return the remainder of x^n."""
    power = _ONE
    for i, square in enumerate(_squares()):
        if n >> i & 1:
            power = _product(power, square)
    return power


@lru_cache(maxsize=1)
def _squares() -> tuple[int, ...]:
    """Return the remainders of x^1, x^2, x^4, x^8 and so on, up to x^(2^31)."""
    squares = [_ONE >> 1]
    while len(squares) < 32:
        squares.append(_product(squares[-1], squares[-1]))
    return tuple(squares)
