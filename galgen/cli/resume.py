"""``galgen resume`` and ``finish``: what is done with a catalogue that is not finished."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from galgen.cli.route import (
    Job,
    NJobs,
    Route,
    Scheduler,
    Slurm,
    Workers,
    catalog_files,
    make_catalog,
)

Unfinished = Annotated[
    Path, Argument(help="The --out of a 'galgen mass' that was interrupted.", metavar="CATALOG")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(resume)
    app.command()(finish)


def resume(
    catalog: Unfinished,
    workers: Workers = None,
    scheduler: Scheduler = None,
    slurm: Slurm = None,
    njobs: NJobs = None,
    job: Job = None,
    quiet: Annotated[bool, Option("--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Make the missing galaxies of an interrupted run.

    The finished file has the same bytes as if the run had never been interrupted, whoever makes the
    rest. A catalogue that is finished stays as it is.
    """
    from galgen.catalog import CatalogFile
    from galgen.catalog.write.ledger import Ledger, part_folder
    from galgen.produce.recipe import Recipe

    if not part_folder(catalog).exists() and catalog.exists():
        CatalogFile(catalog_files(catalog)[-1]).close()  # unless it is none of ours
        if not quiet:
            typer.echo(f"{catalog}: is finished.")
        return
    recipe = Recipe.from_json(Ledger(catalog).recipe)
    route = Route(workers, scheduler, slurm, njobs, job)
    make_catalog(recipe, catalog, route, resume=True, quiet=quiet)


def finish(
    catalog: Unfinished,
    partial: Annotated[
        bool,
        Option("--partial", help="Keep the galaxies before the first missing one, drop the rest."),
    ] = False,
    quiet: Annotated[bool, Option("--quiet", help="No summary.")] = False,
) -> None:
    """Give a catalogue whose galaxies are all made its headers and its name."""
    from galgen.catalog import finish as seal

    count = seal(catalog, partial)
    if not quiet:
        typer.echo(f"{catalog}: {count:,} galaxies")
