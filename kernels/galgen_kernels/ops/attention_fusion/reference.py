"""What the operations mean: formulas to read, to compile, and to hold every other form against.

Shape suffixes: b batch, h/w map height and width, c channels, n windows of all images, k heads,
t cells of a window, d channels of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def group_norm(x_bhwc: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """Normalise over (h, w, channels of a group), without affine parameters.

    Statistics are two-pass in float32 or better: E[x^2] - E[x]^2 cancels when the mean is large.

    Parameters
    ----------
    x_bhwc : Tensor
        Channels-last map.
    groups : int
        Number of groups of neighbouring channels.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor
        Same shape and dtype.
    """
    b, h, w, c = x_bhwc.shape
    x = x_bhwc.to(torch.promote_types(x_bhwc.dtype, torch.float32))
    x = x.reshape(b, h * w, groups, c // groups)
    variance, mean = torch.var_mean(x, dim=(1, 3), correction=0, keepdim=True)
    return ((x - mean) * torch.rsqrt(variance + eps)).reshape(b, h, w, c).to(x_bhwc.dtype)


def group_norm_silu(
    x_bhwc: Tensor, groups: int, modulation_bc: Tensor | None = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """SiLU of the normalised map, scaled and shifted per image and channel.

    Parameters
    ----------
    x_bhwc : Tensor
        Channels-last map.
    groups : int
        Number of groups of neighbouring channels.
    modulation_bc : Tensor, optional
        (b, 2 * c): scales less 1, then shifts.
    eps : float
        Added to the variance.

    Returns
    -------
    u_bhwc : Tensor
        silu(normalised * (1 + scale) + shift), same shape and dtype as `x_bhwc`.
    pooled_bc : Tensor
        Mean over the map of the normalised map, before scale and shift.
    """
    h_bhwc = group_norm(x_bhwc, groups, eps)
    pooled_bc = h_bhwc.mean((1, 2))
    if modulation_bc is not None:
        scale_bc, shift_bc = modulation_bc.chunk(2, dim=1)
        h_bhwc = h_bhwc * (1 + scale_bc[:, None, None]) + shift_bc[:, None, None]
    return F.silu(h_bhwc), pooled_bc


def convolution_3x3(x_bhwc: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """3x3 convolution with zero padding 1.

    Parameters
    ----------
    x_bhwc : Tensor
        Channels-last map.
    weight : Tensor
        Matrix of the implicit GEMM, (out, 3 * 3 * in), rows of the filter slowest, input channel
        fastest.
    bias : Tensor
        (out,).

    Returns
    -------
    Tensor
        (b, h, w, out).
    """
    kernel = weight.view(-1, 3, 3, x_bhwc.shape[-1]).permute(0, 3, 1, 2)  # channels-last view
    return F.conv2d(x_bhwc.permute(0, 3, 1, 2), kernel, bias, padding=1).permute(0, 2, 3, 1)


def window_attention(
    u_bhwc: Tensor,
    qkv_weight: Tensor,
    position_bias: Tensor,
    projection_weight: Tensor,
    projection_bias: Tensor,
    window: int,
    *,
    shifted: bool,
) -> Tensor:
    """Multi-head self-attention inside square windows, relative position bias (Liu et al. 2021).

    Shifted windows wrap round the map's edge without a mask. A map that fits into one window is one
    window, and is not shifted.

    Parameters
    ----------
    u_bhwc : Tensor
        Channels-last map.
    qkv_weight : Tensor
        (3 * c, c): queries, keys, values, each with the channels of a head together.
    position_bias : Tensor
        (heads, (2 * window - 1)^2), added to the scores by the offset between two cells.
    projection_weight, projection_bias : Tensor
        (c, c) and (c,), of the output.
    window : int
        Side of a window in cells; map sides are multiples of it or fit into it.
    shifted : bool
        Shift the windows by half their side.

    Returns
    -------
    Tensor
        Same shape.
    """
    b, h, w, c = u_bhwc.shape
    heads = len(position_bias)
    (wh, ww), shift = window_geometry(h, w, window, shifted=shifted)
    if any(shift):
        u_bhwc = torch.roll(u_bhwc, (-shift[0], -shift[1]), (1, 2))
    x = F.linear(u_bhwc, qkv_weight).reshape(b, h // wh, wh, w // ww, ww, 3, heads, c // heads)
    q_nktd, k_nktd, v_nktd = (
        x.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, -1, heads, wh * ww, c // heads).unbind(0)
    )
    bias_ktt = position_bias[:, offsets(wh, ww, window, u_bhwc.device)].to(q_nktd.dtype)
    # Spelled out: for windows this small it is faster than scaled_dot_product_attention.
    score_nktt = (q_nktd * q_nktd.shape[-1] ** -0.5) @ k_nktd.transpose(-1, -2) + bias_ktt
    y_nktd = score_nktt.softmax(-1).to(v_nktd.dtype) @ v_nktd
    y = y_nktd.reshape(b, h // wh, w // ww, heads, wh, ww, c // heads)
    y_bhwc = y.permute(0, 1, 4, 2, 5, 3, 6).reshape(b, h, w, c)
    y_bhwc = F.linear(y_bhwc, projection_weight, projection_bias)
    return torch.roll(y_bhwc, shift, (1, 2)) if any(shift) else y_bhwc


def attention_fusion(
    u_bhwc: Tensor,
    residual_bhwc: Tensor,
    gate_bc: Tensor,
    qkv_weight: Tensor,
    position_bias: Tensor,
    projection_weight: Tensor,
    projection_bias: Tensor,
    filter_weight: Tensor,
    filter_bias: Tensor,
    window: int,
    *,
    shifted: bool,
) -> Tensor:
    """residual + gate * window_attention(u) + (1 - gate) * convolution_3x3(u).

    The Attention Fusion Unit of GalCatDiff (arXiv:2506.16255) with the skip connection round it.

    Parameters
    ----------
    u_bhwc, residual_bhwc : Tensor
        Channels-last maps of the same shape.
    gate_bc : Tensor
        Weight of the attention branch per image and channel, 0 to 1.
    qkv_weight, position_bias, projection_weight, projection_bias, window, shifted
        See `window_attention`.
    filter_weight, filter_bias : Tensor
        See `convolution_3x3`.

    Returns
    -------
    Tensor
        Same shape.
    """
    projection = projection_weight, projection_bias
    attended = window_attention(
        u_bhwc, qkv_weight, position_bias, *projection, window, shifted=shifted
    )
    convolved = convolution_3x3(u_bhwc, filter_weight, filter_bias)
    gate = gate_bc[:, None, None, :]
    return residual_bhwc + gate * attended + (1 - gate) * convolved


def window_geometry(
    height: int, width: int, window: int, *, shifted: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Sides and shifts (y, x) of the windows of a map, in cells."""
    sides = min(height, window), min(width, window)
    y, x = (side // 2 if n > side else 0 for n, side in zip((height, width), sides, strict=True))
    return sides, ((y, x) if shifted else (0, 0))


def offsets(wh: int, ww: int, window: int, device: torch.device) -> Tensor:
    """(t, t) column of the bias table for each pair of cells of a wh x ww window."""
    y, x = torch.arange(wh, device=device), torch.arange(ww, device=device)
    dy = (y[:, None] - y[None, :] + window - 1)[:, None, :, None]
    dx = (x[:, None] - x[None, :] + window - 1)[None, :, None, :]
    return (dy * (2 * window - 1) + dx).reshape(wh * ww, wh * ww)
