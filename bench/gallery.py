"""Draw real galaxies of each category beside generated ones, as they come.

``python -m bench.gallery docs/gallery.webp``

The real ones are those of the tests (`tests/fixtures/README.md`), whose categories make the rows.
The generated ones are the first of a seed of each category's own, by the default sampler: nobody
chose them.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from PIL import Image, ImageDraw, ImageFont

import galgen
from galgen import categories

REAL = Path(__file__).parents[1] / "tests" / "fixtures" / "galaxies64.zip"
REAL_COLUMNS, GAP, LABEL_HEIGHT = 3, 12, 22  # the gap lies between real and generated ones
GREY, WHITE = (24, 24, 24), (235, 235, 235)


def images_by_category(path: Path) -> dict[str, list[Image.Image]]:
    """Images of a zipped image folder, in the order of their names."""
    images = defaultdict(list)
    with zipfile.ZipFile(path) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
        for name in sorted(names, key=lambda name: (name.parent, len(name.stem), name.stem)):
            if name.suffix in (".png", ".webp"):
                with archive.open(str(name)) as file:
                    images[str(name.parent)].append(Image.open(file).convert("RGB"))
    return images


def generate(category: str, n: int, seed: int, weights: Path | None) -> list[Image.Image]:
    """Images of the first n galaxies of a seed, in the display stretch of the weights."""
    run = galgen.load_model(weights).generate(category, n, seed=seed)
    with TemporaryDirectory() as folder:
        catalog, images = Path(folder) / "catalog.fits", Path(folder) / "images.zip"
        galgen.write_catalog(catalog, run, run.info)
        galgen.export_imagefolder(catalog, images)
        return images_by_category(images)[category]


def rows_of(
    columns: int, seed: int, weights: Path | None
) -> dict[str, tuple[list[Image.Image], list[Image.Image]]]:
    """Real and generated galaxies of each category that the tests have real ones of."""
    real = images_by_category(REAL)
    code = {name: categories.get(name).code for name in real}
    return {
        name: (real[name], generate(name, columns, seed + code[name], weights))
        for name in sorted(real, key=code.get)
    }


def draw(
    rows: dict[str, tuple[list[Image.Image], list[Image.Image]]], columns: int, scale: int
) -> Image.Image:
    """Draw real and generated galaxies of each category in a row under the category's name."""
    side = scale * next(iter(rows.values()))[0][0].width
    width = (REAL_COLUMNS + columns) * side + GAP
    sheet = Image.new("RGB", (width, len(rows) * (side + LABEL_HEIGHT)), GREY)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    generated_at = REAL_COLUMNS * side + GAP
    for row, (category, (real, generated)) in enumerate(rows.items()):
        top = row * (side + LABEL_HEIGHT)
        pen.text((3, top + 2), f"{category}: real", fill=WHITE, font=font)
        pen.text((generated_at + 3, top + 2), "generated", fill=WHITE, font=font)
        for first, images in ((0, real[:REAL_COLUMNS]), (generated_at, generated[:columns])):
            for column, image in enumerate(images):
                tile = image.resize((side, side), Image.Resampling.NEAREST)
                sheet.paste(tile, (first + column * side, top + LABEL_HEIGHT))
    return sheet


def main(
    out: Annotated[Path, typer.Argument(help="Picture to write, such as gallery.webp.")],
    columns: Annotated[int, typer.Option(help="Generated galaxies of each category.")] = 8,
    scale: Annotated[int, typer.Option(help="Enlargement.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the root; others add their code.")] = 0,
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
) -> None:
    """Draw generated galaxies of each category beside real ones."""
    draw(rows_of(columns, seed, weights), columns, scale).save(out, quality=88, method=6)


if __name__ == "__main__":
    typer.run(main)
