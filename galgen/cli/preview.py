"""``galgen preview``: a picture of what is in a catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from galgen.cli.options import Catalog, Overwrite
from galgen.cli.suffixes import named


def preview(
    catalog: Catalog,
    out: Annotated[
        Path, Option("--out", "-o", help="PNG to write.", callback=named("a PNG file", ".png"))
    ],
    per_category: Annotated[int, Option(help="Stamps of each category, the first ones.")] = 8,
    every: Annotated[
        bool, Option("--all", help="Every galaxy of the catalogue, however many rows it takes.")
    ] = False,
    scale: Annotated[int, Option(help="Enlargement.")] = 2,
    overwrite: Overwrite = False,
) -> None:
    """Draw a labelled grid of a catalogue's galaxies by category."""
    from galgen.pictures.sheet import preview as draw

    typer.echo(draw(catalog, out, None if every else per_category, scale, overwrite))
