"""Durations, sizes and dates as people write them."""

from __future__ import annotations

import math
import os
import re
from datetime import UTC, datetime

from galgen.errors import InvalidValueError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_duration(text: str) -> float:
    """Read seconds from '90s', '9m', '1.5h', '1h30m' or a bare number of seconds.

    Raises
    ------
    InvalidValueError
        If the text is none of these or not above zero.
    """
    number = r"\d+(?:\.\d+)?"
    known = re.fullmatch(rf"{number}|(?:{number}h)?(?:{number}m)?(?:{number}s)?", text.strip())
    parts = re.findall(rf"({number})([smh]?)", text) if known else []
    seconds = sum(float(value) * _SECONDS[unit or "s"] for value, unit in parts)
    if not 0 < seconds < math.inf:
        raise InvalidValueError("duration", text[:40], "such as 90s, 9m, 2h or 1h30m")
    return seconds


def parse_bytes(text: str) -> int:
    """Read bytes from '500MB', '1.5 GB' or a bare number of bytes; in powers of 1000.

    Raises
    ------
    InvalidValueError
        If the text is none of these or less than one byte.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    units = {unit.lower(): size for unit, size in _BYTES.items()}
    size = float(match[1]) * units.get(match[2].lower(), 0) if match else 0.0
    if not 1 <= size < 2**63:  # what file systems count to
        raise InvalidValueError("size", text[:40], "such as 500MB or 10GB")
    return int(size)


def parse_numbers(name: str, text: str | None) -> tuple[float, ...]:
    """Read one number, or several with commas, such as one per band; nothing gives none.

    Raises
    ------
    InvalidValueError
        Names the option, if one is no number.
    """
    try:
        return tuple(float(part) for part in text.split(",")) if text is not None else ()
    except ValueError:
        allowed = "a number, or several with commas, such as one per band"
        raise InvalidValueError(f"--{name}", text, allowed) from None


def parse_fractions(text: str) -> tuple[float, ...]:
    """Read fractions of a whole from '0.8:0.1:0.1'.

    Raises
    ------
    InvalidValueError
        If one is no number.
    """
    try:
        return tuple(map(float, text.split(":")))
    except ValueError:
        raise InvalidValueError("split", text, "fractions such as 0.8:0.1:0.1") from None


def utc_date(text: str | None) -> str | None:
    """Read a date and time; return it as FITS has it, in UTC.

    Parameters
    ----------
    text : str, optional
        ISO 8601, in UTC if it does not say. If left out, that of ``SOURCE_DATE_EPOCH``
        (https://reproducible-builds.org/specs/source-date-epoch), or None.

    Returns
    -------
    str or None
        Such as ``2026-01-31T12:00:00``.

    Raises
    ------
    InvalidValueError
        If it is no date.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        if text is not None:
            date = datetime.fromisoformat(text)
            date = date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
        elif seconds:
            date = datetime.fromtimestamp(int(seconds), UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        if text is not None:
            allowed = "ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00"
            raise InvalidValueError("date", text, allowed) from None
        allowed = "whole seconds since 1970-01-01"
        raise InvalidValueError("SOURCE_DATE_EPOCH", seconds, allowed) from None
    return date.strftime("%Y-%m-%dT%H:%M:%S")
