"""SDE-DPM-Solver++(2M)."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from galgen.diffusion.samplers.common import Denoise, StateT, StepNoise, noise_levels, order_limit
from galgen.errors import InvalidValueError


def sde_dpmpp_2m(
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    *,
    noise: StepNoise[StateT] | None = None,
) -> StateT:
    r"""Sample step by step with fresh noise, to second order; 1 evaluation per step.

    Lu et al. 2022b ("DPM-Solver++"), eq. 19 (SDE-DPM-Solver++(2M)) with alpha = 1 and
    h = log(s / s'): with D extrapolated to the middle of the step,

    .. math:: x' = e^{-2h} x + (1 - e^{-2h}) \bar D + s' \sqrt{1 - e^{-2h}}\, \epsilon .

    With the D of the step's beginning it is `galgen.diffusion.samplers.ddpm`, which takes part of
    everything that cannot be foreseen, such as the noise of the sky, away with every long step.
    """
    if noise is None:
        allowed = "a function of the step"
        raise InvalidValueError("noise", noise, allowed, "sde-dpmpp-2m is stochastic.")
    previous: tuple[float, StateT] | None = None  # length of the last step and its D
    levels = noise_levels(sigmas)
    for step, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser(x, sigma)
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        r = (sigma_next / sigma) ** 2
        midpoint = denoised
        if previous is not None and order_limit(levels, step) > 1:
            h_last, denoised_last = previous
            midpoint = denoised + h / (2 * h_last) * (denoised - denoised_last)
        x = r * x + (1 - r) * midpoint + sigma_next * math.sqrt(1 - r) * noise(step)
        previous = h, denoised
    return x
