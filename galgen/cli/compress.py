"""``galgen compress``: stamps compressed, or decompressed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from typer import Argument, Option

from galgen.cli.options import OverwriteFile, Quiet
from galgen.cli.suffixes import FITS_NAMES, named


def compress(
    catalog: Annotated[Path, Argument(help="Catalogue.", metavar="CATALOG")],
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "-o",
            help="FITS file to write.",
            show_default="CATALOG.fz, or without .fz",
            callback=named("a FITS file", ".fz", *FITS_NAMES),
        ),
    ] = None,
    q: Annotated[
        float, Option("--q", help="Quantisation steps per sigma of a stamp's noise.")
    ] = 16.0,
    lossless: Annotated[bool, Option("--lossless", help="Keep every bit.")] = False,
    decompress: Annotated[bool, Option("--decompress", help="The other way.")] = False,
    overwrite: OverwriteFile = False,
    quiet: Quiet = False,
) -> None:
    """Compress the stamps of a catalogue: Rice, one tile per stamp; the table stays as it is.

    Every FITS reader that knows tiled images reads the result, and so do all galgen commands but
    cat. Float stamps are quantised first, which adds a noise of 0.29/q sigma, unless --lossless.
    """
    from galgen.catalog import CatalogFile
    from galgen.catalog.convert.compress import compress_catalog
    from galgen.catalog.convert.decompress import decompress_catalog
    from galgen.cli.progress import ProgressLine

    with CatalogFile(catalog) as opened:
        total = len(opened) * len(opened.bands)
    with ProgressLine(total, "stamps", quiet=quiet) as line:
        if decompress:
            written = decompress_catalog(catalog, out, overwrite, line.update)
            said = f"{written}: {decimal(written.stat().st_size)}"
        else:
            said = str(compress_catalog(catalog, out, q, lossless, overwrite, line.update))
    if not quiet:
        typer.echo(said)
