"""The small file beside a catalogue of several files, which says what is where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from galgen.batch import RunInfo
from galgen.catalog import checksum
from galgen.catalog.headers import INDEX, index_header, primary_header
from galgen.catalog.layout import BLOCK, Layout
from galgen.output import write_atomically


def write_index(path: Path, info: RunInfo, n: int, files: Sequence[tuple[Path, Layout]]) -> None:
    """Write the index of a catalogue: one row per file.

    Parameters
    ----------
    path : Path
    info : RunInfo
    n : int
        Galaxies in all files together.
    files : sequence of (Path, Layout)
        Name of each file, and what is in it.
    """
    width = -(-max(len(name.name) for name, _ in files) // 4) * 4  # rows of whole 4-byte words
    row = np.dtype([("FILE", f"S{width}"), ("FIRST", ">i8"), ("NGAL", ">i8"), ("BYTES", ">i8")])
    rows = np.array(
        [(name.name, file.first, file.n, file.total_bytes) for name, file in files], row
    ).tobytes()
    stopped = None if n == info.n else f"Stopped after {n} of {info.n} galaxies."
    primary = primary_header(info, 0, n, stopped or f"Index of {len(files)} files.")
    table = index_header(row, len(files))
    parts = [
        checksum.seal(primary, 0),
        checksum.seal(table, checksum.sum_bytes(rows)),
        rows,
        bytes(-len(rows) % BLOCK),
    ]
    write_atomically(path, lambda aside: aside.write_bytes(b"".join(parts)))


def read_index(path: Path) -> list[Path] | None:
    """Files of a catalogue of several; None if `path` is no index."""
    try:
        with fits.open(path) as hdus:
            if len(hdus) < 2 or hdus[1].name != INDEX:
                return None
            return [path.with_name(name) for name in hdus[1].data["FILE"]]
    except OSError:
        return None
