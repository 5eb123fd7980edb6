"""Check the index of a catalogue of several files against what it lists."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from astropy.io import fits

from galgen.catalog.check.bytes import check_bytes
from galgen.catalog.format.index import IndexRow
from galgen.catalog.format.seal import CARDS
from galgen.errors import CatalogError, reading

# Cards of the primary header that differ from file to file.
_OWN = {"NGAL", "FIRSTGAL", *CARDS, "COMMENT", "LONGSTRN"}


def check_index(path: Path, rows: Sequence[IndexRow]) -> Iterator[str]:
    """Check an index: its bytes, rows with all galaxies in order, and that files are theirs.

    Parameters
    ----------
    path : Path
        The index, which could be read.
    rows : sequence of IndexRow
        What it lists.

    Yields
    ------
    str
        What is wrong.
    """
    yield from check_bytes(path)
    try:
        primary = _primary(path)
    except CatalogError as error:
        yield str(error)
        return
    n, per_file = primary.get("NGAL"), primary.get("PERFILE")
    expected = 0
    for number, row in enumerate(rows):
        name = row.path.name
        if row.first != expected or not 0 < row.n <= (per_file or 0):
            yield f"row {number} has galaxies {row.first} to {row.first + row.n - 1} in {name}."
        elif row.n < per_file and number < len(rows) - 1:
            yield f"row {number}: {name} has {row.n} galaxies, but is not the last."
        expected = row.first + row.n
        yield from _check_file(primary, row)
    if expected != n:
        yield f"rows end with galaxy {expected - 1}, but NGAL is {n}."
    if len({row.path for row in rows}) < len(rows):
        yield "a file is listed twice."


def _check_file(index: fits.Header, row: IndexRow) -> Iterator[str]:
    """Whether a file is the one that its row is about, if it can be read at all."""
    name = row.path.name
    if not row.path.is_file():
        return  # which is said anyway
    if (size := row.path.stat().st_size) != row.size:
        yield f"{name} has {size} bytes; {row.size} are listed."
    try:
        found = _primary(row.path)
    except CatalogError:
        return  # as above
    for key, wanted in (("FIRSTGAL", row.first), ("NGAL", row.n)):
        if found.get(key) != wanted:
            yield f"{name}: card {key} is {found.get(key)}; {wanted} is listed."
    different = [
        key
        for key in dict.fromkeys([*index, *found])
        if key not in _OWN and index.get(key) != found.get(key)
    ]
    if different:
        yield f"{name} is of another run: {', '.join(different)} differ."


def _primary(path: Path) -> fits.Header:
    """Read the first header of a file, with the values of all cards."""
    with reading(path, "FITS", CatalogError), warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")
        header = fits.Header.fromfile(file)
        list(header.values())  # those that are none raise here
        return header
