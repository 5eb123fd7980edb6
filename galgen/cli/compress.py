"""``galgen schema``, ``cat`` and ``compress``: what is done with finished catalogues as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

Overwrite = Annotated[bool, Option("--overwrite", help="Replace an existing file.")]
Quiet = Annotated[bool, Option("--quiet", help="No progress, no summary.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(schema)
    app.command()(cat)
    app.command()(compress)


def schema(
    catalog: Annotated[
        Path | None, Argument(help="What this file has, with values.", metavar="[CATALOG]")
    ] = None,
    bands: Annotated[str, Option(help="Bands, bluest first, where no file is given.")] = "g,r,i",
    flux_unit: Annotated[str, Option(help="FITS unit of fluxes, where no file is given.")] = "adu",
    form: Annotated[str, Option("--format", help="table, json, csv or md.")] = "table",
) -> None:
    """Show the columns and header cards of catalogues: name, type, unit and meaning."""
    from galgen.catalog.read.describe import describe, describe_file, render, sections

    entries = describe(bands.split(","), flux_unit) if catalog is None else describe_file(catalog)
    if form != "table":
        typer.echo(render(entries, form))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for title, (names, *rows) in sections(entries):
        table = Table(*names, title=title, title_justify="left")
        for row in rows:
            table.add_row(*map(Text, row))  # no markup: units in brackets are text
        console.print(table)


def cat(
    catalogs: Annotated[list[Path], Argument(help="Two or more, in order.", metavar="CATALOG...")],
    out: Annotated[Path, Option(help="FITS file to write.")],
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Put catalogues together into one, byte for byte, with the provenance of each.

    Bands, columns, stamp shape, units and calibration must agree; weights, seeds and requests may
    differ.
    """
    from galgen.catalog.convert.concat import concatenate
    from galgen.cli.progress import ProgressLine, human_bytes

    total = sum(path.stat().st_size for path in catalogs if path.is_file())
    with ProgressLine(total, "bytes", quiet=quiet) as line:
        count = concatenate(catalogs, out, overwrite, line.update)
    if not quiet:
        typer.echo(f"{out}: {count:,} galaxies, {human_bytes(out.stat().st_size)}")


def compress(
    catalog: Annotated[Path, Argument(help="Catalogue.", metavar="CATALOG")],
    out: Annotated[
        Path | None, Option(help="FITS file to write: CATALOG.fz, or without .fz.")
    ] = None,
    q: Annotated[
        float, Option("--q", help="Quantisation steps per sigma of a stamp's noise.")
    ] = 16.0,
    lossless: Annotated[bool, Option("--lossless", help="Keep every bit.")] = False,
    decompress: Annotated[bool, Option("--decompress", help="The other way.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compress the stamps of a catalogue: Rice, one tile per stamp; the table stays as it is.

    Every FITS reader that knows tiled images reads the result, and so do all galgen commands but
    cat. Float stamps are quantised first, which adds a noise of 0.29/q sigma, unless --lossless.
    """
    from galgen.catalog import CatalogFile
    from galgen.cli.progress import ProgressLine, human_bytes

    with CatalogFile(catalog) as opened:
        total = len(opened) * len(opened.bands)
    with ProgressLine(total, "stamps", quiet=quiet) as line:
        if decompress:
            from galgen.catalog.convert.decompress import decompress as undo

            written = undo(catalog, out, overwrite, line.update)
            text = f"{written}: {human_bytes(written.stat().st_size)}"
        else:
            from galgen.catalog.convert.compress import compress as run

            text = str(run(catalog, out, q, lossless, overwrite, line.update))
    if not quiet:
        typer.echo(text)
