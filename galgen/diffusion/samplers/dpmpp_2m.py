"""DPM-Solver++(2M)."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from galgen.diffusion.samplers.common import Denoise, StateT, StepNoise, noise_levels, order_limit


def dpmpp_2m(
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    *,
    noise: StepNoise[StateT] | None = None,
) -> StateT:
    """Integrate exponentially in lambda = -log sigma, two steps at a time; 1 evaluation per step.

    Lu et al. 2022b ("DPM-Solver++"), algorithm 2, with alpha = 1: the linear part of
    dx / dlambda = D - x is solved exactly and D is extrapolated to the middle of the step, which
    makes the method of second order.
    """
    previous: tuple[float, StateT] | None = None  # length of the last step and its D
    levels = noise_levels(sigmas)
    for step, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser(x, sigma)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        midpoint = denoised
        if previous is not None and order_limit(levels, step) > 1:
            h_last, denoised_last = previous
            midpoint = denoised + h / (2 * h_last) * (denoised - denoised_last)
        x = sigma_next / sigma * x - math.expm1(-h) * midpoint
        previous = h, denoised
    return x
