"""The Astro-RAB of GalCatDiff (arXiv:2506.16255): conv block, Attention Fusion Unit, skip, twice.

Shape suffixes: b batch, h/w map height and width, c channels, e embedding, k heads, t cells of a
map, d channels of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galgen.model.config import ModelConfig
from galgen.model.layers import Conv3x3, GroupNorm, GroupNormSiLU, Linear
from galgen_kernels import FusionWeights, attention_fusion, window_attention


class WindowAttention(nn.Module):
    """Multi-head self-attention in square windows with relative position bias (Liu et al. 2021).

    Shifted windows wrap round the stamp's edge without a mask: galaxies are centred, so what meets
    there is sky from both sides. A map that fits into one window is not shifted.
    """

    def __init__(self, channels: int, config: ModelConfig, *, shifted: bool):
        super().__init__()
        self.window, self.shifted = config.window, shifted
        self.qkv = Linear(channels, 3 * channels, bias=False)
        self.projection = Linear(channels, channels, zero=True)
        span = 2 * config.window - 1
        self.position_bias = nn.Parameter(torch.zeros(channels // config.head_size, span * span))

    def forward(self, u_bhwc: Tensor) -> Tensor:
        return window_attention(
            u_bhwc,
            self.qkv.weight,
            self.position_bias,
            self.projection.weight,
            self.projection.bias,
            self.window,
            shifted=self.shifted,
        )


class GlobalAttention(nn.Module):
    """Residual self-attention over the whole map, as in the DDPM U-Net (Ho et al. 2020, app. B)."""

    def __init__(self, channels: int, config: ModelConfig):
        super().__init__()
        self.heads = channels // config.head_size
        self.norm = GroupNorm(channels, config.group_size)
        self.qkv = Linear(channels, 3 * channels, bias=False)
        self.projection = Linear(channels, channels, zero=True)

    def forward(self, x_bhwc: Tensor) -> Tensor:
        b, h, w, c = x_bhwc.shape
        qkv = self.qkv(self.norm(x_bhwc)).reshape(b, h * w, 3, self.heads, c // self.heads)
        y_bktd = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4).unbind(0))
        return x_bhwc + self.projection(y_bktd.transpose(1, 2).reshape(b, h, w, c))


class AttentionFusionUnit(nn.Module):
    """residual + gate * windowed attention + (1 - gate) * convolution.

    The gate, one per image and channel, looks at the pooled *input* of the unit and at the
    embedding, never at the branches' outputs, so that gate and residual can live in the epilogue of
    one fused kernel.
    """

    def __init__(self, channels: int, config: ModelConfig, *, shifted: bool):
        super().__init__()
        self.convolution = self.attention = self.gate = None
        if config.fusion != "attention":
            self.convolution = Conv3x3(channels, channels, zero=True)
        if config.fusion in ("gated", "attention"):
            self.attention = WindowAttention(channels, config, shifted=shifted)
        if config.fusion == "gated":
            self.gate = Linear(channels + config.embedding, channels, zero=True)

    def forward(
        self, u_bhwc: Tensor, residual_bhwc: Tensor, pooled_bc: Tensor, embedding_be: Tensor
    ) -> Tensor:
        if self.attention is None:
            return residual_bhwc + self.convolution(u_bhwc)
        if self.convolution is None:
            return residual_bhwc + self.attention(u_bhwc)
        gate_bc = torch.sigmoid(self.gate(torch.cat([pooled_bc, embedding_be], dim=1)))
        weights = FusionWeights(
            self.attention.qkv.weight,
            self.attention.position_bias,
            self.attention.projection.weight,
            self.attention.projection.bias,
            self.convolution.weight,
            self.convolution.bias,
        )
        return attention_fusion(
            u_bhwc,
            residual_bhwc,
            gate_bc,
            weights,
            self.attention.window,
            shifted=self.attention.shifted,
        )


class HalfBlock(nn.Module):
    """Convolution block, Attention Fusion Unit and skip connection: half of an Astro-RAB."""

    def __init__(self, channels: int, config: ModelConfig, *, shifted: bool):
        super().__init__()
        self.norm_in = GroupNormSiLU(channels, config.group_size)
        self.convolution = Conv3x3(channels, channels)
        self.norm_unit = GroupNormSiLU(channels, config.group_size)
        self.modulation = Linear(config.embedding, 2 * channels)
        self.unit = AttentionFusionUnit(channels, config, shifted=shifted)

    def forward(self, x_bhwc: Tensor, embedding_be: Tensor) -> Tensor:
        h_bhwc, _ = self.norm_in(x_bhwc)
        h_bhwc = self.convolution(h_bhwc)
        u_bhwc, pooled_bc = self.norm_unit(h_bhwc, self.modulation(embedding_be))
        return self.unit(u_bhwc, x_bhwc, pooled_bc, embedding_be)


class AstroRAB(nn.Module):
    """Two half-blocks, the second with shifted windows."""

    def __init__(self, channels: int, config: ModelConfig, *, coarsest: bool = False):
        super().__init__()
        self.halves = nn.ModuleList(
            HalfBlock(channels, config, shifted=shifted) for shifted in (False, True)
        )
        self.global_attention = (
            GlobalAttention(channels, config) if config.fusion == "plain" and coarsest else None
        )

    def forward(self, x_bhwc: Tensor, embedding_be: Tensor) -> Tensor:
        for half in self.halves:
            x_bhwc = half(x_bhwc, embedding_be)
        return x_bhwc if self.global_attention is None else self.global_attention(x_bhwc)
