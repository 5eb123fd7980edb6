"""Solvers from noise to stamps: plain functions that follow `Sampler`, and their names."""

from __future__ import annotations

import difflib

from galgen.diffusion.samplers.common import Denoise, Sampler, State, StateT, StepNoise
from galgen.diffusion.samplers.ddim import ddim
from galgen.diffusion.samplers.ddpm import ddpm
from galgen.diffusion.samplers.dpmpp_2m import dpmpp_2m
from galgen.diffusion.samplers.heun import heun
from galgen.diffusion.samplers.ipndm import ipndm, ipndm_v
from galgen.diffusion.samplers.sde_dpmpp_2m import sde_dpmpp_2m
from galgen.diffusion.samplers.unipc import unipc
from galgen.errors import InvalidValueError

SAMPLERS: dict[str, Sampler] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "heun": heun,
    "dpmpp-2m": dpmpp_2m,
    "sde-dpmpp-2m": sde_dpmpp_2m,
    "unipc": unipc,
    "ipndm": ipndm,
    "ipndm-v": ipndm_v,
}

# With fewer, heun's slope at the end of a step is divided by so much less noise than there was at
# its beginning that its errors become brighter than any galaxy. In a single step it takes none.
HEUN_STEPS = 5

__all__ = [
    "SAMPLERS",
    "Denoise",
    "Sampler",
    "State",
    "StateT",
    "StepNoise",
    "check_steps",
    "evaluations",
    "get_sampler",
]


def get_sampler(name: str) -> Sampler:
    """Look up a solver by its name, as in ``dpmpp-2m``.

    Raises
    ------
    InvalidValueError
        If there is none; the message names those spelled most like it.
    """
    if name not in SAMPLERS:
        close = difflib.get_close_matches(name, SAMPLERS, cutoff=0.4)
        hint = f"Did you mean {' or '.join(close)}?" if close else ""
        raise InvalidValueError("sampler", name, ", ".join(SAMPLERS), hint)
    return SAMPLERS[name]


def check_steps(name: str, steps: int) -> None:
    """Refuse numbers of steps in which a solver cannot make galaxies.

    Raises
    ------
    InvalidValueError
        If `steps` is below 1, or 2 to 4 for ``heun``.
    """
    if steps < 1:
        raise InvalidValueError("steps", steps, "1 or more")
    if name == "heun" and 1 < steps < HEUN_STEPS:
        hint = "Its errors grow beyond all bounds in fewer; ddim and ipndm work in 2 to 4."
        raise InvalidValueError("steps of heun", steps, f"{HEUN_STEPS} or more, or 1", hint)


def evaluations(name: str, steps: int) -> int:
    """Count evaluations of the denoiser in `steps` steps, the last of which ends at sigma = 0.

    Parameters
    ----------
    name : str
        Name of the solver.
    steps : int
        How many steps it takes.

    Returns
    -------
    int
        How often it asks the denoiser.

    Raises
    ------
    InvalidValueError
        If there is no such sampler or `steps` is below 1.
    """
    get_sampler(name)
    if steps < 1:
        raise InvalidValueError("steps", steps, "1 or more")
    return 2 * steps - 1 if name == "heun" else steps
