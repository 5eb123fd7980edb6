"""What a network is asked for at each noise level: the classes `EDM` and `VP`.

Each holds the coefficients of D(x; sigma) = skip x + out F(scale x; level), the noise levels it is
trained on, the weight of its loss and the levels that samplers visit. All noise levels are in the
variance-exploding form x = x0 + sigma eps, also for `VP`, whose variance-preserving state is
x / sqrt(1 + sigma^2) (Karras et al. 2022, eq. 7 and table 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.schedule import karras_sigmas, vp_sigmas


class Coefficients(NamedTuple):
    """D(x; sigma) = skip x + out F(scale x; level): numbers (n,), one per noise level.

    Attributes
    ----------
    skip, out, scale : Tensor
        Weights of the noisy stamp, of the network's output and of its input.
    level : Tensor
        The noise level as the network is told it.
    """

    skip: Tensor
    out: Tensor
    scale: Tensor
    level: Tensor


class Preconditioning(Protocol):
    """What `EDM` and `VP` have in common."""

    @property
    def sigma_range(self) -> tuple[float, float]:
        """Least and greatest noise level that the network has learned."""

    def coefficients(self, sigma_n: Tensor) -> Coefficients:
        """Return coefficients (n,) in the dtype and on the device of the levels (n,).

        The levels are float32 for stamps with a level each, float64 for a sampler's.
        """

    def draw_sigmas(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw the training noise levels of n galaxies, float32 (n,).

        Their quantiles are stratified over the batch and shuffled, which lowers the variance of the
        loss (Kingma et al. 2021, app. I.1).
        """

    def loss_weight(self, sigma_n: Tensor) -> Tensor:
        """Return the weight (n,) of the squared error of D at each level."""

    def sampling_sigmas(self, steps: int, *, ancestral: bool) -> Tensor:
        """Return the levels that a sampler visits: float64, falling, then 0; (steps + 1,).

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
        With ``sigma_data``, ``sigma_skip`` and ``skip_power``.
    """

    def __init__(self, config: DiffusionConfig) -> None:
        self._config = config
        self._sigma_skip = config.sigma_skip or config.sigma_data

    @property
    def sigma_range(self) -> tuple[float, float]:
        """Least and greatest noise level; see `Preconditioning`."""
        return self._config.sigma_min, self._config.sigma_max

    def coefficients(self, sigma_n: Tensor) -> Coefficients:
        """Return the coefficients; see `Preconditioning`."""
        sigma_data = self._config.sigma_data
        odds = (sigma_n / self._sigma_skip) ** self._config.skip_power
        skip = 1 / (1 + odds)
        out = torch.hypot(skip * odds * sigma_data, skip * sigma_n)  # skip * odds is 1 - skip
        return Coefficients(skip, out, (sigma_n**2 + sigma_data**2).rsqrt(), sigma_n.log() / 4)

    def draw_sigmas(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw log-normal levels (Karras et al. 2022, table 1); see `Preconditioning`."""
        u_n = _stratified(n, generator).double().clamp(1e-6, 1 - 1e-6)
        normal_n = torch.special.ndtri(u_n).float()
        log_sigma_n: Tensor = normal_n * self._config.log_sigma_std + self._config.log_sigma_mean
        return log_sigma_n.exp()

    def loss_weight(self, sigma_n: Tensor) -> Tensor:
        """Return (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 (Karras et al. 2022, table 1).

        It is the same whatever the skip connection, so that losses can be compared.
        """
        sigma_data = self._config.sigma_data
        weight_n: Tensor = (sigma_n**2 + sigma_data**2) / (sigma_n * sigma_data) ** 2
        return weight_n

    def sampling_sigmas(self, steps: int, *, ancestral: bool) -> Tensor:
        """Return the levels of `karras_sigmas`; see `Preconditioning`."""
        low, high = self.sigma_range
        return karras_sigmas(steps, self._config.sigma_last or low, high)


class VP:
    """Epsilon prediction over the linear-beta steps of a DDPM (Ho et al. 2020).

    Parameters
    ----------
    config : DiffusionConfig
        With ``timesteps``, ``beta_first`` and ``beta_last``.

    Attributes
    ----------
    training_sigmas : Tensor
        Noise levels of the T training steps, rising, float64 (T,).
    """

    def __init__(self, config: DiffusionConfig) -> None:
        self._config = config
        t = config.timesteps
        self.training_sigmas = vp_sigmas(t, t, config.beta_first, config.beta_last)[:-1].flip(0)
        log_sigmas = self.training_sigmas.log()
        self._log_sigmas = {dtype: log_sigmas.to(dtype) for dtype in (torch.float32, torch.float64)}

    @property
    def sigma_range(self) -> tuple[float, float]:
        """Least and greatest noise level; see `Preconditioning`."""
        return self.training_sigmas[0].item(), self.training_sigmas[-1].item()

    def coefficients(self, sigma_n: Tensor) -> Coefficients:
        """Return the coefficients; see `Preconditioning`.

        The level is the fractional step, linear in log sigma, 0 to 1.
        """
        grid = self._log_sigmas[sigma_n.dtype].to(sigma_n.device)
        log_sigma_n = sigma_n.log()
        upper = torch.searchsorted(grid, log_sigma_n.contiguous()).clamp(1, len(grid) - 1)
        low, high = grid[upper - 1], grid[upper]
        fraction = ((log_sigma_n - low) / (high - low)).clamp(0, 1)
        level = (upper - 1 + fraction) / (len(grid) - 1)
        return Coefficients(torch.ones_like(sigma_n), -sigma_n, (1 + sigma_n**2).rsqrt(), level)

    def draw_sigmas(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw uniform steps (Ho et al. 2020, alg. 1); see `Preconditioning`."""
        step_n = (_stratified(n, generator) * self._config.timesteps).long()
        return self.training_sigmas.float()[step_n]

    def loss_weight(self, sigma_n: Tensor) -> Tensor:
        """Return 1 / sigma^2, i.e. the epsilon loss of Ho et al. 2020, eq. 14."""
        return 1 / sigma_n**2

    def sampling_sigmas(self, steps: int, *, ancestral: bool) -> Tensor:
        """Return training steps for ancestral samplers, else `karras_sigmas`.

        See `Preconditioning`; the range of noise is that of the training steps.
        """
        config = self._config
        if ancestral:
            return vp_sigmas(steps, config.timesteps, config.beta_first, config.beta_last)
        return karras_sigmas(steps, *self.sigma_range)


_BY_NAME: dict[str, Callable[[DiffusionConfig], Preconditioning]] = {"edm": EDM, "vp": VP}


def make_preconditioning(config: DiffusionConfig) -> Preconditioning:
    """Make the preconditioning that a configuration names."""
    return _BY_NAME[config.preconditioning](config)


def _stratified(n: int, generator: torch.Generator) -> Tensor:
    """Return n quantiles in [0, 1), evenly spaced from a random start, in random order."""
    offset = torch.rand((), generator=generator)
    u_n = (torch.arange(n) / n + offset) % 1
    return u_n[torch.randperm(n, generator=generator)]
