"""How much of being told apart is rounding? Real galaxies with noise of less than a grey level.

``python -m bench.rounding galaxies64-train.zip --out bench/results/rounding.json``

Real 8-bit galaxies get white noise of some deviation, are rounded again, and a classifier tells
them from other real ones, or does not (`galgen.evaluation.two_sample`). Noise of 1 / sqrt(12) =
0.29 levels is as strong as that of rounding: what a network adds that has learned rounded images
perfectly, when its own are rounded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bench.matched_sets import to_8bit
from bench.record import save
from galgen.data import concatenate, open_stamps
from galgen.evaluation.embedding import load_embedding, oriented
from galgen.evaluation.two_sample import separation

DEVIATIONS = (0.0, 12**-0.5, 0.5, 1.0)  # grey levels


def main(
    data: Annotated[list[Path], typer.Argument(help="Real galaxies, display images.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    n: Annotated[int, typer.Option(help="Galaxies of each of the two sets.")] = 256,
    seed: int = 0,
) -> None:
    """Write AUCs by the deviation of the noise as JSON and print them."""
    stamps = concatenate([open_stamps(path) for path in data])
    rng = np.random.default_rng(seed)
    first, second = rng.permutation(len(stamps))[: 2 * n].reshape(2, n)
    embedding = load_embedding()
    real = embedding.features(oriented(stamps.pixels[second], seed))
    found: dict[str, Any] = {}
    results = {"n": n, "seed": seed, "data": [path.name for path in data], "noise": found}
    for deviation in DEVIATIONS:
        noise = rng.normal(0, deviation, stamps.pixels[first].shape)
        noisy = to_8bit((stamps.pixels[first] + noise) / 255)
        features = embedding.features(oriented(noisy, seed))
        found[f"{deviation:.2f}"] = {
            space: separation(features[space], real[space], seed).to_json() for space in real
        }
        typer.echo(f"{deviation:.2f} levels: {found[f'{deviation:.2f}']}")
    save(out, results)


if __name__ == "__main__":
    typer.run(main)
