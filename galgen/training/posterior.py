"""Galaxies that look as observed through a known PSF and noise, drawn with a denoiser as the prior.

From noise level to noise level a galaxy is denoised, drawn anew from what the denoiser and the data
together say of it, and given the noise of the next level (Zhang et al. 2024, arXiv:2407.01521).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from galgen.model.embedding import Condition
from galgen.pixels.space import PixelSpace
from galgen.training.blur import Blur, filtered

_ITERATIONS = 12  # of conjugate gradients: exact for Gaussian galaxies to some percent
_TRUST = 0.25  # in model space: how far flux is taken for linear in what the network makes
_TINY = 1e-30  # a galaxy that is found has no step left
Denoise = Callable[[Tensor, Tensor, Condition], Tensor]


@dataclass(frozen=True)
class DenoiserPrior:
    """What galaxies are like.

    Attributes
    ----------
    denoiser : callable
        Takes noise out of galaxies in model space.
    space : PixelSpace
        Its pixels, of native flux.
    power_hwc : Tensor
        Power of galaxies in model space about their mean, see `galgen.training.blur.power`.
    sigmas : Tensor
        Noise levels to go through, falling, then 0.
    """

    denoiser: Denoise
    space: PixelSpace
    power_hwc: Tensor
    sigmas: Tensor


def draw_posterior(
    prior: DenoiserPrior,
    condition: Condition,
    observed_nhwb: Tensor,
    guess_nhwb: Tensor,
    blur: Blur,
    noise_b: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Draw galaxies of a prior that look as observed.

    Parameters
    ----------
    prior : DenoiserPrior
        What galaxies are like.
    condition : Condition
        What is known of each galaxy.
    observed_nhwb : Tensor
        Flux through the PSF, with noise.
    guess_nhwb : Tensor
        Flux of galaxies that look about as observed: there, the curve of pixels is made linear.
    blur : Blur
        The PSF.
    noise_b : Tensor
        Standard deviation of the noise in each band.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Tensor
        Flux, of the same shape.
    """
    space, shape = prior.space, guess_nhwb.shape

    def grain() -> Tensor:
        return torch.randn(shape, generator=generator, device=generator.device)

    guess_nhwc = space.encode(guess_nhwb)
    levels = prior.sigmas.tolist()
    x_nhwc = levels[0] * grain()
    for sigma, lower in pairwise(levels):
        denoised_nhwc = prior.denoiser(x_nhwc, x_nhwc.new_full(shape[:1], sigma), condition)
        # What a denoiser of Gaussian galaxies of this power leaves open at this level.
        spread_hwc = (prior.power_hwc * sigma**2 / (prior.power_hwc + sigma**2)).sqrt()
        view = _View.near(space, guess_nhwc, blur, noise_b, spread_hwc)
        missing = observed_nhwb / noise_b - view.expected(denoised_nhwc)
        drawn_nhwc = denoised_nhwc + filtered(_draw(view, missing, grain(), grain()), spread_hwc)
        guess_nhwc = guess_nhwc + (drawn_nhwc - guess_nhwc).clamp(-_TRUST, _TRUST)
        x_nhwc = drawn_nhwc + lower * grain() if lower else drawn_nhwc
    return space.to_flux(x_nhwc)


@dataclass(frozen=True)
class _View:
    """What is seen of galaxies near a guess, in units of the noise, where pixels are linear."""

    space: PixelSpace
    guess_nhwc: Tensor
    flux_nhwb: Tensor
    slope_nhwb: Tensor
    unmixed: Callable[[Tensor], tuple[Tensor]]
    blur: Blur
    noise_b: Tensor
    spread_hwc: Tensor

    @classmethod
    def near(
        cls, space: PixelSpace, guess_nhwc: Tensor, blur: Blur, noise_b: Tensor, spread_hwc: Tensor
    ) -> _View:
        """Linearise about a guess: a matrix over the bands, a slope for each pixel, the PSF."""
        unmixed = torch.func.vjp(space.unmix, guess_nhwc)[1]
        standard_nhwb = space.unmix(guess_nhwc)
        flux_nhwb = space.unstandardise(standard_nhwb)
        curve = torch.func.vjp(space.unstandardise, standard_nhwb)[1]
        (slope_nhwb,) = curve(torch.ones_like(flux_nhwb))
        return cls(space, guess_nhwc, flux_nhwb, slope_nhwb, unmixed, blur, noise_b, spread_hwc)

    def expected(self, x_nhwc: Tensor) -> Tensor:
        """Image of galaxies in model space."""
        change_nhwb = self.slope_nhwb * self.space.unmix(x_nhwc - self.guess_nhwc)
        return self.blur(self.flux_nhwb + change_nhwb) / self.noise_b

    def product(self, u_nhwc: Tensor) -> Tensor:
        """Change of the image by white noise that takes the spread of the prior."""
        change_nhwc = filtered(u_nhwc, self.spread_hwc)
        return self.blur(self.slope_nhwb * self.space.unmix(change_nhwc)) / self.noise_b

    def adjoint(self, seen_nhwb: Tensor) -> Tensor:
        """Adjoint of `product`."""
        (back_nhwc,) = self.unmixed(self.slope_nhwb * self.blur(seen_nhwb / self.noise_b))
        return filtered(back_nhwc, self.spread_hwc)


def _draw(view: _View, missing: Tensor, prior_grain: Tensor, data_grain: Tensor) -> Tensor:
    """Draw u of N(0, 1) given that ``missing = view.product(u) + N(0, 1)``.

    Exact, as all is linear: perturb, then optimise (Papandreou & Yuille 2010), by conjugate
    gradients, each galaxy with its own steps.
    """

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum((1, 2, 3), keepdim=True)

    rest = direction = prior_grain + view.adjoint(missing + data_grain)
    u, size = torch.zeros_like(rest), dot(rest, rest)
    for _ in range(_ITERATIONS):
        ahead = direction + view.adjoint(view.product(direction))
        step = size / dot(direction, ahead).clamp_min(_TINY)
        u, rest = u + step * direction, rest - step * ahead
        smaller = dot(rest, rest)
        direction, size = rest + smaller / size.clamp_min(_TINY) * direction, smaller
    return u
