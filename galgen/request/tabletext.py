"""Tables in text: of Excel, SkyServer, TOPCAT and by hand, in any encoding, with any delimiter."""

from __future__ import annotations

import csv
import re

import numpy as np
from astropy.io import ascii
from astropy.table import Column, MaskedColumn, Table

_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_DELIMITERS = ",;\t|"
_NO_VALUE = ("", "null", "nan", "n/a", "na", "none", "--", "\\n", "#n/a")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)")


def read_text(data: bytes) -> Table:
    """Read a table in text: ECSV, or a line of names and a line for each row.

    Lines before it that begin with ``#``, such as SkyServer's ``#Table1``, are comments, but for
    one that holds the names, as NumPy and SExtractor write them.

    Parameters
    ----------
    data : bytes
        In UTF-8 or UTF-16 with a byte order mark, UTF-8, or else Windows' Latin alphabet.

    Returns
    -------
    Table
        Numbers where all values of a column are numbers or stand for none (``NULL``, ``N/A``).
    """
    text = decode(data)
    if text.startswith("# %ECSV"):
        return ascii.read(text, format="ecsv")
    body, delimiter, above = text.replace("\r\n", "\n").replace("\r", "\n"), None, ""
    while body:
        line, _, rest = body.partition("\n")
        if line[:4].lower() == "sep=" and len(line) == 5:  # Excel's
            delimiter = line[4]
        elif line.startswith("#"):
            above = line.lstrip("# ")
        elif line.strip():
            break
        body = rest
    else:
        return Table()
    delimiter = delimiter or _delimiter(line)
    if _are_names(above, line, delimiter):
        body = f"{above}\n{body}"
    form = {" ": "basic", "\t": "tab"}.get(delimiter, "csv")
    options = {"comment": "\\s*#"} if form == "basic" else {}
    table = ascii.read(
        f"{body}\n",  # with a line's end, or it would be taken for the name of a file
        format=form,
        delimiter=delimiter,
        guess=False,
        fast_reader=True,
        fill_values=[("", "0")],
        **options,
    )
    for name in table.colnames:
        if table[name].dtype.kind == "U":
            table[name] = _of_text(table[name], delimiter)
    return table


def decode(data: bytes) -> str:
    """Return the text of bytes in one of the encodings that tables have."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _delimiter(names: str) -> str:
    """Return what stands between the names of columns most often; a blank if nothing else does."""
    unquoted = re.sub(r'"[^"]*"', "", names)
    best = max(_DELIMITERS, key=unquoted.count)
    if best in unquoted:
        return best
    return " " if len(unquoted.split()) > 1 else ","


def _are_names(comment: str, first: str, delimiter: str) -> bool:
    """Whether a comment holds the names of the columns whose first values a line has."""
    names, values = (_split(line, delimiter) for line in (comment, first))
    a_number = any(_NUMBER.fullmatch(value) for value in values)
    return 1 < len(names) == len(values) and a_number and not any(map(_NUMBER.fullmatch, names))


def _split(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line."""
    line = " ".join(line.split()) if delimiter == " " else line
    return [field.strip() for fields in csv.reader([line], delimiter=delimiter) for field in fields]


def _of_text(column: Column, delimiter: str) -> Column:
    """Return a column of texts as numbers if they are numbers but for what stands for none."""
    value_n = np.char.strip(np.ma.filled(column, ""))
    none_n = np.isin(np.char.lower(value_n), _NO_VALUE)
    there = value_n[~none_n]
    if not len(there) or not _NUMBER.match(there[0].replace(",", ".")):
        return column
    if delimiter == ";":  # where the decimal point is a comma
        changed = [_DECIMAL_COMMA.sub(r"\1.\2", text) for text in there.tolist()]
        there = np.array(changed)
    if not all(_NUMBER.fullmatch(text) for text in there.tolist()):
        return column
    numbers = _parsed(there)
    full = np.zeros(len(column), numbers.dtype)
    full[~none_n] = numbers
    if numbers.dtype.kind == "f":
        full[none_n] = np.nan
        return Column(full, column.name)
    return (
        MaskedColumn(full, column.name, mask=none_n) if none_n.any() else Column(full, column.name)
    )


def _parsed(there: np.ndarray) -> np.ndarray:
    """Return numbers of their digits; whole ones beyond 64 bits stay digits."""
    if not all(text.lstrip("+-").isdigit() for text in there.tolist()):
        return there.astype(np.float64)
    whole = [int(text) for text in there.tolist()]
    if min(whole) >= -(2**63) and max(whole) < 2**63:
        return np.array(whole, np.int64)
    if min(whole) >= 0 and max(whole) < 2**64:
        return np.array(whole, np.uint64)
    return there
