"""What a network is asked for at each noise level: the classes `EDM` and `VP`.

Each holds the coefficients of D(x; sigma) = skip x + out F(scale x; level), the noise levels it is
trained on, the weight of its loss and the levels that samplers visit. All noise levels are in the
variance-exploding form x = x0 + sigma eps, also for `VP`, whose variance-preserving state is
x / sqrt(1 + sigma^2) (Karras et al. 2022, eq. 7 and table 1).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.schedule import karras_sigmas, vp_sigmas


class Coefficients(NamedTuple):
    """D(x; sigma) = skip x + out F(scale x; level), one number per noise level."""

    skip: Tensor
    out: Tensor
    scale: Tensor
    level: Tensor


class Preconditioning(Protocol):
    """What `EDM` and `VP` have in common."""

    def coefficients(self, sigma_b: Tensor) -> Coefficients:
        """Coefficients (b,) in the dtype and on the device of the levels (b,)."""

    def draw_sigmas(self, n: int, generator: torch.Generator) -> Tensor:
        """Training noise levels of n galaxies, float32 (n,).

        Their quantiles are stratified over the batch and shuffled, which lowers the variance of the
        loss (Kingma et al. 2021, app. I.1).
        """

    def loss_weight(self, sigma_b: Tensor) -> Tensor:
        """Weight (b,) of the squared error of D."""

    def sampling_sigmas(self, steps: int, *, ancestral: bool) -> Tensor:
        """Levels that a sampler visits: float64, falling, then 0; (steps + 1,).

        Raises
        ------
        InvalidValueError
            If there are more steps than an ancestral sampler can take.
        """


class EDM:
    r"""Preconditioning of Karras et al. 2022 with a skip connection that may close earlier.

    .. math::
        c_{skip} = \frac{1}{1 + (\sigma / \sigma_{skip})^p}, \qquad
        c_{out}^2 = (1 - c_{skip})^2 \sigma_{data}^2 + c_{skip}^2 \sigma^2

    c_out gives the network a target of unit variance whatever c_skip is (Karras et al. 2022, app.
    B.6). sigma_skip = sigma_data and p = 2 is their table 1. A smaller sigma_skip asks for the
    clean image from lower noise on (Li & He 2025, arXiv:2511.13720, ask for it always), which is
    learned faster; the steeper p = 4 keeps the prediction of noise where all detail would
    otherwise have to pass through the network.

    Parameters
    ----------
    config : DiffusionConfig
    """

    def __init__(self, config: DiffusionConfig) -> None:
        self._config = config
        self._sigma_skip = config.sigma_skip or config.sigma_data

    def coefficients(self, sigma_b: Tensor) -> Coefficients:
        """See `Preconditioning`."""
        sigma_data = self._config.sigma_data
        odds = (sigma_b / self._sigma_skip) ** self._config.skip_power
        skip = 1 / (1 + odds)
        out = torch.hypot(skip * odds * sigma_data, skip * sigma_b)  # skip * odds is 1 - skip
        return Coefficients(skip, out, (sigma_b**2 + sigma_data**2).rsqrt(), sigma_b.log() / 4)

    def draw_sigmas(self, n: int, generator: torch.Generator) -> Tensor:
        """Log-normal levels (Karras et al. 2022, table 1); see `Preconditioning`."""
        u_n = _stratified(n, generator).double().clamp(1e-6, 1 - 1e-6)
        normal_n = torch.special.ndtri(u_n).float()
        return (normal_n * self._config.log_sigma_std + self._config.log_sigma_mean).exp()

    def loss_weight(self, sigma_b: Tensor) -> Tensor:
        """(sigma^2 + sigma_data^2) / (sigma sigma_data)^2 (Karras et al. 2022, table 1).

        The same whatever the skip connection, so that losses can be compared.
        """
        sigma_data = self._config.sigma_data
        return (sigma_b**2 + sigma_data**2) / (sigma_b * sigma_data) ** 2

    def sampling_sigmas(self, steps: int, *, ancestral: bool) -> Tensor:
        """Levels of `karras_sigmas`; see `Preconditioning`."""
        return karras_sigmas(steps, self._config.sigma_min, self._config.sigma_max)


class VP:
    """Epsilon prediction over the linear-beta steps of a DDPM (Ho et al. 2020).

    Parameters
    ----------
    config : DiffusionConfig
    """

    def __init__(self, config: DiffusionConfig) -> None:
        self._config = config
        t = config.timesteps
        self.training_sigmas = vp_sigmas(t, t, config.beta_first, config.beta_last)[:-1].flip(0)
        """Noise levels of the T training steps, rising, float64 (T,)."""

    def coefficients(self, sigma_b: Tensor) -> Coefficients:
        """See `Preconditioning`; the level is the fractional step, linear in log sigma, 0 to 1."""
        grid = self.training_sigmas.log().to(sigma_b)
        log_sigma_b = sigma_b.log()
        upper = torch.searchsorted(grid, log_sigma_b.contiguous()).clamp(1, len(grid) - 1)
        low, high = grid[upper - 1], grid[upper]
        fraction = ((log_sigma_b - low) / (high - low)).clamp(0, 1)
        level = (upper - 1 + fraction) / (len(grid) - 1)
        return Coefficients(torch.ones_like(sigma_b), -sigma_b, (1 + sigma_b**2).rsqrt(), level)

    def draw_sigmas(self, n: int, generator: torch.Generator) -> Tensor:
        """Uniform steps (Ho et al. 2020, alg. 1); see `Preconditioning`."""
        step_n = (_stratified(n, generator) * self._config.timesteps).long()
        return self.training_sigmas.float()[step_n]

    def loss_weight(self, sigma_b: Tensor) -> Tensor:
        """1 / sigma^2, i.e. the epsilon loss of Ho et al. 2020, eq. 14."""
        return 1 / sigma_b**2

    def sampling_sigmas(self, steps: int, *, ancestral: bool) -> Tensor:
        """Training steps for ancestral samplers, else `karras_sigmas`; see `Preconditioning`."""
        config = self._config
        if ancestral:
            return vp_sigmas(steps, config.timesteps, config.beta_first, config.beta_last)
        lowest, highest = self.training_sigmas[0].item(), self.training_sigmas[-1].item()
        return karras_sigmas(steps, lowest, highest)


def make_preconditioning(config: DiffusionConfig) -> Preconditioning:
    """The preconditioning that a configuration names."""
    return {"edm": EDM, "vp": VP}[config.preconditioning](config)


def _stratified(n: int, generator: torch.Generator) -> Tensor:
    """N quantiles in [0, 1), evenly spaced from a random start, in random order."""
    offset = torch.rand((), generator=generator)
    u_n = (torch.arange(n) / n + offset) % 1
    return u_n[torch.randperm(n, generator=generator)]
