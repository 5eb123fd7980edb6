"""From noise to a stamp, the last step of which may be another network's."""

from __future__ import annotations

from torch import Tensor

from galgen.diffusion.samplers import Denoise, Sampler, StateT, StepNoise


def solve(
    sampler: Sampler,
    denoiser: Denoise[StateT],
    x: StateT,
    sigmas: Tensor,
    *,
    noise: StepNoise[StateT] | None = None,
    finisher: Denoise[StateT] | None = None,
) -> StateT:
    """March `x` along the levels with a solver, and let the finisher, if any, take the last step.

    The denoiser's answer is a mean, with the detail of none of the galaxies that it is of. The less
    noise there is at the last step, the less is blurred, but a network that does not tell detail
    from noise at low levels leaves noise in (docs/why-told-apart.md). A finisher draws the detail,
    from a level at which shape, light and colours are settled.

    Parameters
    ----------
    sampler : Sampler
        The solver.
    denoiser : callable
        (x, sigma) -> D(x; sigma).
    x : State
        sigmas[0] times standard normal noise.
    sigmas : Tensor
        Falling noise levels, the last of which is 0, (steps + 1,).
    noise : callable, optional
        Step number -> standard normal noise like `x`.
    finisher : callable, optional
        (x, sigma) -> stamps, for sigmas[-2]. It is not asked in a single step, whose level it has
        not learned.

    Returns
    -------
    State
        Stamps, like `x`.
    """
    if finisher is None or len(sigmas) == 2:
        return sampler(denoiser, x, sigmas, noise=noise)
    x = sampler(denoiser, x, sigmas[:-1], noise=noise)
    return finisher(x, float(sigmas[-2]))
