"""iPNDM and its variable-step form: Adams-Bashforth methods for the probability-flow equation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor

from galgen.diffusion.samplers.common import Denoise, StateT, StepNoise, noise_levels

ORDER = 4


def ipndm(
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    *,
    noise: StepNoise[StateT] | None = None,
) -> StateT:
    """Take the steps of iPNDM-4 (Zhang & Chen 2023, after Liu et al. 2022); 1 evaluation per step.

    The slopes of the last four levels are combined with the coefficients (55, -59, 37, -9) / 24
    for *equal* steps whatever the levels, with fewer slopes in the first three steps. On a
    smoothly graded schedule that is of second order only, yet at 3 to 10 steps of a Karras schedule
    images are better than with `ipndm_v` (Zhou et al. 2024, tables of their diff-sampler code).
    """
    return _adams_bashforth(denoiser, x, sigmas, lambda levels: range(1, 1 - len(levels), -1))


def ipndm_v(
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    *,
    noise: StepNoise[StateT] | None = None,
) -> StateT:
    """Take the steps of iPNDM-4 with coefficients for the actual levels; 1 evaluation per step.

    These are the Adams-Bashforth methods for unequal steps (Hairer et al. 1993, sec. III.5). They
    are of fourth order once four slopes are known; the Euler step at the start limits the whole to
    second order, with a small constant where, as at high noise, the slope barely changes.
    """
    return _adams_bashforth(denoiser, x, sigmas, lambda levels: levels)


def _adams_bashforth(
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    grid: Callable[[Sequence[float]], Sequence[float]],
) -> StateT:
    """March dx / dsigma = (x - D) / sigma; `grid` places the levels for the coefficients."""
    levels = noise_levels(sigmas)
    slopes: list[StateT] = []  # newest first
    for step, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = denoiser(x, sigma)
        if sigma_next == 0:
            return denoised
        slopes = [(x - denoised) / sigma, *slopes[: ORDER - 1]]
        recent = levels[step + 1 - len(slopes) : step + 2][::-1]  # the next level comes first
        for weight, slope in zip(adams_bashforth_weights(grid(recent)), slopes, strict=True):
            x = x + (sigma_next - sigma) * weight * slope
    return x


def adams_bashforth_weights(nodes: Sequence[float]) -> list[float]:
    """Average over the step nodes[1] .. nodes[0] the polynomial through values at nodes[1:].

    Parameters
    ----------
    nodes : sequence of float
        Where the step ends, where it starts, then earlier nodes.

    Returns
    -------
    list of float
        Weights of the values at nodes[1:], of sum 1.
    """
    end, start = nodes[:2]
    t = (np.asarray(nodes[1:], dtype=np.float64) - start) / (end - start)
    moments = 1 / np.arange(1, len(t) + 1)  # of t^0, t^1, ... over [0, 1]
    weights: list[float] = np.linalg.solve(np.vander(t, increasing=True).T, moments).tolist()
    return weights
