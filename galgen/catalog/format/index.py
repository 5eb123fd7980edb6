"""The small file beside a catalogue of several files, which says what is where."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from galgen.catalog.format.hdus import append_hdu
from galgen.catalog.format.headers import primary_header, table_header
from galgen.catalog.format.layout import Layout
from galgen.catalog.format.schema import row_dtype
from galgen.columns import Column
from galgen.errors import CatalogError, reading
from galgen.runinfo import RunInfo
from galgen.system.files import written_aside
from galgen.system.fitsfile import check_headers
from galgen.system.inputs import check_file

INDEX = "INDEX"
_CARD = f"EXTNAME = '{INDEX:8}'".encode()
_NUMBERS = ("FIRST", "NGAL", "BYTES")
_HEADERS = 1 << 18  # bytes; more than the headers of an index take


def write_index(path: Path, info: RunInfo, n: int, files: Sequence[tuple[Path, Layout]]) -> None:
    """Write the index of a catalogue: one row per file.

    Parameters
    ----------
    path : Path
        The index, which has the name of the catalogue.
    info : RunInfo
        The run.
    n : int
        Galaxies in all files together.
    files : sequence of (Path, Layout)
        Name of each file, and what is in it.

    Raises
    ------
    OSError
        If it cannot be written; nothing has been then.
    """
    width = -(-max(len(name.name) for name, _ in files) // 4) * 4  # rows of whole 4-byte words
    columns = [
        Column("FILE", f"{width}A", "", "name, in the folder of this index"),
        Column("FIRST", "K", "", "GALAXY_ID of its first galaxy"),
        Column("NGAL", "K", "", "galaxies in it"),
        Column("BYTES", "K", "", "its size"),
    ]
    rows = [(name.name, file.first, file.n, file.total_bytes) for name, file in files]
    stopped = None if n == info.n else f"Stopped after {n} of {info.n} galaxies."
    primary = primary_header(info, 0, n, stopped or f"Index of {len(files)} files.")
    table = table_header(columns, len(files), INDEX, "file", "files")
    with written_aside(path) as aside, aside.open("wb") as file:
        append_hdu(file, primary, iter(()))
        append_hdu(file, table, iter((np.array(rows, row_dtype(columns)).tobytes(),)))


class IndexRow(NamedTuple):
    """A file of a catalogue of several, as its index has it: path, galaxies and size in bytes."""

    path: Path
    first: int
    n: int
    size: int


def is_index(path: Path) -> bool:
    """Whether a file, if there is one, looks like an index."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _CARD in file.read(_HEADERS)


def read_index(path: Path) -> list[IndexRow] | None:
    """List the files of a catalogue of several; None if `path` is no index, or nothing at all.

    Raises
    ------
    CatalogError
        If it is damaged.
    DataError
        If it is no file.
    """
    if not path.exists():
        return None
    check_file(path)
    with reading(path, "an index of files", CatalogError):
        if not is_index(path):  # as astropy stumbles over files of other kinds
            return None
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("error", AstropyWarning)  # what it finds truncated
            check_headers(file, path, CatalogError)
            hdus = fits.open(file, memmap=False)
            return [
                IndexRow(_beside(path, row["FILE"]), *(int(row[key]) for key in _NUMBERS))
                for row in hdus[INDEX].data
            ]


def _beside(path: Path, name: object) -> Path:
    """Name a file in the folder of an index; a ValueError says that it cannot be one."""
    if not isinstance(name, str) or not name.isprintable():  # astropy leaves some as bytes
        raise ValueError(f"{name!r} is no name of a file")
    return path.with_name(name)
