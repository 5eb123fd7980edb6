"""Preconditioned denoisers D(x; sigma): the network as every sampler sees it.

All noise levels are in the variance-exploding form x = x0 + sigma * eps, also for `vp`, whose
variance-preserving state is x / sqrt(1 + sigma^2) (Karras et al. 2022, eq. 7 and table 1).
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from galgen.categories import DEFAULT, Taxonomy
from galgen.config import DiffusionConfig, ModelConfig
from galgen.diffusion.schedule import vp_sigmas
from galgen.model.embedding import Condition
from galgen.model.unet import UNet


def vp_training_sigmas(config: DiffusionConfig) -> Tensor:
    """Noise levels of the T training steps of a linear-beta DDPM, rising, float64 (T,)."""
    t = config.timesteps
    return vp_sigmas(t, t, config.beta_first, config.beta_last)[:-1].flip(0)


@functools.cache
def _log_training_sigmas(config: DiffusionConfig) -> np.ndarray:
    return vp_training_sigmas(config).log().numpy()


class Preconditioning(NamedTuple):
    """D(x; sigma) = skip x + out F(network_in x; noise_level) at one sigma."""

    skip: float
    out: float
    network_in: float
    noise_level: float


def preconditioning(config: DiffusionConfig, sigma: float) -> Preconditioning:
    """What `Denoiser.forward` computes per stamp, for one noise level and in float64.

    A sampler's levels are known on the host: there the coefficients of a step can be combined into
    one weight per tensor, without waiting for an accelerator.
    """
    if config.preconditioning == "edm":
        sigma_data = config.sigma_data
        norm = math.hypot(sigma, sigma_data)
        skip, out = (sigma_data / norm) ** 2, sigma * sigma_data / norm
        return Preconditioning(skip, out, 1 / norm, math.log(sigma) / 4)
    log_sigmas = _log_training_sigmas(config)
    step = np.interp(math.log(sigma), log_sigmas, np.linspace(0, 1, len(log_sigmas)))
    return Preconditioning(1.0, -sigma, 1 / math.hypot(1, sigma), float(step))


class Denoiser(nn.Module):
    """D(x; sigma, condition) = c_skip x + c_out F(c_in x; c_noise, condition).

    Parameters
    ----------
    model, diffusion : ModelConfig, DiffusionConfig
        Shape of the network and its preconditioning.
    tree : Taxonomy
        The categories it can be asked for.
    """

    def __init__(self, model: ModelConfig, diffusion: DiffusionConfig, tree: Taxonomy = DEFAULT):
        super().__init__()
        self.config = diffusion
        self.net = UNet(model, tree)
        if diffusion.preconditioning == "vp":
            sigmas = vp_training_sigmas(diffusion).float()
            self.register_buffer("log_sigmas", sigmas.log(), persistent=False)

    def forward(self, x_bhwc: Tensor, sigma_b: Tensor, condition: Condition) -> Tensor:
        """Denoise stamps.

        Parameters
        ----------
        x_bhwc : Tensor
            Noisy stamps in model space, (b, h, w, bands).
        sigma_b : Tensor
            Noise level of each stamp.
        condition : Condition
            What is asked of each galaxy.

        Returns
        -------
        Tensor
            Expected clean stamps, float32, same shape.
        """
        sigma_b = sigma_b.float()
        sigma = sigma_b[:, None, None, None]
        if self.config.preconditioning == "edm":
            sigma_data = self.config.sigma_data
            variance = sigma**2 + sigma_data**2
            c_skip, c_out = sigma_data**2 / variance, sigma * sigma_data / variance.sqrt()
            c_in, c_noise_b = variance.rsqrt(), sigma_b.log() / 4
        else:
            c_skip, c_out, c_in = torch.ones_like(sigma), -sigma, (1 + sigma**2).rsqrt()
            c_noise_b = self._timestep(sigma_b)
        return c_skip * x_bhwc + c_out * self.net(c_in * x_bhwc, c_noise_b, condition)

    def _timestep(self, sigma_b: Tensor) -> Tensor:
        """Fractional training step of a noise level, in [0, 1], by interpolation in log sigma."""
        log_sigma_b = sigma_b.log()
        grid = self.log_sigmas
        upper = torch.searchsorted(grid, log_sigma_b.contiguous()).clamp(1, len(grid) - 1)
        lo, hi = grid[upper - 1], grid[upper]
        fraction = ((log_sigma_b - lo) / (hi - lo)).clamp(0, 1)
        return (upper - 1 + fraction) / (len(grid) - 1)
