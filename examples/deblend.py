"""Take two galaxies apart that overlap, with the score of a model as the prior of each.

``python examples/deblend.py``

The galaxies are made by the model, so that the truth is known. The noise level is brought down from
where nothing is known to almost none. At each level the network says which clean stamps are to be
expected, data of that level are weighed against them, and noise of the next level is added
(the proximal form of posterior sampling by diffusion: Zhu et al. 2023, arXiv:2305.08995, alg. 1).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

import galgen
from galgen.generate import GalaxyModel

CATEGORIES = ("spiral", "smooth")  # of the first galaxy of a pair, and of the second
SHIFT = 14  # pixels, right and up, from the first galaxy to the second
NOISE = 0.2  # per pixel, in the flux unit of the weights
HIGHEST, LOWEST = 10.0, 0.02  # noise levels of the network
INNER, RATE = 40, 0.15  # steps of the optimiser at each, and their size


def make_galaxies(model: GalaxyModel, n: int) -> Tensor:
    """Return the flux of n pairs of galaxies, (n, 2, bands, height, width): the truth."""
    sampling = galgen.Sampling(sampler="ipndm", steps=12, micro_batch=n)
    pairs = []
    for seed, category in enumerate(CATEGORIES):
        (batch,) = model.generate(category, n, seed=seed, sampling=sampling)
        pairs.append(torch.from_numpy(batch.stamps_nbhw))
    return torch.stack(pairs, dim=1)


def blend(flux: Tensor) -> Tensor:
    """Lay the galaxies of each pair over each other: (n, bands, height, width), by SHIFT larger."""
    return F.pad(flux[:, 0], (0, SHIFT, 0, SHIFT)) + F.pad(flux[:, 1], (SHIFT, 0, SHIFT, 0))


def cut(image: Tensor) -> Tensor:
    """Cut the stamps of both galaxies out of images of pairs."""
    return torch.stack([image[..., :-SHIFT, :-SHIFT], image[..., SHIFT:, SHIFT:]], dim=1)


def deblend(model: GalaxyModel, data: Tensor, noise: float, steps: int, seed: int = 0) -> Tensor:
    """Return the flux of the galaxies of each pair, given images of pairs and their noise."""
    generator = torch.Generator().manual_seed(seed)
    n, shape = len(data), model.stamp_shape
    # Where the prior is as wide as galaxies are, in units of model space.
    spread = model.checkpoint.denoiser.config.sigma_data
    levels = torch.logspace(math.log10(HIGHEST), math.log10(LOWEST), steps).tolist()
    x = HIGHEST * torch.randn(2 * n, *shape, generator=generator)
    for sigma, lower in zip(levels, [*levels[1:], 0.0], strict=True):
        with torch.no_grad():
            expected = model.denoise(x, sigma, CATEGORIES * n)
        clean = expected.clone().requires_grad_()
        width = sigma * spread / math.hypot(sigma, spread)  # of what x leaves open
        # It forgets large gradients soon: they are over once the sum of both galaxies is right.
        optimizer = torch.optim.Adam([clean], lr=RATE * width, betas=(0.9, 0.9))
        for _ in range(INNER):
            residual = data - blend(model.to_flux(clean).unflatten(0, (n, 2)))
            chi2 = (residual / noise).square().sum() + ((clean - expected) / width).square().sum()
            optimizer.zero_grad()
            (chi2 / 2).backward()
            optimizer.step()
        x = clean.detach() + lower * torch.randn(x.shape, generator=generator)
    return model.to_flux(x).unflatten(0, (n, 2))


def by_symmetry(data: Tensor) -> Tensor:
    """Return the flux of both galaxies as the deblender of SDSS does, without a prior.

    A galaxy's template is the lesser of each pixel and the one across its centre; the flux of a
    pixel is shared as the templates there are (Lupton et al. 2001, ASP Conf. 238, 269).
    """
    stamps = cut(data)
    templates = torch.minimum(stamps, stamps.flip((-2, -1))).clamp(min=0)
    share = data / blend(templates).clamp(min=1e-9)
    return templates * cut(share)


def errors(flux: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Compare with the truth, for each galaxy (n, 2).

    Returns the root of the squared residuals of all pixels and bands over that of the truth, and
    the error of the total flux, of all bands, as a part of it.
    """
    axes = (-3, -2, -1)
    of_pixels = (flux - truth).square().sum(axes).sqrt() / truth.square().sum(axes).sqrt()
    return of_pixels, (flux.sum(axes) / truth.sum(axes) - 1).abs()


def compare(
    model: GalaxyModel, truth: Tensor, noise: float, steps: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """Blend pairs of galaxies, take them apart in three ways, and return the errors of each way."""
    grain = torch.randn(blend(truth).shape, generator=torch.Generator().manual_seed(1))
    data = blend(truth) + noise * grain
    found = {
        "not at all": cut(data),
        "by symmetry": by_symmetry(data),
        "with the prior": deblend(model, data, noise, steps),
    }
    return {way: errors(flux, truth) for way, flux in found.items()}


def main(n: int = 4, steps: int = 20) -> dict[str, tuple[Tensor, Tensor]]:
    """Print and return the errors for n pairs, by how they were taken apart."""
    model = galgen.load_model(device="cpu")
    found = compare(model, make_galaxies(model, n), NOISE, steps)
    print(f"{'median error of':20} " + " ".join(f"{f'{c}: pixels, flux':>22}" for c in CATEGORIES))
    for way, (of_pixels, of_flux) in found.items():
        each = zip(of_pixels.median(0).values, of_flux.median(0).values, strict=True)
        print(f"{way:20} " + " ".join(f"{f'{p:.1%}, {f:.1%}':>22}" for p, f in each))
    return found


if __name__ == "__main__":
    main()
