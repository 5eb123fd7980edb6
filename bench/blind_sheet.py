"""A sheet of generated and real galaxies in random order, to be judged before the key is opened.

``python -m bench.blind_sheet galaxies64-train.zip --sheet sheet.png --key key.json``

The real ones are chosen by lot from those that `galgen train` holds out. For each of them a galaxy
is generated that is asked to have its category, size, axis ratio and colours. Write down 'real' or
'generated' for every number, a line each, then count: ``--key key.json --answers answers.txt``.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageDraw, ImageFont

from bench.record import environment
from galgen import CatalogFile, load_model, write_catalog
from galgen.cli.options import given
from galgen.data import StampSet, concatenate, open_stamps, split
from galgen.generate import GalaxyModel
from galgen.generate.sampling import Sampling
from galgen.measure import measure
from galgen.pictures.display import display_stretch, to_display
from galgen.pictures.grid import rgb
from galgen.system.files import written_aside
from galgen.training.config import TrainConfig

ASKED = {
    "half_light_radius_pix": "HALF_LIGHT_RADIUS",
    "axis_ratio": "AXIS_RATIO",
}
COLUMNS, LABEL, GAP = 8, 18, 4
GREY, WHITE = (24, 24, 24), (235, 235, 235)
GENERATED, REAL = "generated", "real"


def choose(stamps: StampSet, category: str, n: int, seed: int) -> StampSet:
    """Choose n held-out galaxies of a category, or of what is below it, by lot."""
    _, held_out = split(stamps, TrainConfig.validation)
    code = stamps.tree.get(category).code
    rows = np.flatnonzero(stamps.tree.are_below(held_out.category, code))
    if len(rows) < n:
        raise typer.BadParameter(f"{len(rows)} held-out galaxies of {category}, {n} are asked for")
    return held_out.select(np.random.default_rng(seed).permutation(rows)[:n])


def write_table(path: Path, real: StampSet) -> None:
    """Write what is asked of the generated galaxies: what was measured of the real ones."""
    measured = {k: v.numpy() for k, v in measure(real.flux(), real.bands).items()}
    asked = ASKED | {k.lower(): k for k in measured if k.startswith("COLOR_")}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["category", *asked])
        for i, code in enumerate(real.category.tolist()):
            values = (measured[column][i] for column in asked.values())
            cells = [f"{value:.5g}" if np.isfinite(value) else "" for value in values]
            writer.writerow([real.tree.get(code).name, *cells])


def generate_like(
    model: GalaxyModel, real: StampSet, seed: int, sampling: Sampling | None
) -> np.ndarray:
    """Return display values (n, h, w, b) of generated galaxies, one like each of the real ones."""
    with TemporaryDirectory() as folder:
        table = Path(folder) / "asked.csv"
        write_table(table, real)
        run = model.like(table, seed=seed, sampling=sampling)
        path = write_catalog(Path(folder) / "made.fits", run, run.info)
        with CatalogFile(path) as catalog:
            stamps = catalog.stamps()
            return to_display(stamps, display_stretch(catalog.info, stamps))


def draw(images_nhwc: np.ndarray, scale: int) -> Image.Image:
    """Draw 8-bit RGB images with their numbers, from 1."""
    side = images_nhwc.shape[1] * scale
    rows = -(-len(images_nhwc) // COLUMNS)
    size = COLUMNS * (side + GAP) - GAP, rows * (side + LABEL + GAP) - GAP
    sheet = Image.new("RGB", size, GREY)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for i, image in enumerate(images_nhwc):
        left, top = (i % COLUMNS) * (side + GAP), (i // COLUMNS) * (side + LABEL + GAP)
        pen.text((left + 3, top + 1), str(i + 1), fill=WHITE, font=font)
        tile = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        sheet.paste(tile, (left, top + LABEL))
    return sheet


def count_right(key: list[str], answers: list[str]) -> int:
    """Count how many were sorted right; any beginning of a word will do, such as g and r."""
    if len(answers) != len(key) or not all(answers):
        raise typer.BadParameter(f"{len(answers)} answers to {len(key)} galaxies")
    return sum(right.startswith(said.lower()) for right, said in zip(key, answers, strict=True))


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled training data.")],
    key: Annotated[Path, typer.Option(help="JSON that says which is which.")],
    sheet: Annotated[Path | None, typer.Option(help="PNG to write.")] = None,
    answers: Annotated[Path | None, typer.Option(help="Judgements, to be counted.")] = None,
    category: str = "spiral",
    n: Annotated[int, typer.Option(help="Galaxies of each kind.")] = 24,
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    sampler: Annotated[str | None, typer.Option(help="Default: what suits the weights.")] = None,
    steps: int | None = None,
    guidance: float = Sampling.guidance,
    scale: Annotated[int, typer.Option(help="Enlargement.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the choice, the order and the galaxies.")] = 0,
) -> None:
    """Write a sheet and its key, or count how many answers are right."""
    if answers is not None:
        kinds = [galaxy["kind"] for galaxy in json.loads(key.read_text())["galaxies"]]
        words = [line.split()[-1] for line in answers.read_text().splitlines() if line.split()]
        print(f"{count_right(kinds, words)} of {len(kinds)} are right")
        return
    if sheet is None:
        raise typer.BadParameter("give --sheet to write one, or --answers to count")
    real = choose(concatenate([open_stamps(path) for path in data]), category, n, seed)
    model = load_model(weights)
    sampling = model.sampling(**given(sampler=sampler, steps=steps), guidance=guidance)
    made = generate_like(model, real, seed, sampling)
    images = np.concatenate([rgb(made), rgb(real.native_float().numpy())])
    names = [[GENERATED, i] for i in range(n)] + [[REAL, str(name)] for name in real.ids]
    order = np.random.default_rng((seed, 1)).permutation(2 * n)
    galaxies = [
        {"number": k + 1, "kind": names[i][0], "id": names[i][1]} for k, i in enumerate(order)
    ]
    record = environment() | {
        "weights_sha256": model.checkpoint.sha256,
        "sampling": asdict(sampling) | {"seed": seed},
        "category": category,
        "galaxies": galaxies,
    }
    with written_aside(sheet) as aside:
        draw(images[order], scale).save(aside, format="PNG")
    with written_aside(key) as aside:
        aside.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
