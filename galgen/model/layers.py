"""Layers on channels-last tensors.

Shape suffixes: n galaxies, h/w map height and width, c channels, e embedding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from galgen_kernels import convolution_3x3, group_norm, group_norm_silu


class Linear(nn.Linear):
    """Affine map of the last axis.

    Parameters
    ----------
    features_in, features_out : int
        Length of the last axis before and after.
    bias : bool
        Add a bias, which starts at zero.
    zero : bool
        Start with weights of zero, so that a residual branch is silent, instead of normal ones that
        keep unit variance.
    """

    def __init__(
        self, features_in: int, features_out: int, *, bias: bool = True, zero: bool = False
    ) -> None:
        super().__init__(features_in, features_out, bias=bias)
        nn.init.zeros_(self.weight) if zero else nn.init.normal_(self.weight, std=features_in**-0.5)
        if bias:
            nn.init.zeros_(self.bias)


class Conv3x3(nn.Module):
    """3x3 convolution of channels-last maps, padded by one cell of zeros.

    The weight is kept as the matrix of the implicit GEMM, (out, 3 * 3 * in) with the input
    channel fastest: a view of it is a channels-last convolution weight, a fused kernel reads it as
    it stands, and an optimizer for matrices can treat it as one.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels of the map before and after.
    zero : bool
        Start with weights of zero, so that a residual branch is silent, instead of normal ones that
        keep unit variance.
    """

    def __init__(self, channels_in: int, channels_out: int, *, zero: bool = False) -> None:
        super().__init__()
        weight = torch.randn(channels_out, 9 * channels_in) * (9 * channels_in) ** -0.5
        self.weight = nn.Parameter(torch.zeros_like(weight) if zero else weight)
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x_nhwc: Tensor) -> Tensor:
        """Convolve a map (n, h, w, channels in) to (n, h, w, channels out)."""
        return convolution_3x3(x_nhwc, self.weight, self.bias)


class GroupNorm(nn.Module):
    """Group normalisation without affine parameters (Wu & He 2018, arXiv:1803.08494).

    Mean and variance are those of a galaxy's whole map in the channels of a group.

    Parameters
    ----------
    channels, group_size : int
        Channels of the map and of a group.
    eps : float
        Added to the variance.
    """

    def __init__(self, channels: int, group_size: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.groups, self.eps = channels // group_size, eps

    def forward(self, x_nhwc: Tensor) -> Tensor:
        """Normalise a map."""
        return group_norm(x_nhwc, self.groups, self.eps)


class GroupNormSiLU(GroupNorm):
    """Group normalisation and SiLU."""

    def forward(self, x_nhwc: Tensor) -> Tensor:
        """Normalise and activate a map."""
        activated_nhwc, _ = group_norm_silu(x_nhwc, self.groups, eps=self.eps)
        return activated_nhwc


class ModulatedGroupNormSiLU(nn.Module):
    """Group normalisation, scale and shift by an embedding, and SiLU.

    Parameters
    ----------
    channels, group_size : int
        Channels of the map and of a group.
    eps : float
        Added to the variance.
    """

    def __init__(self, channels: int, group_size: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.groups, self.eps = channels // group_size, eps

    def forward(self, x_nhwc: Tensor, modulation_nc: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise, modulate and activate a map.

        Parameters
        ----------
        x_nhwc : Tensor
            The map.
        modulation_nc : Tensor
            Scales, less 1, and shifts, (n, 2 c).

        Returns
        -------
        Tensor
            The activated map, like `x_nhwc`.
        Tensor
            Mean of the normalised map before it is modulated, (n, c).
        """
        return group_norm_silu(x_nhwc, self.groups, modulation_nc, self.eps)


class FourierFeatures(nn.Module):
    """Sinusoidal features of a scalar, geometrically spaced frequencies (Vaswani et al. 2017).

    Parameters
    ----------
    width : int
        Number of features, half of them cosines and half sines.
    lowest, highest : float
        First and last frequency, radians per unit of the scalar.
    """

    frequency: Tensor

    def __init__(self, width: int, lowest: float = 0.25, highest: float = 64.0) -> None:
        super().__init__()
        steps = torch.linspace(math.log(lowest), math.log(highest), width // 2)
        self.register_buffer("frequency", steps.exp(), persistent=False)

    def forward(self, value_n: Tensor) -> Tensor:
        """Return the features (n, width) of values (n,), float32."""
        phase = value_n.float()[:, None] * self.frequency
        return torch.cat([phase.cos(), phase.sin()], dim=1)


def space_to_depth(x_nhwc: Tensor, factor: int) -> Tensor:
    """Pack cells: (n, h, w, c) -> (n, h/factor, w/factor, factor * factor * c)."""
    n, h, w, c = x_nhwc.shape
    x = x_nhwc.reshape(n, h // factor, factor, w // factor, factor, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(n, h // factor, w // factor, factor * factor * c)


def depth_to_space(x_nhwc: Tensor, factor: int) -> Tensor:
    """Unpack cells, the inverse of `space_to_depth`."""
    n, h, w, c = x_nhwc.shape
    x = x_nhwc.reshape(n, h, w, factor, factor, c // factor**2)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(n, h * factor, w * factor, c // factor**2)


def centre_coordinates(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Map x, y and r^2 from the stamp's centre, whose edges are at +-1, as (height, width, 3).

    Galaxies are centred in their stamps; convolutions alone cannot tell where that is.
    """
    y = (2 * torch.arange(height, device=device) + 1) / height - 1
    x = (2 * torch.arange(width, device=device) + 1) / width - 1
    y_hw, x_hw = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x_hw, y_hw, x_hw**2 + y_hw**2], dim=-1)
