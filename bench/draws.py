"""Draw stamps by any solver and noise levels, also from real galaxies with some noise added."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.matched_sets import Galaxies, measure_images, to_8bit
from galgen.diffusion.combination import Combination, LazyDenoiser, StampSpace
from galgen.diffusion.guidance import guided
from galgen.diffusion.samplers import get_sampler
from galgen.diffusion.schedule import karras_sigmas
from galgen.generate import GalaxyModel
from galgen.generate.sampling import DTYPES
from galgen.model.embedding import Condition
from galgen.noise import Stream
from galgen.pictures.display import to_display
from galgen.pixels.lupton import lupton_preset
from galgen.request.mixture import Request, parse_mixture

MICRO_BATCH = 32


def levels(
    steps: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0
) -> Tensor:
    """Noise levels of Karras et al. 2022; the defaults are those of the shipped weights."""
    return karras_sigmas(steps, sigma_min, sigma_max, rho)


def gaussian_response(sampler: str, sigmas: Tensor, deviation: float) -> float:
    """Return the standard deviation of what a solver makes of Gaussian pixels, over the right one.

    The denoiser is the exact one, D = x n^2 / (n^2 + sigma^2) for pixels of standard deviation n in
    model space: what is missing is the fault of the solver and its steps alone.
    """
    count = len(sigmas)
    x = torch.zeros(count + 1, dtype=torch.float64)
    x[0] = sigmas[0]

    def denoise(x: Tensor, sigma: float) -> Tensor:
        return x * (deviation**2 / (deviation**2 + sigma**2))

    def noise(step: int) -> Tensor:
        return torch.eye(count + 1, dtype=torch.float64)[step + 1]

    return float(get_sampler(sampler)(denoise, x, sigmas, noise=noise).norm()) / deviation


def draw(
    model: GalaxyModel,
    request: str,
    n: int,
    seed: int,
    sampler: str,
    sigmas: Tensor,
    dtype: str = "float32",
    start_nhwc: Tensor | None = None,
    population: bool = True,
) -> Tensor:
    """Stamps in model space, on the CPU.

    Parameters
    ----------
    model : GalaxyModel
    request : str
        Category or mixture.
    n, seed : int
        Galaxies 0 to n - 1 of a seed: the same noise as in a catalogue.
    sampler : str
    sigmas : Tensor
        Noise levels, the last of which may be 0.
    dtype : str
        Precision of the network.
    start_nhwc : Tensor, optional
        Clean stamps in model space to which noise of the first level is added, in place of nothing.
    population : bool
        Draw properties from the training population; otherwise they are hidden.
    """
    loaded = model.checkpoint
    asker = Request(parse_mixture(request), {}, seed, population)
    denoiser = loaded.denoiser
    if dtype != "float32":
        denoiser = denoiser.cast(DTYPES[dtype])
    shape = loaded.size, loaded.size, len(loaded.space.bands)
    made = []
    for first in range(0, n, MICRO_BATCH):
        index_n = torch.arange(first, min(first + MICRO_BATCH, n))
        asked = asker.ask(loaded.population, index_n)
        condition = Condition(asked.code_n, asked.z_np)
        stamps = StampSpace(seed, index_n, shape)
        denoise = LazyDenoiser(denoiser, stamps, DTYPES[dtype])
        asked_denoise = guided(denoise, condition, condition.unconditional(), 1.0)

        def noise(step: int, stamps: StampSpace = stamps) -> Combination:
            return stamps.noise(Stream.SAMPLER_STEP.at(step))

        with torch.inference_mode():
            x = stamps.noise(Stream.INITIAL_NOISE) * float(sigmas[0])
            if start_nhwc is not None:
                x = x + Combination(stamps, {start_nhwc[index_n].contiguous(): 1.0}, {})
            made.append(
                get_sampler(sampler)(asked_denoise, x, sigmas, noise=noise).tensor().clone()
            )
    return torch.cat(made)


def cached_draw(cache: Path, model: GalaxyModel, *arguments: Any, **options: Any) -> Tensor:
    """`draw`, from the folder `cache` where it is known."""
    key = repr((model.checkpoint.sha256, arguments, sorted(options.items())))
    path = cache / f"draw-{hashlib.sha256(key.encode()).hexdigest()[:20]}.npy"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, draw(model, *arguments, **options).numpy())
    return torch.from_numpy(np.load(path))


def galaxies(model: GalaxyModel, x_nhwc: Tensor) -> Galaxies:
    """8-bit images and measured columns of stamps in model space, by way of flux."""
    space = model.checkpoint.space
    flux_nbhw = space.to_flux(x_nhwc).movedim(-1, 1).numpy()
    images = to_8bit(to_display(flux_nbhw, lupton_preset(space.lupton, space.bands)))
    return Galaxies(images, measure_images(images, space.lupton, space.bands))
