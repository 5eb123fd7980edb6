"""What cards of columns need beyond astropy: descriptions for its tables, all digits, ASCII."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence

from astropy.io import fits

from galgen.columns import Column

_WIDTH = 70  # of a comment; a backslash behind it says that the line goes on


def described(columns: Sequence[Column]) -> Iterator[str]:
    """Yield comments that `astropy.table.Table.read` takes descriptions from, not ``TCOMMn``.

    They are those that `Table.write` makes, but depend on no version of astropy.

    Parameters
    ----------
    columns : sequence of Column
        Columns of a table.
    """
    lines = ["datatype:"]
    for column in columns:
        if column.description:
            name, text = plain_ascii(column.name), plain_ascii(column.description)
            about = {"name": name, "datatype": "string", "description": text}
            lines.append(f"- {json.dumps(about)}")
    lines += ["meta:", "  __serialized_columns__: {}"]
    yield "--BEGIN-ASTROPY-SERIALIZED-COLUMNS--"
    for line in lines:
        pieces = [line[i : i + _WIDTH] for i in range(0, len(line), _WIDTH)]
        yield from (f"{piece}\\" for piece in pieces[:-1])
        yield pieces[-1]
    yield "--END-ASTROPY-SERIALIZED-COLUMNS--"


def exact_number(key: str, value: float) -> fits.Card:
    """Make a card with all digits: astropy cuts numbers to 20 characters, TZERO = 2^63 has more."""
    card = fits.Card(key, value)
    if float(str(card)[10:30]) == value:
        return card
    return fits.Card.fromstring(f"{key:8}= {value!r:>20}".upper())


def plain_ascii(text: str) -> str:
    """Make a text what FITS allows (standard 4.0, section 3.2): printable ASCII, no accents."""
    plain = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in plain)
