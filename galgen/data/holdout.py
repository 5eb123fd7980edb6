"""Which galaxies are held out from training, to judge it by."""

from __future__ import annotations

import hashlib

import numpy as np

from galgen.data.stamps import StampSet
from galgen.errors import InvalidValueError


def split(
    stamps: StampSet, fraction: float = 0.1, salt: str = "galgen"
) -> tuple[StampSet, StampSet]:
    """Divide into training and validation galaxies by a hash of their group.

    A galaxy's side depends on its group's name and `salt` only, not on the order, number or choice
    of the other galaxies, so adding data never moves a galaxy from training to validation.

    Parameters
    ----------
    stamps : StampSet
        N galaxies.
    fraction : float
        Expected fraction of groups in the validation set, in (0, 1).
    salt : str
        Another salt gives another, independent split.

    Returns
    -------
    train, validation : StampSet
        Each galaxy is in one of them.

    Raises
    ------
    InvalidValueError
        If `fraction` is not in (0, 1).
    """
    validation = held_out(stamps, fraction, salt)
    return stamps.select(~validation), stamps.select(validation)


def held_out(stamps: StampSet, fraction: float = 0.1, salt: str = "galgen") -> np.ndarray:
    """Tell which galaxies `split` puts in the validation set; (N,) bool.

    Raises
    ------
    InvalidValueError
        If `fraction` is not in (0, 1).
    """
    if not 0.0 < fraction < 1.0:
        raise InvalidValueError("validation fraction", fraction, "between 0 and 1")
    return np.array([_uniform(f"{salt}\0{group}") < fraction for group in stamps.group], bool)


def _uniform(text: str) -> float:
    """Hash a text to a number in [0, 1)."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64
