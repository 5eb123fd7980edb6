"""UniPC, a multistep predictor whose corrector costs no extra evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor

from galgen.diffusion.samplers.common import Denoise, StateT, StepNoise, noise_levels, order_limit

ORDER = 3

Point = tuple[float, StateT]
"""A noise level and D there."""


def unipc(
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    *,
    noise: StepNoise[StateT] | None = None,
) -> StateT:
    """Take the steps of UniPC-3 with data prediction and B_2(h); 1 evaluation per step.

    Zhao et al. 2023 ("UniPC"), theorem 3.1 (UniC) and corollary 3.2 (UniP): the evaluation at a
    predicted state first corrects the step that led there and then serves the next prediction. The
    corrector makes the method of fourth order once three evaluations are known; the start limits
    the whole to third order.
    """
    levels = noise_levels(sigmas)
    history: list[Point[StateT]] = []  # newest first, as many as the order of the step
    x_start = x
    for step, (sigma, sigma_next) in enumerate(pairwise(levels)):
        point = sigma, denoiser(x, sigma)
        if sigma_next == 0:
            return point[1]
        if history:
            x = _step(x_start, history[0], [*history[1:], point], sigma)
        history = [point, *history][: min(ORDER, order_limit(levels, step))]
        x_start = x
        x = _step(x_start, history[0], history[1:], sigma_next)
    return x


def _step(
    x: StateT, start: Point[StateT], others: Sequence[Point[StateT]], sigma_next: float
) -> StateT:
    """Solve dx / dlambda = D - x from `start` to sigma_next, with D interpolated."""
    sigma, denoised = start
    h = math.log(sigma / sigma_next)
    out = sigma_next / sigma * x - math.expm1(-h) * denoised
    ratios = [math.log(sigma / other) / h for other, _ in others]
    for rho, ratio, (_, other) in zip(_weights(ratios, h), ratios, others, strict=True):
        out = out - math.expm1(-h) * rho / ratio * (other - denoised)
    return out


def _weights(ratios: Sequence[float], h: float) -> list[float]:
    """Solve R_p(h) a_p B(h) = phi_p(h) for the a_p of Zhao et al. 2023, theorem 3.1."""
    if len(ratios) == 1:
        return [0.5]  # their choice where a single weight has to meet the condition
    phi, right_hand_side = math.expm1(-h), []
    for k in range(1, len(ratios) + 1):
        phi = phi / -h - 1 / math.factorial(k)
        right_hand_side.append(phi * math.factorial(k) / math.expm1(-h))
    matrix = np.vander(ratios, increasing=True).T
    weights: list[float] = np.linalg.solve(matrix, right_hand_side).tolist()
    return weights
