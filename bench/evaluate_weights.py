"""Generate galaxies in the proportions of held-out real ones and compare the two populations.

``python bench/evaluate_weights.py galaxies64-train.zip --out bench/results/evaluate.json``

The held-out galaxies are those that `galgen train` holds out of the same files: no gradient has
seen them. The same catalogue is also compared with the training galaxies, of which there are enough
in every category, and where nearest neighbours show whether they have been memorised.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from galgen import CatalogFile, categories, evaluate, load_model, write_catalog
from galgen.data import StampSet, concatenate, open_stamps, split
from galgen.generate.sampling import Sampling
from galgen.pictures.display import display_stretch, to_display
from galgen.pictures.grid import save_grid
from galgen.training.config import TrainConfig


def mixture_of(stamps: StampSet) -> str:
    """Categories of real galaxies as a request, with their numbers for weights."""
    codes, counts = np.unique(stamps.category, return_counts=True)
    names = [categories.get(int(code)).name for code in codes]
    return ",".join(f"{name}:{count}" for name, count in zip(names, counts, strict=True))


def save_comparison(path: Path, catalog_path: Path, real: StampSet, columns: int = 12) -> None:
    """Draw the first real and generated galaxies of each category, a row each, not selected."""
    rows = {}
    with CatalogFile(catalog_path) as catalog:
        made = catalog.column("CATEGORY")
        stretch = display_stretch(catalog.info, catalog.stamps(slice(0, 1)))
        for code in np.unique(real.category):
            name = categories.get(int(code)).name
            held_out = np.flatnonzero(real.category == code)[:columns]
            rows[f"{name}: real, held out"] = real.native_float(held_out).numpy()
            generated = catalog.stamps(np.flatnonzero(made == code)[:columns])
            rows[f"{name}: generated"] = to_display(generated, stretch)
    save_grid(path, rows, columns)


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled training data.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    n: Annotated[int, typer.Option(help="Galaxies to generate.")] = 1500,
    sampler: str = Sampling.sampler,
    steps: int = Sampling.steps,
    guidance: float = Sampling.guidance,
    seed: int = 0,
    held_out_only: bool = False,
    grid: Annotated[Path | None, typer.Option(help="PNG of real and generated.")] = None,
) -> None:
    """Write the comparison as JSON and print its tables."""
    stamps = concatenate([open_stamps(path) for path in data])
    stamps = stamps.select(stamps.category != 0)
    training, held_out = split(stamps, TrainConfig.validation)
    model = load_model(weights)
    sampling = Sampling(sampler=sampler, steps=steps, guidance=guidance)
    run = model.generate(mixture_of(held_out), n, seed=seed, sampling=sampling)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        catalog = write_catalog(Path(folder) / "generated.fits", run, run.info)
        seconds = time.perf_counter() - started
        references = {"held_out": held_out} | ({} if held_out_only else {"training": training})
        found = {name: evaluate(catalog, real) for name, real in references.items()}
        if grid is not None:
            save_comparison(grid, catalog, held_out)
    for name, evaluation in found.items():
        print(f"{name}: median ratio {evaluation.median:.2f}\n{evaluation.table()}")
    record = {name: evaluation.to_json() for name, evaluation in found.items()}
    record["galaxies_per_second"] = n / seconds
    record["sampling"] = {"sampler": sampler, "steps": steps, "guidance": guidance, "seed": seed}
    out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
