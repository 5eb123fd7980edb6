"""Classifier-free guidance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from galgen.diffusion.samplers import Denoise, StateT
from galgen.errors import InvalidValueError

ConditionT = TypeVar("ConditionT")


def guided(
    denoise: Callable[[StateT, float, ConditionT], StateT],
    conditional: ConditionT,
    unconditional: ConditionT,
    scale: float,
) -> Denoise[StateT]:
    """Make a denoiser that leans towards a condition: D = D_u + scale (D_c - D_u).

    Ho & Salimans 2022, eq. 6, with w = scale - 1: D is linear in epsilon, so the same combination
    holds for it. The two evaluations are two calls and not one of a doubled batch: the result of a
    matrix product may depend on the batch, and D_c must have the same bits at every scale.

    Parameters
    ----------
    denoise : callable
        (x, sigma, condition) -> D(x; sigma, condition).
    conditional, unconditional
        What is asked for, and the condition that asks for nothing, both as `denoise` takes them.
    scale : float
        1 follows the condition alone, at one evaluation; above 1 exaggerates it, 0 ignores it.

    Returns
    -------
    callable
        (x, sigma) -> D, as the samplers want it.

    Raises
    ------
    InvalidValueError
        If `scale` is negative or not finite.
    """
    if not (math.isfinite(scale) and scale >= 0):
        allowed = "a finite number, 0 or above"
        raise InvalidValueError("guidance scale", scale, allowed, "1 turns guidance off.")

    def denoiser(x: StateT, sigma: float) -> StateT:
        towards = denoise(x, sigma, conditional)
        if scale == 1:
            return towards
        away = denoise(x, sigma, unconditional)
        return away + scale * (towards - away)

    return denoiser
