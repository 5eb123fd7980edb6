"""Heun's method for the probability-flow equation."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from galgen.diffusion.samplers.common import Denoise, StepNoise, noise_levels


def heun(denoiser: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise | None = None) -> Tensor:
    """Deterministic sampler of Karras et al. 2022, algorithm 1, second order.

    2 evaluations per step, 1 in a step that ends at 0.
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
