"""``galgen preview``, ``evaluate`` and ``verify``: what is done with a catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

Catalog = Annotated[Path, Argument(help="Catalogue written by 'galgen mass'.", metavar="CATALOG")]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace what is there.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(preview)
    app.command()(evaluate)
    app.command()(verify)


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


def evaluate(
    catalog: Catalog,
    reference: Annotated[
        list[Path], Option(help="Real galaxies: anything 'galgen train' reads. Repeat to join.")
    ],
    out: Annotated[Path | None, Option(help="JSON to write.")] = None,
    seed: Annotated[int, Option(help="Seed of the random halves.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Compare a catalogue's colours, sizes and shapes with real galaxies.

    Each number is the Wasserstein-1 distance to the real galaxies divided by the distance between
    two halves of the real galaxies: 1 cannot be told apart.
    """
    import json

    from galgen.evaluation import evaluate as compare
    from galgen.system.files import check_output, write_atomically

    if out is not None:
        check_output(out, overwrite)
    found = compare(catalog, reference, seed=seed)
    typer.echo(found.table())
    if out is not None:
        text = json.dumps(found.to_json(), indent=1) + "\n"
        write_atomically(out, lambda aside: aside.write_text(text))


def verify(catalog: Catalog) -> None:
    """Check a catalogue: checksums, counts, categories, NaNs. Exit code 4 if anything is wrong."""
    from galgen.catalog import verify as check

    report = check(catalog)
    typer.echo(report)
    if not report.ok:
        raise typer.Exit(4)
