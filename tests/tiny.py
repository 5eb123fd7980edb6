"""A model small enough for tests: a real, randomised network with a real pixel space."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import nn

from galgen.categories import CATEGORIES
from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser
from galgen.measure import property_names
from galgen.pixels.space import PixelSpace
from galgen.request.population import Population
from galgen.training.presets import tiny
from galgen.weights.checkpoint import Checkpoint

BANDS = ("g", "r", "i")
SIZE = 32
CARD = {
    "name": "tiny",
    "version": "0",
    "training_set": "random numbers",
    "galaxies": 0,
    "images_seen": 0,
    "credit": "nobody",
}
SPACE = PixelSpace("display", BANDS, 0.02, (0.2, 0.22, 0.25), (0.16,) * 3, lupton="sdss")


def randomise(module: nn.Module, seed: int = 0) -> None:
    """Give every parameter, those that start at zero too, a size at which it matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            spread = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.3
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))


def make_population(seed: int = 0, per_category: int = 20) -> Population:
    """Plausible properties of galaxies of every category, some of them not measured."""
    rng = np.random.default_rng(seed)
    names = property_names(BANDS)[:5]  # those of weights that were made before there were others
    code_n = np.repeat(np.arange(len(CATEGORIES)), per_category)
    low, high = np.array([[2, 0.2, 0.2, 0.0, 20], [8, 1.0, 1.0, 0.6, 24]])
    # Sizes rise with the code, so that a category's population can be told from another's.
    values_np = rng.uniform(low, high, (len(code_n), len(names)))
    values_np[:, 0] += code_n / 4
    values_np[rng.random(values_np.shape) < 0.05] = np.nan
    return Population.fit(names, values_np, code_n)


def make_checkpoint(*, finished: bool = False, **diffusion: object) -> Checkpoint:
    """An untrained model whose samples are nevertheless far from trivial."""
    population = make_population()
    model = dataclasses.replace(tiny().model, bands=len(BANDS), properties=population.names)
    denoiser = Denoiser(model, DiffusionConfig(**diffusion), finished=finished)
    for seed, network in enumerate(denoiser.networks):
        randomise(network, seed)
    denoiser.eval().requires_grad_(False)
    return Checkpoint(denoiser, SPACE, population, SIZE, dict(CARD))
