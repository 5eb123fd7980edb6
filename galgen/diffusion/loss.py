"""Denoising loss and the noise levels it is trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from galgen.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser, vp_training_sigmas
from galgen.model.embedding import Condition


def draw_sigmas(config: DiffusionConfig, n: int, generator: torch.Generator) -> Tensor:
    """Training noise levels of n galaxies.

    Log-normal for `edm` (Karras et al. 2022, table 1), uniform steps for `vp` (Ho et al. 2020). The
    quantiles are stratified over the batch, which lowers the variance of the loss (Kingma et al.
    2021, app. I.1).
    """
    offset = torch.rand((), generator=generator)
    u_n = (torch.arange(n) / n + offset) % 1
    u_n = u_n[torch.randperm(n, generator=generator)]
    if config.preconditioning == "vp":
        return vp_training_sigmas(config).float()[(u_n * config.timesteps).long()]
    normal_n = torch.special.ndtri(u_n.double().clamp(1e-6, 1 - 1e-6)).float()
    return (normal_n * config.log_sigma_std + config.log_sigma_mean).exp()


def denoising_loss(
    denoiser: Denoiser, x_bhwc: Tensor, sigma_b: Tensor, noise_bhwc: Tensor, condition: Condition
) -> Tensor:
    """Weighted squared error of the denoiser per galaxy, (b,).

    The weight makes the network's own target unit variance at every noise level: Karras et al.
    2022, eq. 8 for `edm`; 1 / sigma^2, i.e. the epsilon loss of Ho et al. 2020, eq. 14, for `vp`.
    """
    config = denoiser.config
    noisy = x_bhwc + sigma_b[:, None, None, None] * noise_bhwc
    squared_b = (denoiser(noisy, sigma_b, condition) - x_bhwc).square().mean((1, 2, 3))
    if config.preconditioning == "vp":
        return squared_b / sigma_b**2
    sigma_data = config.sigma_data
    return squared_b * (sigma_b**2 + sigma_data**2) / (sigma_b * sigma_data) ** 2
