"""Columns in memory as a FITS table holds them: every value kept, and nulls that are no value.

FITS standard 4.0, section 7.3: logicals have a null of their own (0), texts the empty one, floats
NaN, and integers one that ``TNULLn`` names.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

import numpy as np

from galgen.columns import Column
from galgen.errors import InvalidValueError

_LETTERS = {"i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D", "c8": "C", "c16": "M"}
_UNSIGNED = {"u2": "I", "u4": "J", "u8": "K"}  # stored as signed ones, with TZERO
_WIDER = {"u1": "i2", "u2": "i4", "u4": "i8"}
_LONGEST_NAME = 68  # characters that a card holds
_NOT_FITS = re.compile(r"[^\x01-\x7f]")
_LEAVE_OUT = "Leave it out with `drop`, or {}."


def check_name(name: str) -> None:
    """Refuse a name that no column of a FITS table can have.

    Raises
    ------
    InvalidValueError
        If it is not printable ASCII, or too long.
    """
    if not (name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST_NAME):
        allowed = f"printable ASCII, up to {_LONGEST_NAME} characters, in FITS"
        hint = _LEAVE_OUT.format("rename it")
        raise InvalidValueError("name of a column", name, allowed, hint)


def fits_column(
    name: str, values: np.ndarray, mask: np.ndarray | None, unit: str = "", description: str = ""
) -> tuple[Column, np.ndarray]:
    """Return a column as FITS has it.

    Parameters
    ----------
    name, unit, description : str
        See `galgen.columns.Column`.
    values : ndarray (n, ...)
        Of any type; of objects: texts, numbers, or arrays of one shape.
    mask : ndarray (n, ...) of bool, optional
        Where there is no value.

    Returns
    -------
    column : Column
        Its cards.
    raw : ndarray (n,) or (n, count)
        Of the type `Column.dtype`.

    Raises
    ------
    InvalidValueError
        If FITS has no such values.
    """
    if values.dtype.kind == "O":
        values, mask = _of_objects(name, values, mask)
    if mask is not None and not np.any(mask):
        mask = None
    if values.dtype.kind in "Mm":
        values, mask = _of_times(values, mask)
    elif mask is not None and values.dtype.str[1:] == "u8":
        # What has a null is signed, or else digits.
        values = values.astype("i8" if (values[~mask] < 1 << 63).all() else "U")
    cards: dict[str, str | int | float] = {}
    n, *sides = values.shape
    count = math.prod(sides)
    if values.dtype.kind in "US":
        raw = _texts(name, values, mask)
        width = raw.dtype.itemsize
        letter, count, sides = "A", count * width, [*sides, width]
        raw = np.ascontiguousarray(raw).reshape(n, count // width)
        raw = raw.view(f"S{count}") if count else np.zeros(n, "V0")
        form = f"{count}A"
    else:
        letter, raw, cards = _numbers(name, values, mask)
        form = letter if count == 1 else f"{count}{letter}"
    raw = raw.reshape((n,) if letter == "A" or count == 1 else (n, count))
    if len(sides) > 1:
        cards["TDIM"] = f"({','.join(map(str, reversed(sides)))})"
    return Column(name, form, unit, description, tuple(cards.items())), raw


def _numbers(
    name: str, values: np.ndarray, mask: np.ndarray | None
) -> tuple[str, np.ndarray, dict[str, str | int | float]]:
    """Return the letter of a type of numbers or logicals, the raw ones, and cards."""
    kind = values.dtype.kind
    if kind == "b":
        raw = np.where(values, ord("T"), ord("F")).astype("i1")
        return "L", raw if mask is None else np.where(mask, np.int8(0), raw), {}
    if kind not in "iufc":
        raise InvalidValueError(
            f"type of column {name}",
            str(values.dtype),
            "what FITS has",
            _LEAVE_OUT.format("make it numbers or text"),
        )
    values = _of_a_size_in_fits(values)
    if kind in "fc":
        if mask is not None:
            values = np.where(mask, values.dtype.type(np.nan), values)
        return _LETTERS[values.dtype.str[1:]], values.astype(values.dtype.newbyteorder(">")), {}
    null = None
    if mask is not None:
        values, null = _with_null(values, mask)
    size = values.dtype.str[1:]
    cards: dict[str, str | int | float] = {} if null is None else {"TNULL": null}
    if size == "u1":
        return "B", values, cards
    if size in _UNSIGNED:
        bits = 8 * values.dtype.itemsize
        # Without its highest bit an unsigned number is the signed one that TZERO is added to.
        flipped = values ^ values.dtype.type(1 << (bits - 1))
        raw = flipped.view(f"i{values.dtype.itemsize}")
        return _UNSIGNED[size], raw.astype(raw.dtype.newbyteorder(">")), {"TZERO": 1 << (bits - 1)}
    return _LETTERS[size], values.astype(values.dtype.newbyteorder(">")), cards


def _of_a_size_in_fits(values: np.ndarray) -> np.ndarray:
    """Return numbers of the next size that FITS has, in the machine's order of bytes."""
    size = values.dtype.str[1:]
    wider = {"i1": "i2", "f2": "f4", "f16": "f8", "f12": "f8", "c32": "c16", "c24": "c16"}
    return values.astype(wider.get(size, values.dtype.newbyteorder("=")))


def _with_null(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Return whole numbers with one that none of them is where there is no value, and that one.

    Unsigned ones become signed ones of twice the size: readers know no null of an unsigned column
    (astropy 8 takes TNULL for the scaled number, and raises).
    """
    size = values.dtype.str[1:]
    there = np.unique(values[~mask])
    if size in _UNSIGNED or (size == "u1" and len(there) == 256):
        values = values.astype(_WIDER[size])
    limits = np.iinfo(values.dtype)
    order = range(255, -1, -1) if values.dtype == np.uint8 else range(limits.min, limits.max)
    null = next(number for number in order if not _is_in(there, number))
    return np.where(mask, values.dtype.type(null), values), null


def _is_in(rising: np.ndarray, number: int) -> bool:
    """Whether a number is one of some that rise."""
    place = int(np.searchsorted(rising, number))
    return place < len(rising) and int(rising[place]) == number


def _texts(name: str, values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Return texts as bytes, empty where there is none."""
    if mask is not None:
        values = np.where(mask, values.dtype.type(), values)
    if values.dtype.kind == "S":
        text_k = np.char.decode(np.unique(values), "latin-1")
    else:
        text_k = np.unique(values)
    wrong = next((text for text in text_k.tolist() if _NOT_FITS.search(text)), None)
    if wrong is not None:
        allowed = "ASCII, as text in FITS is"
        hint = _LEAVE_OUT.format("write it in ASCII")
        raise InvalidValueError(f"a value of column {name}", wrong, allowed, hint)
    raw = values.astype("S") if values.dtype.kind == "U" else values
    width = values.dtype.itemsize // (4 if values.dtype.kind == "U" else 1)
    return raw.astype(f"S{max(1, width)}")


def _of_times(values: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return dates as texts of ISO 8601, and spans as seconds."""
    none = np.isnat(values) if mask is None else mask | np.isnat(values)
    if values.dtype.kind == "m":
        return values / np.timedelta64(1, "s"), none
    return np.datetime_as_string(values), none


def _of_objects(
    name: str, values: np.ndarray, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return objects of Python as an array of their type."""
    flat = values.reshape(-1)
    none = np.array([v is None or v is np.ma.masked for v in flat], bool)
    none |= False if mask is None else mask.reshape(-1)
    there = [v for v, gone in zip(flat, none, strict=True) if not gone]
    if not there:
        return np.zeros(values.shape, "U1"), np.ones(values.shape, bool)
    if all(isinstance(v, int) and not isinstance(v, bool) for v in there):
        there = _whole(there)
    elif all(isinstance(v, Decimal) for v in there):
        there = [float(v) for v in there]
    try:
        known = np.array(there)
    except (ValueError, OverflowError):  # arrays of several shapes
        known = np.array(there, object)
    if known.dtype.kind not in "USbiufcMm" or (known.ndim > 1 and values.ndim > 1):
        raise InvalidValueError(
            f"values of column {name}",
            type(there[0]).__name__,
            "texts, numbers, or arrays of one shape",
            _LEAVE_OUT.format("make it such"),
        )
    full = np.zeros((len(flat), *known.shape[1:]), known.dtype)
    full[~none] = known
    gone = none.reshape(none.shape + (1,) * (known.ndim - 1))
    shape = values.shape + known.shape[1:]
    return full.reshape(shape), np.broadcast_to(gone, full.shape).reshape(shape)


def _whole(numbers: list[int]) -> list[int] | list[str]:
    """Return whole numbers as they are if 64 bits hold them, else their digits."""
    signed = min(numbers) >= -(2**63) and max(numbers) < 2**63
    unsigned = min(numbers) >= 0 and max(numbers) < 2**64
    return numbers if signed or unsigned else [str(number) for number in numbers]
