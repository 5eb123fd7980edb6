"""Put catalogues together: ``galgen cat``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, BinaryIO

from astropy.io import fits

from galgen.catalog.format import headers, seal
from galgen.catalog.format.hdus import RawHdu, append_hdu, check_data, data_of, raw_hdus
from galgen.catalog.format.parts import PARTS, Part, galaxies_twice, parts_table
from galgen.catalog.format.treecards import read_tree
from galgen.catalog.read.reader import CatalogFile
from galgen.errors import CatalogError, InvalidValueError
from galgen.runinfo import RunInfo
from galgen.system.files import check_output, written_output

# What numbers mean must agree; who made the galaxies, and how, is kept per part.
_SAME = (
    *("FMTVERS", "RNGALG", "BANDS", "STAMPS", "NPIXX", "NPIXY", "FLUXUNIT"),
    *("PIXSCALE", "ZPT_AB", "FLUXCAL", "LUPTON"),
)
_COUNTS = ("NAXIS2", "NAXIS3", *seal.CARDS)
_ABOUT = ("TUCD", "TCOMM")  # of columns, in words: older catalogues say less
_REMARKS = ("COMMENT", "HISTORY", "")
_MAX_NAMED = 3  # texts of parts in a card of the primary header


def concatenate_catalogs(
    paths: Sequence[str | Path],
    out: str | Path,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write the galaxies of several catalogues to one, byte for byte.

    Rows keep their GALAXY_ID and SEED; which rows are from which run, with the whole primary header
    of each, is in the extension ``PARTS``. Cards of the new primary header in which the runs differ
    name several (texts) or are of the first (numbers, with a comment, and versions). Catalogues
    that were put together themselves become their parts.

    Parameters
    ----------
    paths : sequence of str or Path
        Two catalogues or more, in the order wanted. Columns, bands, stamp shape, units,
        calibration, pixel scale and tree of categories must agree; weights, seed, request and
        sampler may differ.
    out : str or Path
        File to write. It has its name once it is finished.
    overwrite : bool
        Replace an existing file.
    progress : callable, optional
        Called with the number of bytes written so far.

    Returns
    -------
    int
        Galaxies written.

    Raises
    ------
    OutputError
        If `out` cannot be written; nothing has been then.
    InvalidValueError
        If there are less than two catalogues, one is compressed, or two have the same galaxies.
    CatalogError
        If the catalogues do not go together (all differences are listed), or one is damaged.
    DataError
        If one is missing.

    Notes
    -----
    Memory does not depend on the number of galaxies. Each input is checked against its checksums
    on the way, so that damaged bytes do not get a good checksum.
    """
    inputs, out = [Path(path) for path in paths], Path(out)
    if len(inputs) < 2:
        raise InvalidValueError("catalogues", [str(path) for path in inputs], "two or more")
    check_output(out, overwrite, inputs)
    parts: list[Part] = []
    sources = []
    for path in inputs:
        parts += _parts(path, first_row=parts[-1].stop if parts else 0)
        sources.append(raw_hdus(path))
    _check_same(inputs, sources)
    if twice := galaxies_twice(parts):
        hint = "Give each catalogue once, or make one with another `seed`."
        raise InvalidValueError("catalogues", twice, "different galaxies", hint)
    with written_output(out, overwrite) as aside, aside.open("wb") as file:
        append_hdu(file, _primary(parts), iter(()))
        for hdus in list(zip(*map(_copied, sources), strict=True))[1:]:
            header = _counted([hdu.header for hdu in hdus])
            append_hdu(file, header, _reported(_joined(inputs, hdus), file, progress))
        for path, source in zip(inputs, sources, strict=True):
            for hdu in source:
                if hdu.name in (source[0].name, PARTS):  # not copied, but what is new is from them
                    check_data(path, hdu)
        header, data = parts_table(parts)
        append_hdu(file, header, iter((data,)))
    return sum(part.n for part in parts)


def _parts(path: Path, first_row: int) -> list[Part]:
    """Read the parts of a catalogue, whose first row becomes row `first_row`."""
    with CatalogFile(path) as catalog:
        if catalog.compressed:
            raise InvalidValueError(
                "catalogue",
                str(path),
                "one that is not compressed",
                f"Decompress it first: galgen compress --decompress {path}",
            )
        return [replace(part, start=first_row + part.start) for part in catalog.parts]


def _copied(source: Sequence[RawHdu]) -> list[RawHdu]:
    """List the HDUs that the new catalogue has too; the first one with another header."""
    return [hdu for hdu in source if hdu.name != PARTS]


def _joined(paths: Sequence[Path], hdus: Sequence[RawHdu]) -> Iterator[bytes]:
    """Read the data of one HDU of each catalogue, one after another."""
    for path, hdu in zip(paths, hdus, strict=True):
        yield from data_of(path, hdu)


def _reported(
    data: Iterator[bytes], file: BinaryIO, progress: Callable[[int], None] | None
) -> Iterator[bytes]:
    """Pass data on; report how much of the file is written whenever more is asked for."""
    for chunk in data:
        yield chunk
        if progress is not None:
            progress(file.tell())


def _counted(found: Sequence[fits.Header]) -> fits.Header:
    """Make the header of the first one count the galaxies of all."""
    header = found[0].copy()
    key = f"NAXIS{header['NAXIS']}"
    header[key] = sum(other[key] for other in found)
    seal.add_cards(header)
    return header


def _check_same(paths: Sequence[Path], sources: Sequence[Sequence[RawHdu]]) -> None:
    """Raise CatalogError, with all differences, unless catalogues go together."""
    first = _what_must_agree(sources[0])
    for path, source in zip(paths[1:], sources[1:], strict=True):
        here = _what_must_agree(source)
        # One line says it where everything after it differs too.
        telling = [key for key in ("BANDS", "STAMPS") if first[key] != here[key]]
        keys = telling or sorted({*first, *here})
        lines = [
            f"  {key}: {here.get(key)!r}, but {first.get(key)!r}"
            for key in keys
            if here.get(key) != first.get(key)
        ]
        if lines:
            raise CatalogError(
                "\n".join([f"{path} cannot be put together with {paths[0]}:", *lines])
            )


def _what_must_agree(source: Sequence[RawHdu]) -> dict[str, object]:
    """List all that must agree, by name."""
    primary, *extensions = _copied(source)
    cards = {key: primary.header.get(key) for key in _SAME}
    cards["categories"] = read_tree(primary.header)
    cards |= {
        f"{hdu.name} {key}": value
        for hdu in extensions
        for key, value in hdu.header.items()
        if (key not in (*_COUNTS, *_REMARKS) and not key.startswith(_ABOUT))
        or (key == "NAXIS2" and hdu.header["NAXIS"] == 3)
    }
    return cards


def _primary(parts: Sequence[Part]) -> fits.Header:
    """Make the primary header of the new catalogue: cards in which runs differ name several."""
    infos = [part.info for part in parts]
    joined: dict[str, Any] = {"n": sum(info.n for info in infos), "per_file": None}
    differ: set[str] = set()
    for field in fields(RunInfo):
        of_each = (_hashable(getattr(info, field.name)) for info in infos)
        values: list[Any] = list(dict.fromkeys(of_each))
        if field.name in joined or len(values) == 1:
            continue
        differ.add(field.name)
        if field.name in ("date", "stamp_psf"):  # true of none
            joined[field.name] = None
        elif isinstance(values[0], str):
            more = len(values) - _MAX_NAMED
            rest = [f"{more} more"] if more > 0 else []
            joined[field.name] = " + ".join([*values[:_MAX_NAMED], *rest])
    info = replace(infos[0], **joined)
    together = f"{len(parts)} catalogues together: see the extension {PARTS}."
    header = headers.primary_header(info, 0, sum(part.n for part in parts), together)
    for key, (attribute, _) in headers.card_attributes().items():
        if attribute in differ and key in header and not isinstance(header[key], str):
            header.comments[key] = f"of the first part; see {PARTS}"
    header.insert("CHECKSUM", ("NPARTS", len(parts), f"rows of {PARTS}: runs put together"))
    return header


def _hashable(value: object) -> object:
    """Turn a dict into its items; anything else stays as it is."""
    return tuple(sorted(value.items())) if isinstance(value, dict) else value
