"""Noise levels that a sampler visits: float64, falling, then 0; one more than steps."""

from __future__ import annotations

import torch
from torch import Tensor

from galgen.errors import InvalidValueError


def karras_sigmas(n: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """Space levels evenly in sigma^(1/rho) (Karras et al. 2022, eq. 5).

    Parameters
    ----------
    n : int
        Steps of the sampler.
    sigma_min, sigma_max : float
        Last level above 0, and first level.
    rho : float
        The larger, the more of the steps are at low noise.

    Returns
    -------
    Tensor
        Levels, float64 (n + 1,).

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """
    _check(n, sigma_min, sigma_max)
    if not rho > 0:
        raise InvalidValueError("rho", rho, "above 0")
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return _with_zero(torch.linspace(high, low, n, dtype=torch.float64) ** rho)


def uniform_logsnr_sigmas(n: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Space levels evenly in log sigma, the grid of DPM-Solver (Lu et al. 2022a).

    Parameters, result and errors are those of `karras_sigmas`, of which it is the limit of large
    rho.
    """
    _check(n, sigma_min, sigma_max)
    high, low = torch.tensor([sigma_max, sigma_min], dtype=torch.float64).log().tolist()
    return _with_zero(torch.linspace(high, low, n, dtype=torch.float64).exp())


def vp_sigmas(
    n: int, timesteps: int = 1000, beta_first: float = 1e-4, beta_last: float = 0.02
) -> Tensor:
    """Take the levels of `n` evenly spaced steps of a linear-beta DDPM.

    They are all of its levels if n == timesteps. The variance-preserving state
    sqrt(abar) x0 + sqrt(1 - abar) eps of Ho et al. 2020, eq. 4, divided by sqrt(abar), is
    x0 + sigma eps with sigma = sqrt((1 - abar) / abar).

    Parameters
    ----------
    n : int
        Steps of the sampler, at most `timesteps`. The noisiest step is always used.
    timesteps : int
        Steps T of the training schedule.
    beta_first, beta_last : float
        Variances of its first and last step.

    Returns
    -------
    Tensor
        Levels, float64 (n + 1,).

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """
    if not 1 <= n <= timesteps:
        raise InvalidValueError("steps", n, f"1 to {timesteps}")
    if not 0 < beta_first <= beta_last < 1:
        betas = (beta_first, beta_last)
        raise InvalidValueError("betas", betas, "0 < first <= last < 1")
    beta = torch.linspace(beta_first, beta_last, timesteps, dtype=torch.float64)
    alpha_bar = torch.cumprod(1 - beta, 0)
    sigmas = ((1 - alpha_bar) / alpha_bar).sqrt()
    step = timesteps * torch.arange(n, 0, -1) // n - 1
    return _with_zero(sigmas[step])


def _check(n: int, sigma_min: float, sigma_max: float) -> None:
    """Refuse what no schedule can be made of."""
    if n < 1:
        raise InvalidValueError("steps", n, "1 or more")
    if not 0 < sigma_min < sigma_max < float("inf"):
        sigmas = (sigma_min, sigma_max)
        raise InvalidValueError("sigma range", sigmas, "0 < sigma_min < sigma_max")


def _with_zero(sigmas: Tensor) -> Tensor:
    """Append the level without noise, at which all samplers end."""
    return torch.cat([sigmas, sigmas.new_zeros(1)])
