"""The loss that a denoiser is trained with."""

from __future__ import annotations

from torch import Tensor

from galgen.diffusion.denoiser import Denoiser
from galgen.model.embedding import Condition


def denoising_loss(
    denoiser: Denoiser, x_nhwc: Tensor, sigma_n: Tensor, noise_nhwc: Tensor, condition: Condition
) -> Tensor:
    """Weigh the squared error of the denoiser for each galaxy.

    The weight, that of the denoiser's preconditioning, lets every noise level have the same say
    (Karras et al. 2022, eq. 8; for epsilon prediction Ho et al. 2020, eq. 14).

    Parameters
    ----------
    denoiser : Denoiser
        What is trained.
    x_nhwc : Tensor
        Clean stamps in model space, (n, h, w, bands).
    sigma_n : Tensor
        Noise level of each stamp.
    noise_nhwc : Tensor
        Standard normal noise like `x_nhwc`.
    condition : Condition
        What each galaxy is.

    Returns
    -------
    Tensor
        Loss of each galaxy, (n,).
    """
    noisy = x_nhwc + sigma_n[:, None, None, None] * noise_nhwc
    squared_n = (denoiser(noisy, sigma_n, condition) - x_nhwc).square().mean((1, 2, 3))
    loss_n: Tensor = squared_n * denoiser.preconditioning.loss_weight(sigma_n)
    return loss_n
