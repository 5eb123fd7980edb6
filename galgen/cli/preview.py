"""``galgen preview``: a picture of what is in a catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from galgen.cli.options import Catalog, Overwrite


def preview(
    catalog: Catalog,
    out: Annotated[Path, Option(help="PNG to write.")],
    per_category: Annotated[int, Option(help="Stamps per category.")] = 8,
    scale: Annotated[int, Option(help="Enlargement.")] = 2,
    overwrite: Overwrite = False,
) -> None:
    """Draw a labelled grid of a catalogue's galaxies by category."""
    from galgen.pictures.sheet import preview as draw

    typer.echo(draw(catalog, out, per_category, scale, overwrite))
