"""Durations as people write them."""

from __future__ import annotations

import re

from galgen.errors import InvalidValueError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Seconds in '90s', '9m', '1.5h' or a bare number of seconds.

    Raises
    ------
    InvalidValueError
        If the text is none of these or not above zero.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    seconds = float(match[1]) * _SECONDS[match[2] or "s"] if match else 0.0
    if seconds <= 0:
        raise InvalidValueError("duration", text, "such as 90s, 9m or 2h")
    return seconds
