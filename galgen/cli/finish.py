"""``galgen finish``: the last step of a catalogue whose galaxies are all made."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from galgen.cli.options import Unfinished
from galgen.cli.route import is_finished


def finish(
    catalog: Unfinished,
    partial: Annotated[
        bool,
        Option("--partial", help="Keep the galaxies before the first missing one, drop the rest."),
    ] = False,
    quiet: Annotated[bool, Option("--quiet", help="No summary.")] = False,
) -> None:
    """Give a catalogue whose galaxies are all made its headers and its name.

    A catalogue that is finished stays as it is.
    """
    from galgen.catalog import finish as finish_catalog

    if is_finished(catalog, quiet):
        return
    count = finish_catalog(catalog, partial)
    if not quiet:
        typer.echo(f"{catalog}: {count:,} galaxies")
