"""The operations as eager PyTorch computes them fastest on a CPU; `reference` says what they mean.

Three things make the difference. Normalisation is one call instead of a reduction over two axes at
once, which PyTorch does not vectorise. Windows are cut out, shifted and split into heads by one
gather of rows, and put back by another. And attention is one node of the autograd graph, with a
backward pass of four matrix products, where a gradient is wanted; elsewhere nothing is recorded.

These forms need real tensors in memory: tracers are given the reference (`galgen_kernels.backend`).

Shape suffixes: b batch, h/w map height and width, c channels, g groups, k heads, t cells of a
window, d channels of a head, n heads of all windows of all images, r rows of d channels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from galgen_kernels.ops.attention_fusion import reference
from galgen_kernels.ops.attention_fusion.reference import convolution_3x3, window_geometry

Made = TypeVar("Made")

# PyTorch takes E[x^2] - E[x]^2 in float32. Up to this ratio of mean to deviation it is good to
# 1e-4 or better; in trained networks the ratio is 1 or 2.
FAR = 8.0


def group_norm(x_bhwc: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """See `reference.group_norm`, which images with a large mean are left to."""
    b, h, w, c = x_bhwc.shape
    x_bchw = x_bhwc.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    # A float32 scale, of ones, keeps the statistics of a half-precision map in float32: otherwise
    # the backward pass is given them rounded.
    ones_c = _ones(c, torch.promote_types(x_bhwc.dtype, torch.float32))
    y_bchw, mean_bg, rstd_bg = torch.native_group_norm(
        x_bchw, ones_c, None, b, c, h * w, groups, eps
    )
    y_bhwc = y_bchw.permute(0, 2, 3, 1)
    ratio_bg = (mean_bg * rstd_bg).detach()
    if torch.linalg.vector_norm(ratio_bg, torch.inf).item() > FAR:
        # Decided image by image: none depends on its neighbours in the batch.
        far_b = (ratio_bg.abs().amax(1) > FAR)[:, None, None, None]
        y_bhwc = torch.where(far_b, reference.group_norm(x_bhwc, groups, eps), y_bhwc)
    return y_bhwc


def group_norm_silu(
    x_bhwc: Tensor, groups: int, modulation_bc: Tensor | None = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """See `reference.group_norm_silu`."""
    h_bhwc = group_norm(x_bhwc, groups, eps)
    pooled_bc = _mean(h_bhwc)
    if modulation_bc is not None:
        scale_bc, shift_bc = modulation_bc[:, None, None].chunk(2, dim=-1)
        h_bhwc = torch.addcmul(shift_bc, h_bhwc, 1 + scale_bc)
    return F.silu(h_bhwc, inplace=not torch.is_grad_enabled()), pooled_bc


def _mean(h_bhwc: Tensor) -> Tensor:
    """Over the map, as a product: sums of half-precision numbers are slow otherwise."""
    b, h, w, c = h_bhwc.shape
    if h_bhwc.dtype in (torch.float32, torch.float64):
        return h_bhwc.mean((1, 2))
    with torch.autocast("cpu", enabled=False):
        weight = _ones(h * w, h_bhwc.dtype)
        return torch.bmm((weight / (h * w)).expand(b, 1, -1), h_bhwc.reshape(b, h * w, c))[:, 0]


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
    """See `reference.window_attention`."""
    _, h, w, _ = u_bhwc.shape
    sides, shift = window_geometry(h, w, window, shifted=shifted)
    qkv_bhwc = F.linear(u_bhwc, qkv_weight)
    cells = sides[0] * sides[1]
    bias_ktt = position_bias.index_select(1, _offsets(*sides, window)).view(-1, cells, cells)
    bias_ktt = bias_ktt.to(qkv_bhwc.dtype)
    y_bhwc = attend(qkv_bhwc, bias_ktt, sides, shift)
    return F.linear(y_bhwc, projection_weight, projection_bias)


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
    """See `reference.attention_fusion`."""
    projection = projection_weight, projection_bias
    attended_bhwc = window_attention(
        u_bhwc, qkv_weight, position_bias, *projection, window, shifted=shifted
    )
    convolved_bhwc = convolution_3x3(u_bhwc, filter_weight, filter_bias)
    gate = gate_bc[:, None, None].to(convolved_bhwc.dtype)
    if torch.is_grad_enabled():
        return residual_bhwc + torch.lerp(convolved_bhwc, attended_bhwc, gate)
    return convolved_bhwc.lerp_(attended_bhwc, gate).add_(residual_bhwc)


def attend(
    qkv_bhwc: Tensor, bias_ktt: Tensor, sides: tuple[int, int], shift: tuple[int, int]
) -> Tensor:
    """Attention inside windows, without the projections before and after it.

    Parameters
    ----------
    qkv_bhwc : Tensor
        (b, h, w, 3 * c): queries, keys, values, each with the channels of a head together.
    bias_ktt : Tensor
        Added to the scores, of the dtype of `qkv_bhwc`.
    sides, shift : tuple of int
        Of the windows (y, x), see `reference.window_geometry`.

    Returns
    -------
    Tensor
        (b, h, w, c).
    """
    if torch.is_grad_enabled() and (qkv_bhwc.requires_grad or bias_ktt.requires_grad):
        return _Attend.apply(qkv_bhwc, bias_ktt, sides, shift)
    with torch.autocast("cpu", enabled=False):
        return _attend(qkv_bhwc, bias_ktt, sides, shift)[0]


class _Attend(torch.autograd.Function):
    """`_attend` with its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        qkv_bhwc: Tensor,
        bias_ktt: Tensor,
        sides: tuple[int, int],
        shift: tuple[int, int],
    ) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            y_bhwc, *saved = _attend(qkv_bhwc, bias_ktt, sides, shift)
        ctx.save_for_backward(*saved)
        ctx.windows = sides, shift
        return y_bhwc

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_y_bhwc: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast("cpu", enabled=False):
            gradients = _attend_backward(of_y_bhwc, *ctx.saved_tensors, *ctx.windows)
        return *gradients, None, None


def _attend(
    qkv_bhwc: Tensor, bias_ktt: Tensor, sides: tuple[int, int], shift: tuple[int, int]
) -> tuple[Tensor, ...]:
    """The result, then queries, keys and values of all windows together, and their weights."""
    b, h, w, channels = qkv_bhwc.shape
    heads, cells, _ = bias_ktt.shape
    depth = channels // 3 // heads
    order = _row_order(b, h, w, sides, shift, heads)
    rows_rd = qkv_bhwc.reshape(-1, depth)
    qkv_ntd = rows_rd.index_select(0, order.windows_of_qkv).view(3, -1, cells, depth)
    q, k, v = qkv_ntd.unbind(0)
    # In place: a second array of this size costs more than the product, for the system's pages.
    score_ntt = bias_ktt.repeat(len(q) // heads, 1, 1)
    score_ntt.baddbmm_(q, k.transpose(1, 2), alpha=depth**-0.5)
    weight_ntt = torch.softmax(score_ntt, -1)
    y_rd = torch.bmm(weight_ntt, v).view(-1, depth).index_select(0, order.map_of_windows)
    return y_rd.view(b, h, w, heads * depth), qkv_ntd, weight_ntt


def _attend_backward(
    of_y_bhwc: Tensor,
    qkv_ntd: Tensor,
    weight_ntt: Tensor,
    sides: tuple[int, int],
    shift: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Gradients of `qkv_bhwc` and `bias_ktt`."""
    b, h, w, channels = of_y_bhwc.shape
    cells, depth = qkv_ntd.shape[2:]
    heads = channels // depth
    order = _row_order(b, h, w, sides, shift, heads)
    q, k, v = qkv_ntd.unbind(0)
    of_y = of_y_bhwc.reshape(-1, depth).index_select(0, order.windows_of_map).view_as(v)
    of_weight = torch.bmm(of_y, v.transpose(1, 2))
    of_score = torch._softmax_backward_data(of_weight, weight_ntt, -1, weight_ntt.dtype)
    of_qkv_ntd = torch.empty_like(qkv_ntd)
    torch.bmm(of_score, k, out=of_qkv_ntd[0])
    torch.bmm(of_score.transpose(1, 2), q, out=of_qkv_ntd[1])
    torch.bmm(weight_ntt.transpose(1, 2), of_y, out=of_qkv_ntd[2])
    of_qkv_ntd[:2] *= depth**-0.5
    of_qkv_rd = of_qkv_ntd.view(-1, depth).index_select(0, order.qkv_of_windows)
    of_bias_ktt = of_score.view(-1, heads, cells, cells).sum(0)
    return of_qkv_rd.view(b, h, w, 3 * channels), of_bias_ktt


class _RowOrder(NamedTuple):
    """Orders of rows of `depth` numbers, one per cell and head: where each one is taken from.

    Maps have the order (image, cell, head), those of queries, keys and values (image, cell, part,
    head), windows (part, image, window, head, cell of the window).
    """

    windows_of_qkv: Tensor
    qkv_of_windows: Tensor
    windows_of_map: Tensor
    map_of_windows: Tensor


def _constant(make: Callable[..., Made]) -> Callable[..., Made]:
    """Cache what `make` returns, as tensors that autograd accepts whoever asks first."""

    @functools.lru_cache(maxsize=64)
    @functools.wraps(make)
    def made(*arguments: Any) -> Made:
        with torch.inference_mode(False), torch.device("cpu"):
            return make(*arguments)

    return made


@_constant
def _ones(n: int, dtype: torch.dtype) -> Tensor:
    return torch.ones(n, dtype=dtype)


@_constant
def _offsets(height: int, width: int, window: int) -> Tensor:
    return reference.offsets(height, width, window, torch.device("cpu")).flatten()


@_constant
def _row_order(
    b: int, h: int, w: int, sides: tuple[int, int], shift: tuple[int, int], heads: int
) -> _RowOrder:
    (wh, ww), (down, right) = sides, shift
    cell = torch.arange(b * h * w).view(b, h, w).roll((-down, -right), (1, 2))
    cell = cell.view(b, h // wh, wh, w // ww, ww).transpose(2, 3).reshape(-1, 1, wh * ww)
    head = torch.arange(heads)[:, None]
    windows_of_map = (cell * heads + head).flatten()
    windows_of_qkv = torch.stack([(cell * 3 + part) * heads + head for part in range(3)]).flatten()
    small = len(windows_of_qkv) < 2**31
    orders = windows_of_qkv, windows_of_qkv.argsort(), windows_of_map, windows_of_map.argsort()
    return _RowOrder(*(order.to(torch.int32 if small else torch.int64) for order in orders))
