"""DDIM, which is Euler's method for the probability-flow equation."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from galgen.diffusion.samplers.common import Denoise, StateT, StepNoise, noise_levels


def ddim(
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    *,
    noise: StepNoise[StateT] | None = None,
) -> StateT:
    """Take the steps of deterministic DDIM, of first order; 1 evaluation per step.

    Song et al. 2021 ("Denoising diffusion implicit models"), eq. 13. In the variance-exploding form
    it is Euler's method for dx / dsigma = (x - D) / sigma (Karras et al. 2022, eq. 1 and 3).
    """
    for sigma, sigma_next in pairwise(noise_levels(sigmas)):
        denoised = denoiser(x, sigma)
        x = denoised + sigma_next / sigma * (x - denoised)
    return x
