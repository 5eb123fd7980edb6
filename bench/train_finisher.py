"""Train a finisher, which takes a sampler's last step, for weights that there are.

``python -m bench.train_finisher galaxies64-train.zip --teach ngc64.zip --weights WEIGHTS
--out RUN --minutes 30``

Give the data that the weights were trained on. ``RUN/weights`` is what `galgen` can generate with
afterwards. It may be stopped with Ctrl-C or SIGTERM and go on with ``--resume``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from galgen.cli.options import given
from galgen.training.finisher.config import FinisherConfig
from galgen.training.finisher.run import train_finisher


def main(
    data: Annotated[list[Path], typer.Argument(help="Training data of the weights.")],
    weights: Annotated[Path, typer.Option(help="Folder of exported weights.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    teach: Annotated[list[Path] | None, typer.Option(help="Data that only taught them.")] = None,
    relabel: Annotated[Path | None, typer.Option(help="CSV of corrected labels.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="JSON with fields of FinisherConfig; others are its own.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="End after so long.")] = None,
    images: Annotated[int | None, typer.Option(help="Length of the run in galaxies.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share each batch.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
) -> None:
    """Train a finisher and export the weights with it."""
    chosen = FinisherConfig.from_json(json.loads(config.read_text()) if config else {})
    chosen = dataclasses.replace(chosen, **given(images=images))

    def report(values: Mapping[str, float]) -> None:
        typer.echo("  ".join(f"{name} {value:.4g}" for name, value in values.items()))

    finished = train_finisher(
        data,
        weights,
        out,
        chosen,
        teach=teach or (),
        relabel=relabel,
        max_seconds=60 * minutes if minutes is not None else None,
        resume=resume,
        workers=workers,
        report=report,
    )
    typer.echo(f"{finished.weights}: {finished.images} of {finished.total} galaxies")
    if finished.interrupted:
        typer.echo("interrupted; go on with the same command and --resume", err=True)
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
