"""Galaxies divided into sets to train, to validate and to test classifiers with."""

from __future__ import annotations

import hashlib
import itertools
import math
import warnings
from collections.abc import Sequence

import numpy as np

from galgen.errors import GalgenWarning, InvalidValueError

SETS = ("train", "validation", "test")


def check_fractions(fractions: Sequence[float]) -> None:
    """Refuse fractions that are no division.

    Raises
    ------
    InvalidValueError
        Unless there are two or three, above 0, of sum 1.
    """
    good = len(fractions) in (2, 3) and all(0 < fraction < 1 for fraction in fractions)
    if not good or not math.isclose(sum(fractions), 1.0, abs_tol=1e-6):
        given = ":".join(f"{fraction:g}" for fraction in fractions)
        allowed = "train:test or train:validation:test, above 0 and of sum 1, such as 0.8:0.1:0.1"
        raise InvalidValueError("split", given, allowed)


def set_names(fractions: Sequence[float]) -> tuple[str, ...]:
    """Return the names of the sets: of two, to train and to test."""
    return SETS if len(fractions) == 3 else (SETS[0], SETS[2])


def divide(
    ids: Sequence[str], category_n: np.ndarray, fractions: Sequence[float], names: Sequence[str]
) -> np.ndarray:
    """Divide galaxies, those of each category by the same fractions.

    Within a category galaxies are taken in the order of a hash of their ids, so that the same
    catalogue is always divided in the same way. Every set gets one or more, where there are enough.

    Parameters
    ----------
    ids : sequence of str
        Of each galaxy, all different.
    category_n : ndarray of int
        Their categories.
    fractions : sequence of float
        Of the sets, see `check_fractions`.
    names : sequence of str
        Of categories by code, for a warning.

    Returns
    -------
    ndarray (n,) uint8
        The number of the set of each galaxy.
    """
    hash_n = np.fromiter(map(_hash, ids), np.uint64, len(category_n))
    set_n = np.zeros(len(category_n), np.uint8)
    few = []
    for code in np.unique(category_n).tolist():
        rows = np.flatnonzero(category_n == code)
        rows = rows[np.argsort(hash_n[rows], kind="stable")]
        bounds = _bounds(len(rows), fractions)
        for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
            set_n[rows[start:stop]] = number
        if len(rows) < len(fractions):
            few.append(names[code])
    if few:
        text = (
            f"too few galaxies for every set to have one, which some tools need: {', '.join(few)}"
        )
        warnings.warn(text, GalgenWarning, stacklevel=2)
    return set_n


def _bounds(n: int, fractions: Sequence[float]) -> list[int]:
    """Return where sets begin, and the last ends, in a category of `n` galaxies."""
    sets = len(fractions)
    ends = [round(n * total) for total in itertools.accumulate(fractions)]
    ends[-1] = n
    if n >= sets:
        for i in range(sets - 1):
            ends[i] = min(max(ends[i], (ends[i - 1] if i else 0) + 1), n - (sets - 1 - i))
    return [0, *ends]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
