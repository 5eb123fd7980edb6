"""``galgen schema``: what columns and header cards mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from galgen.cli import complete


def schema(
    catalog: Annotated[
        Path | None, Argument(help="What this file has, with values.", metavar="[CATALOG]")
    ] = None,
    bands: Annotated[str, Option(help="Bands, bluest first, where no file is given.")] = "g,r,i",
    flux_unit: Annotated[str, Option(help="FITS unit of fluxes, where no file is given.")] = "adu",
    form: Annotated[
        str,
        Option(
            "--format",
            help="table, json, csv or md.",
            autocompletion=complete.words("table", "json", "csv", "md"),
        ),
    ] = "table",
) -> None:
    """Show the columns and header cards of catalogues: name, type, unit and meaning."""
    from galgen.catalog.read.describe import describe_bands, describe_file, render, sections

    if catalog is None:
        entries = describe_bands(bands.split(","), flux_unit)
    else:
        entries = describe_file(catalog)
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
