"""What all solvers share; states are in the variance-exploding form x = x0 + sigma eps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

from torch import Tensor

from galgen.errors import InvalidValueError

Denoise = Callable[[Tensor, float], Tensor]
"""(x, sigma) -> D(x; sigma), the expected clean x0, same shape as x."""

StepNoise = Callable[[int], Tensor]
"""Step number -> fresh standard normal noise, same shape as x."""


class Sampler(Protocol):
    """A solver of the probability-flow equation, or of its stochastic counterpart.

    The state keeps the dtype of `x`; coefficients are Python floats. Gradients are recorded unless
    the caller is in ``torch.no_grad()`` or ``torch.inference_mode()``.
    """

    def __call__(
        self, denoiser: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise | None = None
    ) -> Tensor:
        """March `x` along the levels.

        Parameters
        ----------
        denoiser : callable
            (x, sigma) -> D(x; sigma), sigma a float.
        x : Tensor
            sigmas[0] times standard normal noise, any shape.
        sigmas : Tensor
            Strictly falling noise levels, (steps + 1,), any device. If the last is 0 the result is
            the last D, otherwise a state with that much noise left.
        noise : callable, optional
            Step number -> standard normal noise like `x`; deterministic solvers ignore it.

        Returns
        -------
        Tensor
            The sample at sigmas[-1], like `x`.

        Raises
        ------
        InvalidValueError
            If `sigmas` do not fall, or a stochastic solver has no `noise`.
        """


def order_limit(levels: Sequence[float], step: int) -> int:
    """Highest order allowed in `step`: 1 in the last step before the jump to 0, then 2, and so on.

    There steps are longest in log sigma and high-order extrapolation overshoots: with fewer than
    ten steps this cuts the error of `unipc` several times (``lower_order_final`` in the code of Lu
    et al. 2022b). Levels that do not end at 0 are not limited.
    """
    return len(levels) - 2 - step if levels[-1] == 0 else len(levels)


def noise_levels(sigmas: Tensor) -> list[float]:
    """Read the levels once, so that a solver waits for an accelerator at most once.

    Raises
    ------
    InvalidValueError
        Unless there are two or more strictly falling levels, of which only the last may be 0.
    """
    levels: list[float] = sigmas.tolist()
    falling = all(high > low for high, low in pairwise(levels))
    if len(levels) < 2 or not falling or not levels[-1] >= 0:
        allowed = "two or more strictly falling levels, the last 0 or above"
        raise InvalidValueError("sigmas", levels, allowed, "Make them with galgen's schedules.")
    return levels
