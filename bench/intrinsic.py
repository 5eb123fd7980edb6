"""Do galaxies come out without their PSF? Discs of known size, seen through one, and what is made.

``python -m bench.intrinsic --out out.json``

A small network is trained by `galgen.training.intrinsic` on exponential discs that were seen
through a Gaussian PSF about as wide as they are large, with noise. Half-light radii, concentrations
and axis ratios, all measured by `galgen.measure`: of the discs, of their images, of the galaxies
that each round drew, and of those that the network makes.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from bench.record import save
from galgen import Sampling, load_model
from galgen.data import open_stamps
from galgen.measure import measure
from galgen.training.config import Preset, TrainConfig
from galgen.training.intrinsic import ROUNDS, train_intrinsic
from galgen.training.presets import GALAXY_NOISE, tiny
from tests.discs import discs, observe, write_flux

GALAXIES, SIDE, MADE = 1024, 32, 256
RADIUS, FLUX = (2.0, 4.0), (60.0, 400.0)  # pixels, nanomaggies
FWHM, NOISE, SCALE = 3.5, 0.05, 0.4  # pixels, nanomaggies, arcsec per pixel
COLUMNS = ("HALF_LIGHT_RADIUS", "CONCENTRATION", "AXIS_RATIO")


def preset(images: int) -> Preset:
    """Return the smallest network, for a run of some minutes."""
    train = TrainConfig(images=images, batch=32, warmup=500, learning_rate=2e-3)
    return dataclasses.replace(tiny(), diffusion=GALAXY_NOISE, train=train)


def shapes(flux_nhwb: Tensor) -> dict[str, Any]:
    """Quartiles of what is measured of galaxies, and how many cannot be."""
    measured = measure(flux_nhwb, ("r",))
    found = {name: measured[name].numpy() for name in COLUMNS}
    of_all = {
        name.lower(): [round(float(q), 4) for q in np.nanpercentile(values, (5, 25, 50, 75, 95))]
        for name, values in found.items()
    }
    return {**of_all, "not_measured": int(np.isnan(found[COLUMNS[0]]).sum())}


def main(
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    images: Annotated[int, typer.Option(help="Training images, of all rounds.")] = 24_000,
) -> None:
    """Train on blurred discs, and measure what comes out."""
    torch.set_num_threads(1)
    truth = discs(GALAXIES, SIDE, RADIUS, FLUX)
    seen = observe(truth, FWHM, NOISE)
    results: dict[str, Any] = {
        "what": {
            "galaxies": GALAXIES,
            "psf_fwhm_pixels": FWHM,
            "noise": NOISE,
            "images": images,
            "rounds": ROUNDS,
        },
        "percentiles": [5, 25, 50, 75, 95],
        "truth": shapes(truth),
        "observed": shapes(seen),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = write_flux(folder / "discs.h5", seen, SCALE)
        begun = time.monotonic()
        trained = train_intrinsic(
            [data],
            preset(images),
            folder / "run",
            psf_fwhm=(FWHM * SCALE,),
            noise=(NOISE,),
            workers=1,
            device="cpu",
        )
        results["training_seconds"] = round(time.monotonic() - begun, 1)
        for k in range(1, ROUNDS + 1):
            drawn = open_stamps(folder / "run" / f"galaxies-{k}.h5").flux()
            error = (drawn - truth).square().mean().sqrt() / truth.square().mean().sqrt()
            results[f"drawn_{k}"] = {**shapes(drawn), "relative_error": round(float(error), 4)}
        save(out, results)
        weights = [folder / "run" / f"round-{k}" / "weights" for k in range(1, ROUNDS)]
        for k, path in enumerate([*weights, trained.weights], 1):
            run = load_model(path, "cpu").generate("galaxy", MADE, sampling=Sampling(steps=24))
            made = np.concatenate([batch.stamps_nbhw for batch in run])
            results[f"made_{k}"] = shapes(torch.from_numpy(made).permute(0, 2, 3, 1).float())
        save(out, results)
    for name, found in results.items():
        if isinstance(found, dict) and "half_light_radius" in found:
            typer.echo(f"{name:10} {found}")


if __name__ == "__main__":
    typer.run(main)
