"""How well galaxies that overlap are taken apart with the score as the prior: the truth is known.

``python -m bench.deblend [galaxies64-train.zip] --out out.json``, from the top of the repository

What ``examples/deblend.py`` does, for more pairs and several noise levels: pairs of generated
galaxies, which are of the prior itself, and, given DATA, of real ones that were held out.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from bench.record import save
from examples import deblend
from galgen import load_model
from galgen.data import open_stamps, split
from galgen.training.config import TrainConfig

NOISES = (0.02, 0.05, 0.2)  # per pixel, in the flux unit of the weights


def real_pairs(data: Path, n: int) -> Tensor:
    """Return the flux of n pairs of held-out galaxies of the categories of the example."""
    _, held_out = split(open_stamps(data), TrainConfig.validation)
    sides = []
    for category in deblend.CATEGORIES:
        rows = held_out.tree.are_below(held_out.category, category).nonzero()[0][:n]
        sides.append(held_out.flux(rows).movedim(-1, 1))
    return torch.stack(sides, dim=1)


def summary(of_pixels: Tensor, of_flux: Tensor) -> dict[str, dict[str, float]]:
    """Return the median errors of each galaxy of a pair, to three digits."""
    return {
        category: {
            "pixels": round(of_pixels[:, k].median().item(), 3),
            "flux": round(of_flux[:, k].median().item(), 3),
        }
        for k, category in enumerate(deblend.CATEGORIES)
    }


def main(
    data: Annotated[Path | None, typer.Argument(help="Labelled real galaxies.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    n: Annotated[int, typer.Option(help="Pairs of each kind.")] = 16,
    steps: int = 20,
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
) -> None:
    """Take pairs apart and write the errors as JSON."""
    torch.set_num_threads(1)
    model = load_model(weights, "cpu")
    kinds = {"generated": deblend.make_galaxies(model, n)}
    if data is not None:
        kinds["real, held out"] = real_pairs(data, n)
    about = {"weights_sha256": model.checkpoint.sha256, "steps": steps}
    about |= {"shift": deblend.SHIFT, "errors": "median, as parts of the truth"}
    rows: list[dict[str, Any]] = []
    for kind, truth in kinds.items():
        for noise in NOISES:
            start = perf_counter()
            found = deblend.compare(model, truth, noise, steps)
            row = {"galaxies": kind, "pairs": len(truth), "noise": noise}
            row["seconds per pair"] = round((perf_counter() - start) / len(truth), 1)
            rows.append(row | {way: summary(*errors) for way, errors in found.items()})
            print(rows[-1], flush=True)
            save(out, about | {"rows": rows})


if __name__ == "__main__":
    typer.run(main)
