"""The denoiser D(x; sigma): the network as every sampler sees it."""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor, nn

from galgen.categories import DEFAULT, Taxonomy
from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.preconditioning import make_preconditioning
from galgen.model.config import ModelConfig
from galgen.model.embedding import Condition
from galgen.model.unet import UNet


class Denoiser(nn.Module):
    """D(x; sigma, condition) = c_skip x + c_out F(c_in x; c_noise, condition).

    Parameters
    ----------
    model, diffusion : ModelConfig, DiffusionConfig
        Shape of the network and its preconditioning.
    tree : Taxonomy
        The categories it can be asked for.
    finished : bool
        Whether there is a finisher.

    Attributes
    ----------
    config : DiffusionConfig
        What the network is asked for.
    preconditioning : Preconditioning
        The coefficients c.
    net : UNet
        The network F.
    finisher : UNet or None
        A network of the same shape for the last step of a sampler, from ``sigma_last``. In place of
        the mean of all stamps that a noisy one can come from it draws one of them.
    """

    finisher: UNet | None

    def __init__(
        self,
        model: ModelConfig,
        diffusion: DiffusionConfig,
        tree: Taxonomy = DEFAULT,
        *,
        finished: bool = False,
    ) -> None:
        super().__init__()
        self.config = diffusion
        self.preconditioning = make_preconditioning(diffusion)
        self.net = UNet(model, tree)
        self.finisher = UNet(model, tree) if finished else None

    @property
    def networks(self) -> tuple[UNet, ...]:
        """The network F and, where there is one, the finisher."""
        return (self.net,) if self.finisher is None else (self.net, self.finisher)

    def cast(self, dtype: torch.dtype) -> Self:
        """Return a copy whose networks compute in `dtype`; see `UNet.cast`."""
        # With the cast networks in place of its own: they are copied once, not twice.
        return copy.deepcopy(self, {id(net): net.cast(dtype) for net in self.networks})

    def forward(self, x_nhwc: Tensor, sigma_n: Tensor, condition: Condition) -> Tensor:
        """Denoise stamps.

        Parameters
        ----------
        x_nhwc : Tensor
            Noisy stamps in model space, (n, h, w, bands).
        sigma_n : Tensor
            Noise level of each stamp, (n,).
        condition : Condition
            What is asked of each galaxy.

        Returns
        -------
        Tensor
            Expected clean stamps, float32, same shape.
        """
        c = self.preconditioning.coefficients(sigma_n.float())
        skip, out, scale = (t[:, None, None, None] for t in (c.skip, c.out, c.scale))
        denoised_nhwc: Tensor = skip * x_nhwc + out * self.net(scale * x_nhwc, c.level, condition)
        return denoised_nhwc
