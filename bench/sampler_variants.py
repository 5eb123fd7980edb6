"""What solver, steps, noise levels and precision do to the pixels of generated galaxies.

``python -m bench.sampler_variants galaxies64-train.zip --cache FOLDER --out out.json``

Two experiments. *Gaussian*: what solvers make of Gaussian pixels if the denoiser is exact; no
network is in it. *Variants*: the same galaxies (seed and indices) by other solvers, levels and
precision; sky noise and power beside those of the real ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bench import draws, matched_sets
from bench.pixel_statistics import statistics
from bench.record import save
from galgen import load_model
from galgen.data import concatenate, open_stamps
from galgen.diffusion.samplers import SAMPLERS

DEVIATIONS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0)
GAUSSIAN = [
    *((name, {"steps": steps}) for name in SAMPLERS for steps in (16, 32, 64, 128)),
    *(
        (name, {"steps": 32} | levels)
        for name in ("ddpm", "dpmpp-2m", "unipc", "sde-dpmpp-2m")
        for levels in (
            {"rho": 3.0},
            {"rho": 5.0},
            {"rho": 9.0},
            {"sigma_min": 0.005},
            {"sigma_min": 0.01},
            {"sigma_min": 0.02},
            {"sigma_max": 20.0},
            {"sigma_max": 40.0},
        )
    ),
]
VARIANTS: list[tuple[str, str, dict[str, float]]] = [
    ("unipc", "float32", {"steps": 64}),  # the one that the others are compared with
    ("ddpm", "float32", {"steps": 32}),
    ("dpmpp-2m", "float32", {"steps": 32}),
    ("unipc", "float32", {"steps": 32}),
    ("dpmpp-2m", "bfloat16", {"steps": 32}),
    ("sde-dpmpp-2m", "float32", {"steps": 32}),
    ("dpmpp-2m", "float32", {"steps": 32, "sigma_min": 0.01}),
    ("dpmpp-2m", "float32", {"steps": 32, "sigma_min": 0.02}),
    ("dpmpp-2m", "float32", {"steps": 32, "sigma_max": 20.0}),
    ("dpmpp-2m", "float32", {"steps": 32, "rho": 4.0}),
    ("heun", "float32", {"steps": 16}),
    ("ipndm", "float32", {"steps": 16}),
    ("ddpm", "float32", {"steps": 64}),
]
SHOWN = ("sky_noise_g", "sky_noise_r", "sky_noise_i", "sky_level_g", "zeros", "ring_inner_scatter")
POWERS = ("power_corner_grey_", "power_corner_colour_", "power_middle_grey_")


def pixels(numbers: dict[str, np.ndarray]) -> dict[str, float]:
    """Medians of the statistics that noise shows in."""
    names = [name for name in numbers if name in SHOWN or name.startswith(POWERS)]
    return {name: round(float(np.nanmedian(numbers[name])), 4) for name in names}


def gaussian() -> list[dict[str, Any]]:
    """Return the standard deviation that comes out over the right one, by solver and deviation."""
    rows = []
    for name, options in GAUSSIAN:
        sigmas = draws.levels(**options)
        values = [round(draws.gaussian_response(name, sigmas, n), 3) for n in DEVIATIONS]
        rows.append({"sampler": name, **options, "response": values})
    return rows


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled real galaxies, display images.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    cache: Annotated[Path, typer.Option(help="Folder for generated stamps.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    group: str = "spiral",
    n: Annotated[int, typer.Option(help="Galaxies of each variant.")] = 8,
) -> None:
    """Write both experiments as JSON."""
    stamps = concatenate([open_stamps(path) for path in data])
    model = load_model(weights, "cpu")
    sets = matched_sets.real_sets(stamps, group, 160, 0)
    real = matched_sets.real(stamps, sets.first)
    results: dict[str, Any] = {
        "weights_sha256": model.checkpoint.sha256,
        "seed": 0,
        "deviations": DEVIATIONS,
        "gaussian": gaussian(),
        "group": group,
        "real": {"n": len(real)}
        | pixels(statistics(real.images_nhwc, real.measured, stamps.bands)),
        "variants": [],
    }
    save(out, results)
    converged = None
    for sampler, dtype, options in VARIANTS:
        sigmas = draws.levels(**options)
        x = draws.cached_draw(cache, model, group, n, 0, sampler, sigmas, dtype)
        made = draws.galaxies(model, x)
        numbers = statistics(made.images_nhwc, made.measured, stamps.bands)
        converged = x if converged is None else converged
        row = {"sampler": sampler, "dtype": dtype, **options, "n": n, **pixels(numbers)}
        row["rms_from_first_variant"] = round(float((x - converged).square().mean().sqrt()), 4)
        results["variants"].append(row)
        save(out, results)


if __name__ == "__main__":
    typer.run(main)
