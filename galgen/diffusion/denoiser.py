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

    Attributes
    ----------
    config : DiffusionConfig
    preconditioning : EDM or VP
    net : UNet
        F.
    """

    def __init__(self, model: ModelConfig, diffusion: DiffusionConfig, tree: Taxonomy = DEFAULT):
        super().__init__()
        self.config = diffusion
        self.preconditioning = make_preconditioning(diffusion)
        self.net = UNet(model, tree)

    def cast(self, dtype: torch.dtype) -> Self:
        """A copy whose network computes in `dtype`; see `UNet.cast`."""
        # With the cast network in place of its own: it is copied once, not twice.
        return copy.deepcopy(self, {id(self.net): self.net.cast(dtype)})

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
        c = self.preconditioning.coefficients(sigma_b.float())
        skip, out, scale = (t[:, None, None, None] for t in (c.skip, c.out, c.scale))
        return skip * x_bhwc + out * self.net(scale * x_bhwc, c.level, condition)
