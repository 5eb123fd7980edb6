"""``galgen evaluate``: generated galaxies beside real ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from galgen.cli.options import Catalog, Overwrite, Quiet
from galgen.cli.suffixes import named


def evaluate(
    catalog: Catalog,
    reference: Annotated[
        list[Path], Option(help="Real galaxies: anything 'galgen train' reads. Repeat to join.")
    ],
    train: Annotated[
        list[Path] | None,
        Option(help="Real galaxies that the weights learned from; repeat to join."),
    ] = None,
    held_out: Annotated[
        bool,
        Option(
            "--held-out",
            help="Of the reference only what 'galgen train' holds out, of --train only the rest.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "-o",
            help="Folder to write: report.json and a page, index.html; or X.json for JSON alone.",
            callback=named("a folder or of a JSON file", ".json"),
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        Option(help="Weights that made the catalogue.", show_default="the shipped ones"),
    ] = None,
    seed: Annotated[int, Option(help="Seed of the random halves.")] = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compare a catalogue with real galaxies, as a referee would.

    Colours, sizes, shapes and structure: distances to the real galaxies divided by those between
    real galaxies, so that 1 cannot be told apart. Whether a classifier tells their pictures apart
    (0.5 is chance; extra 'evaluate'), and whether they are copies. With --train also whether they
    look like what was asked for.
    """
    from galgen.evaluation import evaluate as compare
    from galgen.evaluation import write_report
    from galgen.evaluation.write import check_report_output
    from galgen.training.config import TrainConfig

    if out is not None:
        check_report_output(out, overwrite, [catalog, *reference, *(train or ())])
    found = compare(
        catalog,
        reference,
        seed=seed,
        train=train or None,
        weights=weights,
        held_out=TrainConfig.validation if held_out else None,
        progress=None if quiet else _say,
    )
    if not quiet:
        typer.echo(found.table())
    if out is not None:
        write_report(found, out, overwrite)


def _say(what: str) -> None:
    """Tell people at a terminal what is being done."""
    if sys.stderr.isatty():
        typer.echo(f"{what} ...", err=True)
