"""``galgen verify``: whether a catalogue is what it says."""

from __future__ import annotations

import typer

from galgen.cli.options import Catalog


def verify(catalog: Catalog) -> None:
    """Check a catalogue: checksums, counts, categories, NaNs. Exit code 4 if anything is wrong."""
    from galgen.catalog import verify as check

    report = check(catalog)
    typer.echo(report)
    if not report.ok:
        raise typer.Exit(4)
