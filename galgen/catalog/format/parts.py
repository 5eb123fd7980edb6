"""What a catalogue was put together from: one part per run, listed in the extension ``PARTS``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from astropy.io import fits

from galgen.catalog.format import headers, seal
from galgen.errors import CatalogError
from galgen.runinfo import RunInfo

PARTS = "PARTS"
_CARD = 80  # characters

_COLUMNS = (
    ("FIRST_ROW", "first row of the part, from 0"),
    ("NGAL", "galaxies of the part, in consecutive rows"),
    ("FIRST_ID", "GALAXY_ID of the first; they are consecutive"),
    ("SEED", "seed of the run"),
    ("WTSHA256", "its weights"),
    ("REQUEST", "what was asked for"),
    ("HEADER", "primary header of the part, in full"),
)
_NUMBERS = ("FIRST_ROW", "NGAL", "FIRST_ID", "SEED")


@dataclass(frozen=True)
class Part:
    """Consecutive galaxies of one run, in consecutive rows.

    Attributes
    ----------
    info : RunInfo
        Provenance of these galaxies.
    start, n : int
        First row, and how many.
    first_id : int
        GALAXY_ID of the first.
    header : Header
        Primary header of the catalogue that they are from.
    """

    info: RunInfo
    start: int
    n: int
    first_id: int
    header: fits.Header

    @property
    def stop(self) -> int:
        """Row after the last."""
        return self.start + self.n


def read_parts(hdus: fits.HDUList, first_id: int) -> tuple[Part, ...]:
    """Read the parts of a catalogue; a single one where it was written by one run.

    Parameters
    ----------
    hdus : HDUList
        The catalogue.
    first_id : int
        GALAXY_ID of its first galaxy.

    Raises
    ------
    CatalogError
        If they do not cover all rows, or contradict their own headers.
    """
    primary = hdus[0].header
    if "NPARTS" not in primary:
        info = headers.read_info(hdus)
        return (Part(info, 0, primary["NGAL"], first_id, primary),)
    if PARTS not in hdus or len(hdus[PARTS].data) != primary["NPARTS"]:
        raise CatalogError(f"card NPARTS is {primary['NPARTS']}; {PARTS} has not as many rows.")
    parts, row = [], 0
    for number, line in enumerate(hdus[PARTS].data):
        text = line["HEADER"]  # without blanks at its end
        header = fits.Header.fromstring(text.ljust(-(-len(text) // _CARD) * _CARD))
        start, n, first_id, seed = (int(line[name]) for name in _NUMBERS)
        info = headers.read_info(hdus, header)
        if (start, n) != (row, header["NGAL"]) or n < 1:
            raise CatalogError(f"{PARTS}: part {number} has rows {start} to {start + n - 1}.")
        if (seed, line["WTSHA256"]) != (info.seed, info.weights_sha256):
            raise CatalogError(f"{PARTS}: part {number} is not what its HEADER says.")
        parts.append(Part(info, start, n, first_id, header))
        row += n
    if row != primary["NGAL"]:
        raise CatalogError(f"{PARTS}: {row} galaxies, but NGAL is {primary['NGAL']}.")
    return tuple(parts)


def galaxies_twice(parts: Sequence[Part]) -> str | None:
    """Say which galaxies are there twice: they are a function of the recipe and GALAXY_ID."""
    by_recipe: defaultdict[object, list[Part]] = defaultdict(list)
    for part in parts:
        by_recipe[_recipe(part.info)].append(part)
    for runs in by_recipe.values():
        for a, b in pairwise(sorted(runs, key=lambda part: part.first_id)):
            stop = min(a.first_id + a.n, b.first_id + b.n)
            if b.first_id < stop:
                return f"galaxies {b.first_id} to {stop - 1} of seed {a.info.seed} twice"
    return None


def _recipe(info: RunInfo) -> tuple[object, ...]:
    """Name what galaxies depend on beside their GALAXY_ID, as far as it matters here."""
    return info.weights_sha256, info.seed, info.request, info.sampler, info.steps, info.guidance


def parts_table(parts: Sequence[Part]) -> tuple[fits.Header, bytes]:
    """Make the header, but for its checksums, and the data of the extension ``PARTS``."""
    values = {
        "FIRST_ROW": [part.start for part in parts],
        "NGAL": [part.n for part in parts],
        "FIRST_ID": [part.first_id for part in parts],
        "SEED": [part.info.seed for part in parts],
        "WTSHA256": [part.info.weights_sha256 for part in parts],
        "REQUEST": [part.info.request for part in parts],
        "HEADER": [part.header.tostring(endcard=False, padding=False) for part in parts],
    }
    arrays = [np.array(values[name], ">i8" if name in _NUMBERS else "S") for name, _ in _COLUMNS]
    row = [(name, array.dtype) for (name, _), array in zip(_COLUMNS, arrays, strict=True)]
    rows = np.empty(len(parts), row)
    for (name, _), array in zip(_COLUMNS, arrays, strict=True):
        rows[name] = array
    return _header(rows), rows.tobytes()


def parts_header() -> fits.Header:
    """Make a header of the extension ``PARTS`` that describes its columns."""
    row = [(name, ">i8" if name in _NUMBERS else "S1") for name, _ in _COLUMNS]
    return _header(np.zeros(1, row))


def _header(rows: np.ndarray) -> fits.Header:
    """Header, but for its checksums, of rows of the extension ``PARTS``."""
    header = fits.BinTableHDU(rows, name=PARTS).header
    for i, (_, meaning) in enumerate(_COLUMNS, 1):
        header[f"TCOMM{i}"] = meaning
    seal.add_cards(header)
    return header
