"""Renew every figure and picture of a set of weights: one command, one JSON.

``python -m bench.evaluate_weights galaxies64-train.zip --docs docs --report reports
--out bench/results/evaluate-sdss-small.json``

Galaxies are generated, as many of each category, and evaluated as `galgen evaluate` does: against
the real galaxies that `galgen train` holds out of the same files, which no gradient has seen; and
against the training galaxies, of which there are enough in every category for a two-sample test.
With ``--docs`` the pictures and tables of the pages are drawn anew.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bench import gallery
from bench.pages import put, table
from bench.record import save
from galgen import CatalogFile, load_model, write_catalog
from galgen.cli.options import given
from galgen.data import StampSet, concatenate, open_stamps, split
from galgen.evaluation import Evaluation, evaluate, write_report
from galgen.evaluation.by_category import MIN_SAMPLE
from galgen.evaluation.report import apart, number, short
from galgen.generate.sampling import Sampling
from galgen.pictures.display import display_stretch, to_display
from galgen.pictures.grid import save_grid
from galgen.training.config import TrainConfig

SHOWN = (
    *("COLOR_G_R", "COLOR_R_I", "HALF_LIGHT_RADIUS", "AXIS_RATIO", "CONCENTRATION"),
    *("ASYMMETRY", "SURFACE_BRIGHTNESS", "LOG_FLUX", "GINI", "M20", "ARM_STRENGTH"),
)  # columns of the table in the pages
COLUMNS = 8  # galaxies in a row of the galleries


def mixture_of(stamps: StampSet) -> str:
    """Categories of real galaxies as a request, with their numbers for weights."""
    codes, counts = np.unique(stamps.category, return_counts=True)
    names = [stamps.tree.get(int(code)).name for code in codes]
    return ",".join(f"{name}:{count}" for name, count in zip(names, counts, strict=True))


def as_many_of_each(stamps: StampSet) -> str:
    """Categories of which there are enough real galaxies to compare, as a request; else all."""
    codes, counts = np.unique(stamps.category, return_counts=True)
    enough = [int(code) for code, count in zip(codes, counts, strict=True) if count >= MIN_SAMPLE]
    return ",".join(f"{stamps.tree.get(int(code)).name}:1" for code in enough or codes)


def save_comparison(path: Path, catalog_path: Path, real: StampSet, columns: int = 12) -> None:
    """Draw the first real and generated galaxies of each category, a row each, not selected."""
    rows = {}
    with CatalogFile(catalog_path) as catalog:
        made = catalog.column("CATEGORY")
        stretch = display_stretch(catalog.info, catalog.stamps(slice(0, 1)))
        for code in np.unique(made):
            name = real.tree.get(int(code)).name
            held_out = np.flatnonzero(real.category == code)[:columns]
            rows[f"{name}: real, held out"] = real.native_float(held_out).numpy()
            generated = catalog.stamps(np.flatnonzero(made == code)[:columns])
            rows[f"{name}: generated"] = to_display(generated, stretch)
    save_grid(path, rows, columns)


def save_galleries(docs: Path, weights: Path | None) -> None:
    """Draw what the first page and the gallery show: the first galaxies of a seed, not selected."""
    rows = gallery.rows_of(COLUMNS, 0, weights)
    gallery.draw(rows, COLUMNS, 2).save(docs / "gallery.webp", quality=88, method=6)
    made = {
        name: np.stack([np.asarray(image) for image in images])
        for name, (_, images) in rows.items()
    }
    save_grid(docs / "galaxies.png", made, COLUMNS, 2)


def table_of(found: Evaluation) -> str:
    """Ratios of Wasserstein distances and areas under the curve, as a table of a page."""
    shown = [name for name in SHOWN if name in found.units]
    lines = []
    for r in found.categories:
        if r.columns:
            cells = [number(r.columns[n].ratio) if n in r.columns else "-" for n in shown]
            told = [apart(r.two_sample.get(space)) for space in found.spaces]
            lines.append([r.name, number(r.mean), *cells, *told])
    return table(["category", "mean", *map(short, shown), *found.spaces], lines)


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled training data.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    n: Annotated[int, typer.Option(help="Galaxies to generate.")] = 2100,
    sampler: Annotated[str | None, typer.Option(help="Default: what suits the weights.")] = None,
    steps: int | None = None,
    guidance: float = Sampling.guidance,
    dtype: Annotated[str | None, typer.Option(help="Default: what suits the device.")] = None,
    seed: int = 0,
    device: str | None = None,
    held_out_only: bool = False,
    grid: Annotated[Path | None, typer.Option(help="PNG of real and generated.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for the two reports.")] = None,
    docs: Annotated[Path | None, typer.Option(help="Folder of the pages, to renew.")] = None,
) -> None:
    """Write the evaluation as JSON, print its tables, renew the pages."""
    stamps = concatenate([open_stamps(path) for path in data])
    training, held_out = split(stamps.select(stamps.category != 0), TrainConfig.validation)
    model = load_model(weights, device)
    sampling = model.sampling(**given(sampler=sampler, steps=steps, dtype=dtype), guidance=guidance)
    run = model.generate(as_many_of_each(held_out), n, seed=seed, sampling=sampling)
    results: dict[str, Any] = {
        "weights_sha256": model.checkpoint.sha256,
        "generated_on": str(model.device),
        "sampling": asdict(sampling) | {"seed": seed},
    }
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        catalog = write_catalog(Path(folder) / "generated.fits", run, run.info)
        results["galaxies_per_second"] = n / (time.perf_counter() - started)
        references = {"held_out": (held_out, None if held_out_only else training)}
        references |= {} if held_out_only else {"training": (training, None)}
        for name, (real, train) in references.items():
            started = time.perf_counter()
            found = evaluate(catalog, real, seed=seed, train=train, weights=weights)
            results[name] = found.to_json()
            results[name]["seconds"] = round(time.perf_counter() - started, 1)
            save(out, results)
            print(f"{name}:\n{found.table()}\n{table_of(found)}\n")
            if report is not None:
                report.mkdir(exist_ok=True)
                write_report(found, report / name, overwrite=True)
            tables.append(f"Against the {name.replace('_', ' ')} galaxies:\n\n{table_of(found)}")
        if grid is not None:
            save_comparison(grid, catalog, held_out)
        if docs is not None:
            save_comparison(docs / "comparison.png", catalog, held_out)
    if docs is not None:
        put(docs / "weights.md", "evaluate_weights", "\n\n".join(tables))
        save_galleries(docs, weights)


if __name__ == "__main__":
    typer.run(main)
