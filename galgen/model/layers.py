"""Layers on channels-last tensors.

Shape suffixes: b batch, h/w map height and width, c channels, e embedding, t tokens of a window.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from galgen_kernels import convolution_3x3, group_norm, group_norm_silu


class Linear(nn.Linear):
    """Affine map of the last axis; `zero` starts it at zero so that a residual branch is silent."""

    def __init__(self, features_in: int, features_out: int, *, bias: bool = True, zero=False):
        super().__init__(features_in, features_out, bias=bias)
        nn.init.zeros_(self.weight) if zero else nn.init.normal_(self.weight, std=features_in**-0.5)
        if bias:
            nn.init.zeros_(self.bias)


class Conv3x3(nn.Module):
    """3x3 convolution, padding 1, NHWC.

    The weight is kept as the matrix of the implicit GEMM, (out, 3 * 3 * in) with the input
    channel fastest: a view of it is a channels-last convolution weight, a fused kernel reads it as
    it stands, and an optimizer for matrices can treat it as one.
    """

    def __init__(self, channels_in: int, channels_out: int, *, zero: bool = False):
        super().__init__()
        weight = torch.randn(channels_out, 9 * channels_in) * (9 * channels_in) ** -0.5
        self.weight = nn.Parameter(torch.zeros_like(weight) if zero else weight)
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x_bhwc: Tensor) -> Tensor:
        return convolution_3x3(x_bhwc, self.weight, self.bias)


class GroupNorm(nn.Module):
    """Group normalisation over (h, w, channels of the group), NHWC, without affine parameters."""

    def __init__(self, channels: int, group_size: int, eps: float = 1e-5):
        super().__init__()
        self.groups, self.eps = channels // group_size, eps

    def forward(self, x_bhwc: Tensor) -> Tensor:
        return group_norm(x_bhwc, self.groups, self.eps)


class GroupNormSiLU(GroupNorm):
    """Group normalisation, modulation by an embedding where one is given, and SiLU; NHWC."""

    def forward(self, x_bhwc: Tensor, modulation_bc: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the activated map, and the mean (b, c) of the normalised one."""
        return group_norm_silu(x_bhwc, self.groups, modulation_bc, self.eps)


class FourierFeatures(nn.Module):
    """Sinusoidal features of a scalar, geometrically spaced frequencies (Vaswani et al. 2017)."""

    def __init__(self, width: int, lowest: float = 0.25, highest: float = 64.0):
        super().__init__()
        steps = torch.linspace(math.log(lowest), math.log(highest), width // 2)
        self.register_buffer("frequency", steps.exp(), persistent=False)

    def forward(self, value_b: Tensor) -> Tensor:
        phase = value_b.float()[:, None] * self.frequency
        return torch.cat([phase.cos(), phase.sin()], dim=1)


def space_to_depth(x_bhwc: Tensor, factor: int) -> Tensor:
    """(b, h, w, c) -> (b, h/factor, w/factor, factor * factor * c)."""
    b, h, w, c = x_bhwc.shape
    x = x_bhwc.reshape(b, h // factor, factor, w // factor, factor, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(b, h // factor, w // factor, factor * factor * c)


def depth_to_space(x_bhwc: Tensor, factor: int) -> Tensor:
    """Inverse of `space_to_depth`."""
    b, h, w, c = x_bhwc.shape
    x = x_bhwc.reshape(b, h, w, factor, factor, c // factor**2)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(b, h * factor, w * factor, c // factor**2)


def centre_coordinates(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """(height, width, 3) map of x, y and r^2 from the stamp centre, edges at +-1.

    Galaxies are centred in their stamps; convolutions alone cannot tell where that is.
    """
    y = (2 * torch.arange(height, device=device) + 1) / height - 1
    x = (2 * torch.arange(width, device=device) + 1) / width - 1
    y_hw, x_hw = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x_hw, y_hw, x_hw**2 + y_hw**2], dim=-1)
