"""Galaxies of given labels, made in one way: sampler, guidance, guide, precision."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench import draws
from bench.matched_sets import Galaxies, measure_images
from galgen.diffusion.combination import (
    Combination,
    LazyDenoiser,
    StampSpace,
    lazy_finisher,
)
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.finishing import solve
from galgen.diffusion.guidance import guided
from galgen.diffusion.samplers import get_sampler
from galgen.generate import GalaxyModel
from galgen.generate.sampling import DTYPES, Sampling
from galgen.model.embedding import Condition
from galgen.noise import Stream
from galgen.request.mixture import Request
from galgen.request.population import Population


def asked_of(population: Population, code_n: np.ndarray, seed: int) -> Condition:
    """Ask for galaxies of given labels, with properties drawn from the population."""
    z_np = np.empty((len(code_n), len(population.names)), np.float32)
    for code in np.unique(code_n):
        rows = np.flatnonzero(code_n == code)
        request = Request(((int(code), 1.0),), {}, seed, True, population.tree)
        z_np[rows] = request.ask(population, torch.from_numpy(rows)).z_np.numpy()
    return Condition(torch.from_numpy(code_n), torch.from_numpy(z_np))


def sample(
    denoiser: Denoiser,
    condition: Condition,
    seed: int,
    shape: tuple[int, int, int],
    sampling: Sampling,
    guide: Denoiser | None = None,
) -> Tensor:
    """Draw stamps in model space, float32 (n, h, w, bands).

    Parameters
    ----------
    denoiser : Denoiser
    condition : Condition
        What is asked of galaxies 0 to n - 1 of the seed.
    seed : int
    shape : tuple of int
        Height, width and bands.
    sampling : Sampling
        Its guidance leads away from nothing asked for (Ho & Salimans 2022) or from the guide.
    guide : Denoiser, optional
        A worse model, asked for the same (autoguidance, Karras et al. 2024, arXiv:2406.02507).
    """
    dtype, made = DTYPES[sampling.dtype], []
    sigmas = sampling.sigmas(denoiser)
    networks = [n.cast(dtype) for n in (denoiser, guide or denoiser)]
    for start in range(0, len(condition.category_n), sampling.micro_batch):
        few = slice(start, start + sampling.micro_batch)
        here = Condition(condition.category_n[few], condition.properties_np[few])
        away = here if guide else here.unconditional()
        stamps = StampSpace(seed, torch.arange(start, start + len(here.category_n)), shape)
        towards, from_ = (LazyDenoiser(network, stamps, dtype) for network in networks)

        def denoise(
            x: Combination, sigma: float, side: tuple[LazyDenoiser, Condition]
        ) -> Combination:
            return side[0](x, sigma, side[1])

        def noise(step: int, stamps: StampSpace = stamps) -> Combination:
            return stamps.noise(Stream.SAMPLER_STEP.at(step))

        finish = lazy_finisher(networks[0], stamps, dtype, here)
        both = guided(denoise, (towards, here), (from_, away), sampling.guidance)
        with torch.inference_mode():
            x = stamps.noise(Stream.INITIAL_NOISE) * float(sigmas[0])
            sampler = get_sampler(sampling.sampler)
            x = solve(sampler, both, x, sigmas, noise=noise, finisher=finish)
            made.append(x.tensor().clone())
    return torch.cat(made)


def cached(cache: Path, key: object, model: GalaxyModel, make: Callable[[], Tensor]) -> Galaxies:
    """Galaxies of stamps in model space, whose pictures are kept in a folder under a key."""
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:20]
    path = cache / f"made-{name}.npy"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, draws.galaxies(model, make()).images_nhwc)
    space = model.checkpoint.space
    images = np.load(path)
    return Galaxies(images, measure_images(images, space.lupton, space.bands))
