"""What all solvers share; states are in the variance-exploding form x = x0 + sigma eps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol, Self, TypeVar

from torch import Tensor

from galgen.errors import InvalidValueError


class State(Protocol):
    """What a solver needs of a state: sums of states, and products and quotients with floats.

    Tensors of any shape have this arithmetic, and so do sums that are computed later
    (`galgen.diffusion.combination.Combination`).
    """

    def __add__(self, other: Self, /) -> Self: ...

    def __sub__(self, other: Self, /) -> Self: ...

    def __mul__(self, factor: float, /) -> Self: ...

    def __rmul__(self, factor: float, /) -> Self: ...

    def __truediv__(self, divisor: float, /) -> Self: ...


StateT = TypeVar("StateT", bound=State)
"""The kind of state that a solver is given, works with and returns."""

Denoise = Callable[[StateT, float], StateT]
"""A function (x, sigma) -> D(x; sigma), the expected clean x0, of the kind and shape of x."""

StepNoise = Callable[[int], StateT]
"""A function from the number of a step to fresh standard normal noise, of the kind of x."""


class Sampler(Protocol):
    """A solver of the probability-flow equation, or of its stochastic counterpart.

    It works with any `State`; coefficients are Python floats. Tensors keep the dtype of `x`, and
    gradients are recorded unless the caller is in ``torch.no_grad()`` or
    ``torch.inference_mode()``.
    """

    def __call__(
        self,
        denoiser: Denoise[StateT],
        x: StateT,
        sigmas: Tensor,
        *,
        noise: StepNoise[StateT] | None = None,
    ) -> StateT:
        """March `x` along the levels.

        Parameters
        ----------
        denoiser : callable
            (x, sigma) -> D(x; sigma), sigma a float.
        x : State
            sigmas[0] times standard normal noise, any shape.
        sigmas : Tensor
            Strictly falling noise levels, (steps + 1,), any device. If the last is 0 the result is
            the last D, otherwise a state with that much noise left.
        noise : callable, optional
            Step number -> standard normal noise like `x`; deterministic solvers ignore it.

        Returns
        -------
        State
            The sample at sigmas[-1], like `x`.

        Raises
        ------
        InvalidValueError
            If `sigmas` do not fall, or a stochastic solver has no `noise`.
        """


def order_limit(levels: Sequence[float], step: int) -> int:
    """Return the highest order allowed in `step`.

    It is 1 in the last step before the jump to 0, 2 in the one before, and so on. There steps are
    longest in log sigma and high-order extrapolation overshoots: with fewer than ten steps this
    cuts the error of `unipc` several times (``lower_order_final`` in the code of Lu et al. 2022b).
    Levels that do not end at 0 are not limited.
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
