"""How well weights denoise held-out galaxies, level by level of the noise.

``python -m bench.by_sigma DATA... --teach MORE --weights FOLDER --out bench/results/by-sigma.json``

The squared error of D over sigma^2, in the middle 40 x 40 pixels, for spirals and for all others
that `galgen train` holds out of the same files. 1 would be an error as large as the noise. Unlike
the training loss it compares networks of different preconditioning and noise distributions. With
``--seen`` the galaxies are those that the weights were trained on: where they are no better known
than the held-out ones, a larger network or a longer run will not learn them by heart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from bench import record
from galgen import categories
from galgen.data import StampSet, held_out
from galgen.diffusion.denoiser import Denoiser
from galgen.model.embedding import Condition
from galgen.pixels.space import PixelSpace
from galgen.request.population import Population
from galgen.training.cache import cache_folder
from galgen.training.config import TrainConfig
from galgen.training.gather import gather
from galgen.training.measured import measured_properties
from galgen.weights import SHIPPED_WEIGHTS
from galgen.weights.checkpoint import load

SIGMAS = (0.03, 0.1, 0.2, 0.4, 0.8, 1.6, 4.0)
MIDDLE = slice(12, 52)
PER_KIND = 128
_MICRO_BATCH = 32


def loss_by_sigma(
    denoiser: Denoiser,
    space: PixelSpace,
    stamps: StampSet,
    z_np: np.ndarray,
    most: int = PER_KIND,
) -> dict[str, dict[str, float]]:
    """Mean relative squared error by kind of galaxy and noise level.

    Parameters
    ----------
    denoiser : Denoiser
        In evaluation mode.
    space : PixelSpace
        That it was trained in: errors of the same space only can be compared.
    stamps : StampSet
        Galaxies that it has not seen.
    z_np : ndarray (N, P)
        Their standardised properties.
    most : int
        Galaxies of a kind.
    """
    found: dict[str, dict[str, float]] = {}
    for kind, rows in judged(stamps, most).items():
        mean = relative_errors(denoiser, space, stamps, z_np, rows).mean(0)
        found[kind] = {"galaxies": float(len(rows))}
        found[kind] |= {str(s): float(e) for s, e in zip(SIGMAS, mean, strict=True)}
    return found


def judged(stamps: StampSet, most: int = PER_KIND) -> dict[str, np.ndarray]:
    """Rows of the galaxies that are looked at, by kind."""
    tree = [c.code for c in categories.descendants(categories.get("spiral"))]
    spiral_n = np.isin(stamps.category, tree)
    kinds = {"spiral": np.flatnonzero(spiral_n), "other": np.flatnonzero(~spiral_n)}
    return {kind: rows[:most] for kind, rows in kinds.items()}


def relative_errors(
    denoiser: Denoiser, space: PixelSpace, stamps: StampSet, z_np: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Relative squared error of each galaxy at each level of `SIGMAS`, float64 (n, levels).

    The noise of a galaxy at a level is the same whatever the network.
    """
    parts = [rows[i : i + _MICRO_BATCH] for i in range(0, len(rows), _MICRO_BATCH)]
    columns = [
        torch.cat([_errors(denoiser, space, stamps, z_np, part, sigma) for part in parts])
        for sigma in SIGMAS
    ]
    return torch.stack(columns, 1).double().numpy() / np.square(SIGMAS)


@torch.inference_mode()
def _errors(
    denoiser: Denoiser,
    space: PixelSpace,
    stamps: StampSet,
    z_np: np.ndarray,
    rows: np.ndarray,
    sigma: float,
) -> torch.Tensor:
    x_nhwc = space.encode(stamps.native_float(rows))
    generator = torch.Generator().manual_seed(int(rows[0]) * 1000 + round(100 * sigma))
    noise_nhwc = torch.randn(x_nhwc.shape, generator=generator)
    code_b = torch.from_numpy(stamps.category[rows].astype(np.int64))
    condition = Condition(code_b, torch.from_numpy(z_np[rows]))
    denoised = denoiser(x_nhwc + sigma * noise_nhwc, torch.full((len(rows),), sigma), condition)
    return (denoised - x_nhwc)[:, MIDDLE, MIDDLE].square().mean((1, 2, 3))


def held_out_galaxies(
    data: list[Path], teach: list[Path], population: Population, *, seen: bool = False
) -> tuple[StampSet, np.ndarray]:
    """Galaxies that `galgen train` holds out, or as many others, and their standardised properties.

    The others are taken evenly from all files, so that they are of the same kinds.
    """
    stamps = gather(data, teach, None, None)
    rows = np.flatnonzero(held_out(stamps, TrainConfig.validation) != seen)
    stamps = stamps.select(rows[:: round(1 / TrainConfig.validation) - 1] if seen else rows)
    values_np = measured_properties(stamps, population.names, folders=[cache_folder()])
    return stamps, population.standardised(values_np)


def main(
    data: Annotated[list[Path], typer.Argument(help="Training data.")],
    teach: Annotated[list[Path] | None, typer.Option(help="Data that only teaches.")] = None,
    weights: Annotated[list[Path] | None, typer.Option(help="Default: those shipped.")] = None,
    seen: Annotated[bool, typer.Option("--seen", help="Of training galaxies.")] = False,
    most: Annotated[int, typer.Option("--galaxies", help="Of a kind.")] = PER_KIND,
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
) -> None:
    """Print and record the errors of each set of weights."""
    results = {}
    for folder in weights or [SHIPPED_WEIGHTS]:
        loaded = load(folder)
        galaxies = held_out_galaxies(data, teach or [], loaded.population, seen=seen)
        errors = loss_by_sigma(loaded.denoiser, loaded.space, *galaxies, most)
        results[folder.name] = {"images_seen": loaded.card.get("images_seen"), "errors": errors}
        for kind, by_sigma in errors.items():
            print(folder.name, kind, {name: round(value, 4) for name, value in by_sigma.items()})
        record.save(out, {"weights": results})


if __name__ == "__main__":
    typer.run(main)
