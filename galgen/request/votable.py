"""VOTables of strangers: what they say of sizes and places is looked at before they are parsed."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path

from galgen.errors import DataError
from galgen.system.bounds import check_unpacked

_HREF = re.compile(rb"<(?:\w+:)?STREAM\b[^>]*\bhref\s*=", re.IGNORECASE)
_ROWS = re.compile(rb"\bnrows\s*=\s*[\"']\s*(\d{1,30})")
_ROW = re.compile(rb"<(?:\w+:)?TR\b")
_SHAPE = re.compile(rb"\barraysize\s*=\s*[\"']\s*([\dx]{1,200})")
_VALUE = 16  # bytes of one, at most, with its mask


def check_votable(path: Path, data: bytes) -> None:
    """Refuse a VOTable of which astropy would take more memory than there can be values, or fetch.

    Parameters
    ----------
    path : Path
        The file, for the message.
    data : bytes
        What is in it.

    Raises
    ------
    DataError
        If it has fewer bytes than rows, is far larger once it is parsed, or its values are
        elsewhere: whatever address a file names would be read.
    """
    if _HREF.search(data):
        raise DataError(f"{path}: its values are not in it (STREAM href). Save it with its values.")
    rows = max(map(int, _ROWS.findall(data)), default=0)
    if rows > len(data):
        raise DataError(f"{path}: says to have {rows} rows, in {len(data)} bytes.")
    # In binary, values take the room that they have in memory.
    shapes = (map(int, filter(None, text.split(b"x"))) for text in _SHAPE.findall(data))
    width, rows = sum(map(prod, shapes)), len(_ROW.findall(data))
    check_unpacked(f"{path}: {rows} rows of {width} values", _VALUE * rows * width, len(data))
