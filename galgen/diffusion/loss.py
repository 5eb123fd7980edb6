"""Denoising loss."""

from __future__ import annotations

from torch import Tensor

from galgen.diffusion.denoiser import Denoiser
from galgen.model.embedding import Condition


def denoising_loss(
    denoiser: Denoiser, x_bhwc: Tensor, sigma_b: Tensor, noise_bhwc: Tensor, condition: Condition
) -> Tensor:
    """Weighted squared error of the denoiser per galaxy, (b,).

    The weight, that of the denoiser's preconditioning, lets every noise level have the same say
    (Karras et al. 2022, eq. 8; for epsilon prediction Ho et al. 2020, eq. 14).
    """
    noisy = x_bhwc + sigma_b[:, None, None, None] * noise_bhwc
    squared_b = (denoiser(noisy, sigma_b, condition) - x_bhwc).square().mean((1, 2, 3))
    return squared_b * denoiser.preconditioning.loss_weight(sigma_b)
