"""``galgen cat``: what is done with finished catalogues as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

Overwrite = Annotated[bool, Option("--overwrite", help="Replace an existing file.")]
Quiet = Annotated[bool, Option("--quiet", help="No progress, no summary.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(cat)


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
    from galgen.catalog.concat import concatenate
    from galgen.cli.progress import ProgressLine, human_bytes

    total = sum(path.stat().st_size for path in catalogs if path.is_file())
    with ProgressLine(total, "bytes", quiet=quiet) as line:
        count = concatenate(catalogs, out, overwrite, line.update)
    if not quiet:
        typer.echo(f"{out}: {count:,} galaxies, {human_bytes(out.stat().st_size)}")
