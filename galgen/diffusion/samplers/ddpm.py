"""Ancestral sampling of DDPM."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from galgen.diffusion.samplers.common import Denoise, StateT, StepNoise, noise_levels
from galgen.errors import InvalidValueError


def ddpm(
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    *,
    noise: StepNoise[StateT] | None = None,
) -> StateT:
    r"""Sample the exact posterior step by step (Ho et al. 2020, eq. 6-7); 1 evaluation per step.

    With alpha, beta and abar of the step from s to s', the posterior q(x_{t-1} | x_t, x0) of Ho et
    al. has mean and variance

    .. math::
        \frac{\sqrt{\bar\alpha'} \beta}{1 - \bar\alpha} x_0
        + \frac{\sqrt\alpha (1 - \bar\alpha')}{1 - \bar\alpha} x_t,
        \qquad \frac{1 - \bar\alpha'}{1 - \bar\alpha} \beta .

    Dividing states by sqrt(abar) turns them into x0 + s eps with s^2 = (1 - abar) / abar. With
    abar = alpha abar', the weight of the state becomes
    alpha (1 - abar') / (1 - abar) = s'^2 / s^2 =: r, that of x0 becomes
    beta / (1 - abar) = 1 - r, and the variance beta (1 - abar') / (abar' (1 - abar)) becomes
    s'^2 (1 - r). Hence, with D for x0,

    .. math:: x' = D + r (x - D) + s' \sqrt{1 - r}\, \epsilon .

    Fewer steps than in training simply use larger steps.
    """
    if noise is None:
        raise InvalidValueError("noise", noise, "a function of the step", "ddpm is stochastic.")
    for step, (sigma, sigma_next) in enumerate(pairwise(noise_levels(sigmas))):
        denoised = denoiser(x, sigma)
        r = (sigma_next / sigma) ** 2
        x = denoised + r * (x - denoised)
        if sigma_next > 0:
            x = x + sigma_next * math.sqrt(1 - r) * noise(step)
    return x
