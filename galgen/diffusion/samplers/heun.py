"""Heun's method for the probability-flow equation."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from galgen.diffusion.samplers.common import Denoise, StateT, StepNoise, noise_levels


def heun(
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    *,
    noise: StepNoise[StateT] | None = None,
) -> StateT:
    """Take Heun's steps, of second order; 2 evaluations per step, 1 in one that ends at 0.

    This is the deterministic sampler of Karras et al. 2022, algorithm 1.
    """
    for sigma, sigma_next in pairwise(noise_levels(sigmas)):
        denoised = denoiser(x, sigma)
        if sigma_next == 0:
            return denoised
        slope = (x - denoised) / sigma
        x_euler = x + (sigma_next - sigma) * slope
        slope_next = (x_euler - denoiser(x_euler, sigma_next)) / sigma_next
        x = x + (sigma_next - sigma) / 2 * (slope + slope_next)
    return x
