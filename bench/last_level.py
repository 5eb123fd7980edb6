"""At which noise level should a sampler take its last step? Real galaxies brought back from noise.

``python -m bench.last_level galaxies64-train.zip --out bench/results/last-level.json``

Real galaxies get noise of one level and are brought back by a solver that stops, by its last step
to no noise, at one level or another. A classifier then tells them from other real ones, or does
not. Below the level at which the network tells detail from noise it leaves noise in; far above it,
detail is lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench import draws, matched_sets
from bench.record import save
from bench.why_told_apart import told_apart
from galgen import load_model
from galgen.data import concatenate, open_stamps
from galgen.evaluation.embedding import load_embedding

LAST = (0.005, 0.02, 0.05, 0.1, 0.2)
LEVEL, STEPS, SEED = 0.3, 12, 0


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled real galaxies, display images.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Categories.")] = None,
    n: Annotated[int, typer.Option(help="Galaxies of each of the two sets.")] = 128,
) -> None:
    """Write AUCs by category and last level as JSON and print them."""
    stamps, model = concatenate([open_stamps(path) for path in data]), load_model(weights, "cpu")
    embedding, found = load_embedding(), {}
    results: dict[str, Any] = {
        "weights_sha256": model.checkpoint.sha256,
        "level": LEVEL,
        "steps": STEPS,
        "n": n,
        "auc": found,
    }
    for name in group or ("round-smooth", "spiral"):
        sets = matched_sets.real_sets(stamps, name, 160, SEED)
        first, second = sets.first[:n], sets.second[:n]
        clean_nhwc = model.checkpoint.space.encode(stamps.native_float(second))
        found[name] = {"none": told_apart(embedding, stamps.pixels[second], stamps.pixels[first])}
        for last in LAST:
            sigmas = draws.levels(STEPS, last, LEVEL)
            x_nhwc = draws.draw(model, name, n, SEED, "unipc", sigmas, "float32", clean_nhwc, False)
            images = draws.galaxies(model, x_nhwc).images_nhwc
            found[name][str(last)] = told_apart(embedding, images, stamps.pixels[first])
            typer.echo(f"{name}, to {last}: {found[name][str(last)]}")
            save(out, results)


if __name__ == "__main__":
    typer.run(main)
