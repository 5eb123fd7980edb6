"""Which pixels make generated galaxies asymmetric? Real ones brought back from noise, in part.

``python -m bench.asymmetry galaxies64-train.zip --out bench/results/asymmetry.json``

Real galaxies get noise of one level and are brought back by a solver. Then only pixels of some
brightness are taken from what came back, all others from the real galaxy, and the asymmetry is
measured: the column that is furthest off in catalogues.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.ndimage import uniform_filter

from bench import draws, matched_sets
from bench.record import save
from galgen import load_model
from galgen.data import concatenate, open_stamps

EDGES = (0.0, 0.08, 0.16, 0.3, 0.5, 0.7, 1.0)  # display values; the sky is about 0.03
SMOOTHED = 5  # pixels, so that a range is an area of the galaxy and not single noisy pixels
LEVELS, LAST, STEPS, SEED = (0.1, 0.3, 1.0), 0.05, 12, 0


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled real galaxies, display images.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Categories.")] = None,
    n: Annotated[int, typer.Option(help="Galaxies of a category.")] = 128,
) -> None:
    """Write median asymmetries by category, level and brightness as JSON and print them."""
    stamps, model = concatenate([open_stamps(path) for path in data]), load_model(weights, "cpu")
    space = model.checkpoint.space
    found: dict[str, Any] = {}

    def median(images_nhwc: np.ndarray) -> float:
        measured = matched_sets.measure_images(images_nhwc, space.lupton, space.bands)
        return float(np.nanmedian(measured["ASYMMETRY"]))

    results = {
        "weights_sha256": model.checkpoint.sha256,
        "n": n,
        "steps": STEPS,
        "last": LAST,
        "edges": EDGES,
        "asymmetry": found,
    }
    for name in group or ("round-smooth", "spiral"):
        chosen = matched_sets.real_sets(stamps, name, 160, SEED).first[:n]
        real_nhwc = stamps.pixels[chosen]
        clean_nhwc = space.encode(stamps.native_float(chosen))
        size = (1, SMOOTHED, SMOOTHED)
        brightness_nhw = uniform_filter(real_nhwc.mean(-1) / 255, size, mode="nearest")
        found[name] = {"real": median(real_nhwc)}
        for level in LEVELS:
            sigmas = draws.levels(STEPS, LAST, level)
            x_nhwc = draws.draw(model, name, n, SEED, "unipc", sigmas, "float32", clean_nhwc, False)
            back_nhwc = draws.galaxies(model, x_nhwc).images_nhwc
            row = {"all": median(back_nhwc)}
            for low, high in pairwise(EDGES):
                taken = (brightness_nhw >= low) & (brightness_nhw < high)
                mixed_nhwc = np.where(taken[..., None], back_nhwc, real_nhwc)
                row[f"{low} to {high}"] = median(mixed_nhwc)
            found[name][str(level)] = row
            typer.echo(f"{name}, real {found[name]['real']:.3f}, noise {level}: {row}")
            save(out, results)


if __name__ == "__main__":
    typer.run(main)
