"""The Astro-RAB of GalCatDiff (arXiv:2506.16255): (conv block -> Attention Fusion Unit -> skip) x 2.

Shape suffixes: b batch, h/w map height and width, c channels, e embedding, n windows of all
images, k heads, t tokens of a window, d channels of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galgen.config import ModelConfig
from galgen.model.layers import Conv3x3, GroupNorm, Linear


class WindowAttention(nn.Module):
    """Multi-head self-attention inside square windows, with relative position bias (Liu et al. 2021).

    Shifted windows wrap round the stamp's edge without a mask: galaxies are centred, so what meets
    there is sky from both sides. A map that fits into one window is not shifted.
    """

    def __init__(self, channels: int, config: ModelConfig, *, shifted: bool):
        super().__init__()
        self.heads, self.window = channels // config.head_size, config.window
        self.shifted = shifted
        self.qkv = Linear(channels, 3 * channels, bias=False)
        self.projection = Linear(channels, channels, zero=True)
        span = 2 * config.window - 1
        self.position_bias = nn.Parameter(torch.zeros(self.heads, span * span))

    def _bias(self, wh: int, ww: int, device: torch.device) -> Tensor:
        """(k, t, t) bias of the offset between two cells of a wh x ww window."""
        y, x = torch.arange(wh, device=device), torch.arange(ww, device=device)
        dy = (y[:, None] - y[None, :] + self.window - 1)[:, None, :, None]
        dx = (x[:, None] - x[None, :] + self.window - 1)[None, :, None, :]
        index = (dy * (2 * self.window - 1) + dx).reshape(wh * ww, wh * ww)
        return self.position_bias[:, index]

    def forward(self, u_bhwc: Tensor) -> Tensor:
        b, h, w, c = u_bhwc.shape
        wh, ww = min(h, self.window), min(w, self.window)
        shift = (wh // 2 if h > wh else 0, ww // 2 if w > ww else 0) if self.shifted else (0, 0)
        if any(shift):
            u_bhwc = torch.roll(u_bhwc, (-shift[0], -shift[1]), (1, 2))
        x = self.qkv(u_bhwc).reshape(
            b, h // wh, wh, w // ww, ww, 3, self.heads, c // self.heads
        )
        q_nktd, k_nktd, v_nktd = (
            x.permute(5, 0, 1, 3, 6, 2, 4, 7)
            .reshape(3, -1, self.heads, wh * ww, c // self.heads)
            .unbind(0)
        )
        bias_ktt = self._bias(wh, ww, u_bhwc.device).to(q_nktd.dtype)
        # Spelled out: for windows this small it is faster than scaled_dot_product_attention.
        score_nktt = (q_nktd * q_nktd.shape[-1] ** -0.5) @ k_nktd.transpose(-1, -2) + bias_ktt
        y_nktd = score_nktt.softmax(-1).to(v_nktd.dtype) @ v_nktd
        y = y_nktd.reshape(b, h // wh, w // ww, self.heads, wh, ww, c // self.heads)
        y_bhwc = self.projection(y.permute(0, 1, 4, 2, 5, 3, 6).reshape(b, h, w, c))
        return torch.roll(y_bhwc, shift, (1, 2)) if any(shift) else y_bhwc


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
    """gate * windowed attention + (1 - gate) * convolution, the gate per image and channel.

    The gate looks at the pooled *input* of the unit and at the embedding, never at the branches'
    outputs, so that gate and residual can live in the epilogue of one fused kernel.
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

    def forward(self, u_bhwc: Tensor, pooled_bc: Tensor, embedding_be: Tensor) -> Tensor:
        if self.attention is None:
            return self.convolution(u_bhwc)
        if self.convolution is None:
            return self.attention(u_bhwc)
        gate_bc = torch.sigmoid(self.gate(torch.cat([pooled_bc, embedding_be], dim=1)))
        gate = gate_bc[:, None, None, :]
        return gate * self.attention(u_bhwc) + (1 - gate) * self.convolution(u_bhwc)


class HalfBlock(nn.Module):
    """Convolution block, Attention Fusion Unit and skip connection: half of an Astro-RAB."""

    def __init__(self, channels: int, config: ModelConfig, *, shifted: bool):
        super().__init__()
        self.norm_in = GroupNorm(channels, config.group_size)
        self.convolution = Conv3x3(channels, channels)
        self.norm_unit = GroupNorm(channels, config.group_size)
        self.modulation = Linear(config.embedding, 2 * channels)
        self.unit = AttentionFusionUnit(channels, config, shifted=shifted)

    def forward(self, x_bhwc: Tensor, embedding_be: Tensor) -> Tensor:
        h_bhwc = self.norm_unit(self.convolution(F.silu(self.norm_in(x_bhwc))))
        scale_bc, shift_bc = self.modulation(embedding_be).chunk(2, dim=1)
        # The mean of the normalised map follows from its channel statistics: no extra pass.
        pooled_bc = h_bhwc.mean((1, 2))
        u_bhwc = F.silu(h_bhwc * (1 + scale_bc[:, None, None]) + shift_bc[:, None, None])
        return x_bhwc + self.unit(u_bhwc, pooled_bc, embedding_be)


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
