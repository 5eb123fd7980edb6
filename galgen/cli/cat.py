"""``galgen cat``: catalogues put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from typer import Argument

from galgen.cli.options import OutFits, OverwriteFile, Quiet


def cat(
    catalogs: Annotated[list[Path], Argument(help="Two or more, in order.", metavar="CATALOG...")],
    out: OutFits,
    overwrite: OverwriteFile = False,
    quiet: Quiet = False,
) -> None:
    """Put catalogues together into one, byte for byte, with the provenance of each.

    Bands, columns, stamp shape, units and calibration must agree; weights, seeds and requests may
    differ.
    """
    from galgen.catalog.convert.concat import concatenate_catalogs
    from galgen.cli.progress import ProgressLine

    total = sum(path.stat().st_size for path in catalogs if path.is_file())
    with ProgressLine(total, "bytes", quiet=quiet) as line:
        count = concatenate_catalogs(catalogs, out, overwrite, line.update)
    if not quiet:
        typer.echo(f"{out}: {count:,} galaxies, {decimal(out.stat().st_size)}")
