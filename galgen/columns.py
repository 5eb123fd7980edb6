"""One column of a FITS binary table: its cards, and its bytes as NumPy sees them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits

from galgen.errors import InvalidValueError

# FITS standard 4.0, table 18: what one element is in the file.
_TYPES = {
    "L": "i1",
    "B": "u1",
    "I": ">i2",
    "J": ">i4",
    "K": ">i8",
    "E": ">f4",
    "D": ">f8",
    "C": ">c8",
    "M": ">c16",
}
_FORM = re.compile(r"\s*(\d*)([A-Z])")
_EXTRA = ("TNULL", "TSCAL", "TZERO", "TDIM", "TDISP")
_BOILERPLATE = "label for field"  # CFITSIO's comment on every TTYPE


@dataclass(frozen=True)
class Column:
    """A column, by the cards that describe it.

    Attributes
    ----------
    name, form, unit, description : str
        ``TTYPEn``, ``TFORMn``, ``TUNITn`` and ``TCOMMn``; the last two may be empty.
    cards : tuple of (str, value)
        Any of TNULL, TSCAL, TZERO, TDIM and TDISP, without the column's number.
    """

    name: str
    form: str
    unit: str = ""
    description: str = ""
    cards: tuple[tuple[str, str | int | float], ...] = ()

    @property
    def kind(self) -> tuple[int, str]:
        """How many elements are in a row, and the letter of their type.

        Raises
        ------
        InvalidValueError
            If `form` is not a type of FITS.
        """
        match = _FORM.match(self.form)
        if match is None or match[2] not in {*_TYPES, *"AXPQ"}:
            raise InvalidValueError(f"TFORM of column {self.name}", self.form, "a FITS table type")
        return int(match[1] or 1), match[2]

    @property
    def variable(self) -> bool:
        """Whether rows differ in length: their values are outside the table."""
        return self.kind[1] in "PQ"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the bytes in a row, big-endian; a vector is a subarray."""
        count, letter = self.kind
        if letter in "PQ":
            return np.dtype(f"V{count * (8 if letter == 'P' else 16)}")
        if letter == "A":
            return np.dtype(f"S{count}") if count else np.dtype("V0")
        if letter == "X":
            return np.dtype(("u1", (-(-count // 8),)))
        one = np.dtype(_TYPES[letter])
        return one if count == 1 else np.dtype((one, (count,)))

    def numbers(self, raw: np.ndarray) -> np.ndarray:
        """Convert raw numbers to what they stand for.

        Parameters
        ----------
        raw : ndarray
            As they are in the file, of type `dtype`.

        Returns
        -------
        ndarray float64
            Numbers of the same shape: scaled by TSCAL and TZERO, NaN where raw ones are TNULL.

        Raises
        ------
        InvalidValueError
            If the column holds no real numbers, or several per row.
        """
        count, letter = self.kind
        if letter not in "BIJKED" or count != 1:
            raise InvalidValueError(f"type of column {self.name}", self.form, "one number per row")
        cards = dict(self.cards)
        values = raw.astype(np.float64)
        if "TNULL" in cards and letter in "BIJK":
            values[raw == cards["TNULL"]] = np.nan
        scale, zero = float(cards.get("TSCAL", 1)), float(cards.get("TZERO", 0))
        return values if (scale, zero) == (1, 0) else values * scale + zero


def read_columns(header: fits.Header) -> list[Column]:
    """Read the columns of a binary table from its header.

    A column without ``TCOMMn`` is described by the comment of its ``TTYPEn``, if it has one that
    says more than CFITSIO's.

    Raises
    ------
    KeyError
        If a card is missing.
    """
    columns = []
    for i in range(1, int(header["TFIELDS"]) + 1):
        comment = header.comments[f"TTYPE{i}"] if f"TTYPE{i}" in header else ""
        if comment.startswith(_BOILERPLATE):
            comment = ""
        columns.append(
            Column(
                str(header.get(f"TTYPE{i}", f"col{i}")).strip(),
                str(header[f"TFORM{i}"]).strip(),
                str(header.get(f"TUNIT{i}", "")).strip(),
                str(header.get(f"TCOMM{i}", "") or comment).strip(),
                tuple((key, header[f"{key}{i}"]) for key in _EXTRA if f"{key}{i}" in header),
            )
        )
    return columns


def numbered_dtype(columns: Sequence[Column]) -> np.dtype[Any]:
    """Structured type of a row; fields are numbered, since names may repeat or differ in case."""
    return np.dtype([(f"{i}", column.dtype) for i, column in enumerate(columns)])
