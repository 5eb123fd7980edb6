"""What the columns and header cards of a catalogue mean, in words: ``galgen schema``.

Nothing is defined here but the meaning of cards whose comment had no room in a header: columns are
those of `galgen.catalog.format.schema`, cards those that `galgen.catalog.format.headers` writes.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from astropy.io import fits

from galgen.catalog.format import headers
from galgen.catalog.format.layout import check_bands
from galgen.catalog.format.parts import PARTS, parts_header
from galgen.catalog.format.schema import run_columns
from galgen.catalog.format.seal import CARDS, COMPRESSED
from galgen.catalog.read.reader import CatalogFile
from galgen.columns import read_columns
from galgen.errors import InvalidValueError
from galgen.runinfo import RunInfo

FORMATS = ("json", "csv", "md")
_TYPES = {"K": "int64", "J": "int32", "I": "int16", "E": "float32", "D": "float64", "L": "bool"}
_MEANINGS = {
    "EXTEND": "extensions may follow",
    "CREATOR": "galgen, and its version",
    "WTSHA256": "SHA-256 of the weights",
    "LONGSTRN": "long texts go on in CONTINUE cards",
    "BITPIX": "bits per number; -32 is float32, 16 is int16",
    "NAXIS": "axes",
    "NAXIS1": "length of the first axis",
    "NAXIS2": "length of the second axis",
    "PCOUNT": "bytes after the data",
    "GCOUNT": "always 1",
    "TFIELDS": "columns",
    "EXTNAME": "name of the extension",
    "BAND": "band of the stamps",
    **CARDS,
    "DATE": "when it was written, UTC",
    "NPARTS": "rows of PARTS; only where 'galgen cat' put catalogues together",
    **{
        stored: f"{key} of compressed stamps; only after 'galgen compress'"
        for key, stored in COMPRESSED.items()
    },
    "QLEVEL": "noise sigma over quantisation step; only after 'galgen compress'",
}
_NUMBERED = {
    "CAT": "name of category n; the comment says what it is a kind of",
    "PCAT": "code of what category n is a kind of; only of categories other than galgen's own",
    "ACAT": "other names of category n, with commas; only of such categories",
    "DEPNAM": "package that the galaxies depend on",
    "DEPVER": "its version",
    "TTYPE": "name of column n",
    "TFORM": "type of column n",
    "TUNIT": "unit of column n, where it has one",
    "TCOMM": "meaning of column n",
    "TUCD": "what column n is in the Virtual Observatory, UCD1+ of the IVOA",
    "TNULL": "value of column n that stands for none",
    "TDIM": "shape of an entry of column n",
}


@dataclass(frozen=True)
class Entry:
    """A column, or a card of a header.

    Attributes
    ----------
    hdu : str
        Extension; for stamps, ``STAMPS_<BAND>``.
    kind : str
        'column' or 'card'.
    name, type, unit, meaning : str
        What headers say of it; a family of cards, such as ``TTYPEn``, has one entry.
    value : str
        Value of the card in a given file; empty otherwise, and for columns.
    """

    hdu: str
    kind: str
    name: str
    type: str
    unit: str
    meaning: str
    value: str = ""


def describe_bands(bands: Sequence[str], flux_unit: str) -> list[Entry]:
    """List all columns and cards that a catalogue of these bands can have.

    Parameters
    ----------
    bands : sequence of str
        Band names, bluest first.
    flux_unit : str
        FITS unit of the fluxes.

    Raises
    ------
    InvalidValueError
        If the bands cannot be those of a catalogue.
    """
    check_bands(bands)
    info = _run_with_everything(bands, flux_unit)
    primary = headers.primary_header(info, 0, 1)
    primary["DEPNAM00"], primary["DEPVER00"] = "text", "text"
    primary["LONGSTRN"], primary["NPARTS"] = "text", 1
    primary["PCAT001"], primary["ACAT000"] = 1, "text"
    columns = run_columns(replace(info, zero_point=None))
    stamps = headers.stamps_header(info, bands[0], 1)
    stamps["QLEVEL"] = 1.0
    stamps.update(dict.fromkeys(COMPRESSED.values(), "text"))
    tables = {headers.CATALOG: headers.table_header(columns, 1), PARTS: parts_header()}
    entries = [entry for name, header in tables.items() for entry in _columns(name, header)]
    for name, header in {
        "PRIMARY": primary,
        headers.CATALOG: tables[headers.CATALOG],
        headers.stamps_name("<BAND>"): stamps,
    }.items():
        entries += _cards(name, header, with_values=False)
    return entries


def describe_file(path: str | Path) -> list[Entry]:
    """List all columns and cards that a catalogue has, with the values of the cards.

    Raises
    ------
    DataError, CatalogError
        If the catalogue is missing, or not one.
    """
    with CatalogFile(path) as catalog:
        entries: list[Entry] = []
        for hdu in catalog.hdus:
            if isinstance(hdu, fits.BinTableHDU) and not isinstance(hdu, fits.CompImageHDU):
                entries += _columns(hdu.name, hdu.header)
        for hdu in catalog.hdus:
            entries += _cards(hdu.name, hdu.header, with_values=True)
        return entries


def _run_with_everything(bands: Sequence[str], flux_unit: str) -> RunInfo:
    """Make up a run whose headers have all the cards there are; only the types of values count."""
    return RunInfo(
        n=1,
        seed=1,
        bands=tuple(bands),
        height=1,
        width=1,
        request="text",
        flux_unit=flux_unit,
        flux_calibration="text",
        lupton="text",
        zero_point=1.0,
        pixel_scale=1.0,
        model="text",
        model_version="text",
        weights_sha256="text",
        sampler="text",
        steps=1,
        guidance=1.0,
        micro_batch=1,
        dtype="text",
        kernels="text",
        device="text",
        training_set="text",
        credit="text",
        date="text",
        per_file=1,
        flux_source="INPUT",
        mag_zero=1.0,
        stamp_psf=0.0,
        psf="text",
        noise="text",
        hook="text",
        like="text",
        like_sha256="text",
        like_rows=1,
        stamps="int16",
        scaling=((1.0, 0.0),) * len(bands),
    )


def _columns(hdu: str, header: fits.Header) -> Iterator[Entry]:
    """Entries of the columns of a table."""
    for column in read_columns(header):
        count, letter = column.kind
        kind = "text" if letter == "A" else _TYPES.get(letter, column.form)
        if count != 1:
            kind += f" ({count})"
        yield Entry(hdu, "column", column.name, kind, column.unit, column.description)


def _cards(hdu: str, header: fits.Header, with_values: bool) -> Iterator[Entry]:
    """Entries of the cards of a header; of families that are numbered, one."""
    seen: set[str] = set()
    # Comments are left out of headers where a long value leaves no room.
    full = {key: comment for key, (_, comment) in headers.card_attributes().items()}
    for card in header.cards:
        name, meaning, value = card.keyword, card.comment, str(card.value)
        family = re.fullmatch(r"([A-Z]+)(\d+)", name)
        if family and family[1] in _NUMBERED:
            of_column = family[1].startswith("T")
            name = family[1] + "n" * (1 if of_column else len(family[2]))
            meaning = _NUMBERED[family[1]]
            if not with_values or of_column:
                value = ""  # what columns say is listed as columns
        if name in ("COMMENT", "HISTORY", "") or (name in seen and not value):
            continue
        seen.add(name)
        meaning = meaning or full.get(name) or _MEANINGS.get(name, "")
        unit = re.match(r"\[(.*?)\] ", meaning)
        yield Entry(
            hdu,
            "card",
            card.keyword if with_values and value else name,
            "text" if isinstance(card.value, str) else type(card.value).__name__,
            unit[1] if unit else "",
            meaning[unit.end() :] if unit else meaning,
            value if with_values else "",
        )


def render(entries: Sequence[Entry], form: str) -> str:
    """Write entries as text.

    Parameters
    ----------
    entries : sequence of Entry
        What `describe_bands` or `describe_file` returned.
    form : str
        'json', 'csv' or 'md' (tables in Markdown, one per extension and kind).

    Raises
    ------
    InvalidValueError
        If `form` is none of these.
    """
    if form == "json":
        return json.dumps([asdict(entry) for entry in entries], indent=1)
    if form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(field.name for field in fields(Entry))
        writer.writerows(asdict(entry).values() for entry in entries)
        return text.getvalue().rstrip("\n")
    if form == "md":
        return "\n\n".join(_markdown(title, rows) for title, rows in sections(entries))
    raise InvalidValueError("format", form, ", ".join(FORMATS))


def sections(entries: Iterable[Entry]) -> Iterator[tuple[str, list[list[str]]]]:
    """Arrange entries as tables, one per extension and kind.

    Yields
    ------
    title : str
        What the table is about.
    rows : list of list of str
        Its cells; the first row has the names of the columns.
    """
    grouped: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        grouped.setdefault((entry.kind, entry.hdu), []).append(entry)
    for (kind, hdu), members in grouped.items():
        names = ["name", "type", "unit", "meaning"]
        names += ["value"] if any(entry.value for entry in members) else []
        rows = [[getattr(entry, name) for name in names] for entry in members]
        yield f"{hdu}: {kind}s", [names, *rows]


def _markdown(title: str, rows: Sequence[Sequence[str]]) -> str:
    """One table in Markdown."""
    names, *rest = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [names, ["---"] * len(names), *rest]
    return "\n".join([f"### {title}", "", *("| " + " | ".join(line) + " |" for line in lines)])
