"""Test weights for shear, and put what is found into docs/shear.md.

python -m bench.shear galaxies64-train.zip --n 1000 --workers 2

Galaxies are made in the proportions of the held-out real ones beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.evaluate_weights import mixture_of
from bench.record import save
from bench.shear import table
from galgen.data import concatenate, open_stamps, split
from galgen.galsim import GalgenModel
from galgen.shear import shear_test
from galgen.shear.plot import save_plot
from galgen.training.config import TrainConfig


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled training data.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    n: Annotated[int, typer.Option(help="Galaxies, generated and real.")] = 600,
    seed: int = 0,
    workers: int = 1,
    out: Annotated[Path, typer.Option(help="JSON to write.")] = Path("bench/results/shear.json"),
    plot: Annotated[Path, typer.Option(help="PNG to write.")] = Path("docs/shear.png"),
    page: Annotated[Path, typer.Option(help="Page to put the table into.")] = Path("docs/shear.md"),
) -> None:
    """Write the receipt, its picture, and its table."""
    stamps = concatenate([open_stamps(path) for path in data])
    _, real = split(stamps.select(stamps.category != 0), TrainConfig.validation)
    galaxies = GalgenModel(n, mixture_of(real), seed, weights=weights)
    receipt = shear_test(galaxies, real, n=n, seed=seed, workers=workers)
    print(receipt.table())
    save(out, receipt.to_json())
    save_plot(receipt, plot, overwrite=True)
    table.main(out, page)


if __name__ == "__main__":
    typer.run(main)
