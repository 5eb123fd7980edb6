"""The Astro-RAB of GalCatDiff (arXiv:2506.16255): conv block, Attention Fusion Unit, skip, twice.

Shape suffixes: n galaxies, h/w map height and width, c channels, e embedding, k heads, t cells of a
map, d channels of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galgen.model.config import ModelConfig
from galgen.model.layers import (
    Conv3x3,
    GroupNorm,
    GroupNormSiLU,
    Linear,
    ModulatedGroupNormSiLU,
)
from galgen_kernels import FusionWeights, attention_fusion, window_attention


class WindowAttention(nn.Module):
    """Multi-head self-attention in square windows with relative position bias (Liu et al. 2021).

    Shifted windows wrap round the stamp's edge without a mask: galaxies are centred, so what meets
    there is sky from both sides. A map that fits into one window is not shifted.

    Parameters
    ----------
    channels : int
        Channels of the map.
    config : ModelConfig
        Side of the window and channels of a head.
    shifted : bool
        Shift the windows by half of their side.
    """

    def __init__(self, channels: int, config: ModelConfig, *, shifted: bool) -> None:
        super().__init__()
        self.window, self.shifted = config.window, shifted
        self.qkv = Linear(channels, 3 * channels, bias=False)
        self.projection = Linear(channels, channels, zero=True)
        span = 2 * config.window - 1
        self.position_bias = nn.Parameter(torch.zeros(channels // config.head_size, span * span))

    def forward(self, u_nhwc: Tensor) -> Tensor:
        """Attend within the windows of a map; the result is like the map."""
        return window_attention(
            u_nhwc,
            self.qkv.weight,
            self.position_bias,
            self.projection.weight,
            self.projection.bias,
            self.window,
            shifted=self.shifted,
        )


class GlobalAttention(nn.Module):
    """Residual self-attention over the whole map, as in the DDPM U-Net (Ho et al. 2020, app. B).

    Parameters
    ----------
    channels : int
        Channels of the map.
    config : ModelConfig
        Channels of a head and of a normalisation group.
    """

    def __init__(self, channels: int, config: ModelConfig) -> None:
        super().__init__()
        self.heads = channels // config.head_size
        self.norm = GroupNorm(channels, config.group_size)
        self.qkv = Linear(channels, 3 * channels, bias=False)
        self.projection = Linear(channels, channels, zero=True)

    def forward(self, x_nhwc: Tensor) -> Tensor:
        """Add to a map what its cells take from each other."""
        n, h, w, c = x_nhwc.shape
        qkv = self.qkv(self.norm(x_nhwc)).reshape(n, h * w, 3, self.heads, c // self.heads)
        y_nktd = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4).unbind(0))
        out_nhwc: Tensor = x_nhwc + self.projection(y_nktd.transpose(1, 2).reshape(n, h, w, c))
        return out_nhwc


class AttentionFusionUnit(nn.Module):
    """Residual + gate * windowed attention + (1 - gate) * convolution.

    The gate, one per galaxy and channel, looks at the pooled *input* of the unit and at the
    embedding, never at the branches' outputs, so that gate and residual can live in the epilogue of
    one fused kernel. For an ablation there is no gate and one branch only.

    Parameters
    ----------
    channels : int
        Channels of the map.
    config : ModelConfig
        What is fused, the window and the width of the embedding.
    shifted : bool
        Shift the windows.

    Attributes
    ----------
    convolution : Conv3x3
        Unless the fusion is ``attention``.
    attention : WindowAttention
        If it is ``gated`` or ``attention``.
    gate : Linear
        If it is ``gated``.
    """

    convolution: Conv3x3
    attention: WindowAttention
    gate: Linear

    def __init__(self, channels: int, config: ModelConfig, *, shifted: bool) -> None:
        super().__init__()
        self.fusion = config.fusion
        if config.fusion != "attention":
            self.convolution = Conv3x3(channels, channels, zero=True)
        if config.fusion in ("gated", "attention"):
            self.attention = WindowAttention(channels, config, shifted=shifted)
        if config.fusion == "gated":
            self.gate = Linear(channels + config.embedding, channels, zero=True)

    def forward(
        self, u_nhwc: Tensor, residual_nhwc: Tensor, pooled_nc: Tensor, embedding_ne: Tensor
    ) -> Tensor:
        """Fuse what the branches make of a map.

        Parameters
        ----------
        u_nhwc : Tensor
            Input of the branches.
        residual_nhwc : Tensor
            What their sum is added to.
        pooled_nc : Tensor
            Mean of the input before modulation, (n, c).
        embedding_ne : Tensor
            What steers the network, (n, e).

        Returns
        -------
        Tensor
            Like `residual_nhwc`.
        """
        if self.fusion != "gated":
            branch = self.attention if self.fusion == "attention" else self.convolution
            fused_nhwc: Tensor = residual_nhwc + branch(u_nhwc)
            return fused_nhwc
        gate_nc = torch.sigmoid(self.gate(torch.cat([pooled_nc, embedding_ne], dim=1)))
        weights = FusionWeights(
            self.attention.qkv.weight,
            self.attention.position_bias,
            self.attention.projection.weight,
            self.attention.projection.bias,
            self.convolution.weight,
            self.convolution.bias,
        )
        return attention_fusion(
            u_nhwc,
            residual_nhwc,
            gate_nc,
            weights,
            self.attention.window,
            shifted=self.attention.shifted,
        )


class HalfBlock(nn.Module):
    """Convolution block, Attention Fusion Unit and skip connection: half of an Astro-RAB.

    Parameters
    ----------
    channels : int
        Channels of the map.
    config : ModelConfig
        Shape of the network.
    shifted : bool
        Shift the windows of its attention.
    """

    def __init__(self, channels: int, config: ModelConfig, *, shifted: bool) -> None:
        super().__init__()
        self.norm_in = GroupNormSiLU(channels, config.group_size)
        self.convolution = Conv3x3(channels, channels)
        self.norm_unit = ModulatedGroupNormSiLU(channels, config.group_size)
        self.modulation = Linear(config.embedding, 2 * channels)
        self.unit = AttentionFusionUnit(channels, config, shifted=shifted)

    def forward(self, x_nhwc: Tensor, embedding_ne: Tensor) -> Tensor:
        """Return a map like `x_nhwc`, steered by an embedding (n, e)."""
        h_nhwc = self.convolution(self.norm_in(x_nhwc))
        u_nhwc, pooled_nc = self.norm_unit(h_nhwc, self.modulation(embedding_ne))
        out_nhwc: Tensor = self.unit(u_nhwc, x_nhwc, pooled_nc, embedding_ne)
        return out_nhwc


class AstroRAB(nn.Module):
    """Two half-blocks, the second with shifted windows.

    Parameters
    ----------
    channels : int
        Channels of the map.
    config : ModelConfig
        Shape of the network.
    coarsest : bool
        Whether it is in the middle of the network, where the ``plain`` fusion attends to the whole
        map.
    """

    def __init__(self, channels: int, config: ModelConfig, *, coarsest: bool = False) -> None:
        super().__init__()
        self.halves = nn.ModuleList(
            HalfBlock(channels, config, shifted=shifted) for shifted in (False, True)
        )
        self.global_attention = (
            GlobalAttention(channels, config) if config.fusion == "plain" and coarsest else None
        )

    def forward(self, x_nhwc: Tensor, embedding_ne: Tensor) -> Tensor:
        """Return a map like `x_nhwc`, steered by an embedding (n, e)."""
        for half in self.halves:
            x_nhwc = half(x_nhwc, embedding_ne)
        return x_nhwc if self.global_attention is None else self.global_attention(x_nhwc)
