"""DDIM, which is Euler's method for the probability-flow equation."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from galgen.diffusion.samplers.common import Denoise, StepNoise, noise_levels


def ddim(denoiser: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise | None = None) -> Tensor:
    """Deterministic DDIM (Song et al. 2021, eq. 13), first order; 1 evaluation per step.

    In the variance-exploding form it is Euler's method for dx / dsigma = (x - D) / sigma
    (Karras et al. 2022, eq. 1 and 3).
    """
    for sigma, sigma_next in pairwise(noise_levels(sigmas)):
        denoised = denoiser(x, sigma)
        x = denoised + sigma_next / sigma * (x - denoised)
    return x
