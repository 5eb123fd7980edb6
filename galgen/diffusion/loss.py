"""The loss that a denoiser is trained with."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from galgen.diffusion.denoiser import Denoiser
from galgen.model.embedding import Condition

_DARK = 1e-12  # mean light of a stamp without any

LightMap = Callable[[Tensor], Tensor]
"""A function from stamps in model space to their light per pixel (n, h, w, 1), 0 or more."""


def denoising_loss(
    denoiser: Denoiser,
    x_nhwc: Tensor,
    sigma_n: Tensor,
    noise_nhwc: Tensor,
    condition: Condition,
    *,
    light: LightMap | None = None,
    light_share: float = 0.0,
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
    light : callable, optional
        Light of each pixel of stamps in model space.
    light_share : float
        Which part of a galaxy's loss is spread over its pixels by their light, the rest being
        spread evenly. Most of a stamp is sky, while what measures a galaxy sums flux. As the light
        is that of the denoiser's own answer, a function of what the denoiser is given, the answer
        with the least loss stays the expected clean stamp.

    Returns
    -------
    Tensor
        Loss of each galaxy, (n,).
    """
    noisy = x_nhwc + sigma_n[:, None, None, None] * noise_nhwc
    denoised_nhwc = denoiser(noisy, sigma_n, condition)
    squared_nhwc = (denoised_nhwc - x_nhwc).square()
    if light is not None and light_share > 0:
        light_nhw1 = light(denoised_nhwc.detach())
        by_light_nhw1 = light_nhw1 / light_nhw1.mean((1, 2, 3), keepdim=True).clamp(min=_DARK)
        squared_nhwc = squared_nhwc * (1 - light_share + light_share * by_light_nhw1)
    squared_n = squared_nhwc.mean((1, 2, 3))
    loss_n: Tensor = squared_n * denoiser.preconditioning.loss_weight(sigma_n)
    return loss_n
