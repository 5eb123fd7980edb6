"""One column of a FITS binary table: its cards, its bytes as NumPy sees them, and its values."""

from __future__ import annotations

import math
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
# TUCD is not in the standard; TOPCAT and other tools of the Virtual Observatory know it.
_EXTRA = ("TNULL", "TSCAL", "TZERO", "TDIM", "TDISP", "TUCD")
# TZERO of integers of the other sign, with no TSCAL: FITS standard 4.0, table 19.
_OTHER_SIGN = {
    "B": (-(2**7), "i1"),
    "I": (2**15, "u2"),
    "J": (2**31, "u4"),
    "K": (2**63, "u8"),
}
_BOILERPLATE = "label for field"  # CFITSIO's comment on every TTYPE


@dataclass(frozen=True)
class Column:
    """A column, by the cards that describe it.

    Attributes
    ----------
    name, form, unit, description : str
        ``TTYPEn``, ``TFORMn``, ``TUNITn`` and ``TCOMMn``; the last two may be empty.
    cards : tuple of (str, value)
        Any of TNULL, TSCAL, TZERO, TDIM, TDISP and TUCD, without the column's number.
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
    def is_number(self) -> bool:
        """Whether a row has one real number."""
        count, letter = self.kind
        return count == 1 and letter in "BIJKED"

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

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value of a row: none of one number or text, else of `TDIM` or a vector."""
        count, letter = self.kind
        if letter == "A":
            return self._lengths[:0:-1]  # the first is the length of a text
        if self._lengths:
            return self._lengths[::-1]
        return () if count == 1 and letter != "X" else (count,)  # as astropy has it

    @property
    def _lengths(self) -> tuple[int, ...]:
        """Lengths of the axes in TDIM, the fastest first; none where they do not fit."""
        lengths = re.findall(r"\d+", str(dict(self.cards).get("TDIM", "")))
        numbers = tuple(map(int, lengths))
        return numbers if math.prod(numbers) <= self.kind[0] else ()

    def values(self, raw: np.ndarray) -> np.ndarray:
        """Convert what the file holds to what it stands for (FITS standard 4.0, section 7.3).

        Neither astropy (of complex numbers with a scale, and of nulls of scaled and unsigned ones)
        nor fitsio (of nulls) does so for every type.

        Parameters
        ----------
        raw : ndarray (n, ...)
            Rows of the column as in the file, of type `dtype` in any byte order.

        Returns
        -------
        ndarray (n, *shape)
            In native byte order: numbers with TSCAL and TZERO applied, integers of the other sign
            where these say so, bool for ``L`` and ``X``, str for ``A`` (UTF-8, or else Latin-1)
            without the spaces at its end. Scaled numbers are float64, NaN where they are null. Of
            integers and logicals that are null, a masked array.

        Raises
        ------
        InvalidValueError
            If the rows differ in length: their values are not in the table.
        """
        count, letter = self.kind
        if letter in "PQ":
            raise InvalidValueError(f"type of column {self.name}", self.form, "rows of one length")
        n, size = len(raw), math.prod(self.shape)
        if letter in "AX":
            octets = np.frombuffer(bytearray(raw.tobytes()), np.uint8)
            octets = octets.reshape(n, self.dtype.itemsize)
        if letter == "A":
            length = self._lengths[0] if self._lengths else count
            octets = octets[:, : size * length].reshape(n, size, length)
            return _texts(octets).reshape(n, *self.shape)
        if letter == "X":
            bits = np.unpackbits(octets, axis=1)[:, :size]
            return bits.astype(bool).reshape(n, *self.shape)
        stored = np.asarray(raw).reshape(n, count)[:, :size].reshape(n, *self.shape)
        stored = stored.astype(stored.dtype.newbyteorder("="))
        if letter == "L":
            known = (stored == ord("T")) | (stored == ord("F"))
            return _masked(stored == ord("T"), ~known)
        return self._scaled(stored, letter)

    def _scaled(self, stored: np.ndarray, letter: str) -> np.ndarray:
        """Apply TNULL, TSCAL and TZERO to numbers."""
        cards = dict(self.cards)
        scale, zero = cards.get("TSCAL", 1), cards.get("TZERO", 0)
        null = np.zeros(stored.shape, bool)
        if "TNULL" in cards and letter in _OTHER_SIGN:
            null = stored == cards["TNULL"]
        if (scale, zero) == (1, 0):
            return _masked(stored, null)
        if scale == 1 and letter in _OTHER_SIGN and zero == _OTHER_SIGN[letter][0]:
            unsigned = stored.view(f"u{stored.itemsize}")
            half = unsigned.dtype.type(2 ** (8 * stored.itemsize - 1))
            return _masked((unsigned + half).view(_OTHER_SIGN[letter][1]), null)  # modulo 2^bits
        # Of complex numbers the zero is that of the real part.
        values = stored.astype(np.complex128 if letter in "CM" else np.float64)
        values = values * float(scale) + float(zero)
        if null.any():
            values[null] = np.nan
        return values

    def numbers(self, raw: np.ndarray) -> np.ndarray:
        """Convert raw numbers to what they stand for, as numbers that can be computed with.

        Parameters
        ----------
        raw : ndarray
            As they are in the file, of type `dtype`.

        Returns
        -------
        ndarray float64
            Those of `values`; NaN where there is none.

        Raises
        ------
        InvalidValueError
            If the column holds no real numbers, or several per row.
        """
        if not self.is_number:
            raise InvalidValueError(f"type of column {self.name}", self.form, "one number per row")
        values = self.values(raw).reshape(raw.shape).astype(np.float64)
        numbers: np.ndarray = np.ma.filled(values, np.nan)
        return numbers


def _masked(values: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Mask nulls, where there are any."""
    return np.ma.MaskedArray(values, null) if null.any() else values


def _texts(octets_nkw: np.ndarray) -> np.ndarray:
    """Decode texts (n, k) of bytes (n, k, w); a NUL ends one."""
    *shape, length = octets_nkw.shape
    if not octets_nkw.size:
        return np.full(shape, "")
    octets_nkw = np.where(np.logical_or.accumulate(octets_nkw == 0, axis=2), 0, octets_nkw)
    texts_nk = np.strings.rstrip(octets_nkw.view(f"S{length}")[..., 0], b" ")
    if (octets_nkw < 128).all():
        decoded_nk: np.ndarray = texts_nk.astype(str)
        return decoded_nk
    return np.array([_text(text) for text in texts_nk.flat], str)


def _text(octets: bytes) -> str:
    """Decode a text: FITS has ASCII, files have what they have."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


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
