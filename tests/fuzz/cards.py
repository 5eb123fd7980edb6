"""Damage to the headers of FITS files: cards are lost, renamed, or say something else."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from tests.fuzz import extremes

Bytes = Callable[[Random, bytes], bytes]
_CARD = 80
_SIZES = (
    *(b"NAXIS", b"BITPIX", b"TFIELDS", b"TFORM", b"TDIM", b"PCOUNT", b"GCOUNT", b"THEAP"),
    *(b"BSCALE", b"BZERO", b"TSCAL", b"TZERO", b"ZNAXIS", b"ZTILE", b"ZBITPIX", b"ZCMPTYPE"),
)


def _cards(whole: bytes) -> list[int]:
    """Where cards begin that have a value."""
    return [
        start
        for start in range(0, len(whole) - _CARD + 1, _CARD)
        if re.match(rb"[A-Z0-9_-]{1,8} *= ", whole[start : start + 10])
    ]


def _set(whole: bytes, start: int, card: bytes) -> bytes:
    return whole[:start] + card[:_CARD].ljust(_CARD) + whole[start + _CARD :]


def _value(rng: Random, whole: bytes, starts: list[int]) -> bytes:
    if not starts:
        return whole
    start = rng.choice(starts)
    word = rng.choice([*extremes.WORDS, "T", "'x'", "'%s'" % ("y" * 60)])
    card = whole[start : start + 10] + word.encode("latin-1", "replace").rjust(20)
    return _set(whole, start, card)


def value(rng: Random, whole: bytes) -> bytes:
    """Change the value of a card."""
    return _value(rng, whole, _cards(whole))


def structure(rng: Random, whole: bytes) -> bytes:
    """Change the value of a card that says where things are."""
    return _value(rng, whole, [s for s in _cards(whole) if whole[s : s + 8].startswith(_SIZES)])


def lost_card(rng: Random, whole: bytes) -> bytes:
    """Blank a card, or all that is said with it."""
    starts = _cards(whole)
    return _set(whole, rng.choice(starts), b"") if starts else whole


def renamed_card(rng: Random, whole: bytes) -> bytes:
    """Give a card the name of another."""
    starts = _cards(whole)
    if len(starts) < 2:
        return whole
    a, b = rng.sample(starts, 2)
    return _set(whole, a, whole[b : b + 8] + whole[a + 8 : a + _CARD])


def unchecked(rng: Random, whole: bytes) -> bytes:
    """Change a card, or a byte, of a file that has no checksums any more."""
    for start in _cards(whole):
        if whole[start : start + 8] in (b"CHECKSUM", b"DATASUM "):
            whole = _set(whole, start, b"")
    if rng.random() < 0.5:
        return rng.choice([value, structure, lost_card])(rng, whole)
    start = rng.randrange(len(whole))
    patch = rng.choice([*extremes.BINARY, b"\xff", b"\0"])
    return (whole[:start] + patch + whole[start + len(patch) :])[: len(whole)]


FITS: dict[str, Bytes] = {
    "a value of a card": value,
    "a size in a card": structure,
    "a card lost": lost_card,
    "a card renamed": renamed_card,
    "no checksums": unchecked,
}
