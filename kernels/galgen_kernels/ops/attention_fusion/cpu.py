"""The Attention Fusion Unit as eager PyTorch computes it fastest on a CPU; `reference` defines it.

Two things make the difference. Windows are cut out, shifted and split into heads by one gather of
rows, and put back by another. And attention is one node of the autograd graph, with a backward pass
of four matrix products, where a gradient is wanted; elsewhere nothing is recorded.

These forms need real tensors in memory: tracers are given the reference (`galgen_kernels.backend`).

Shape suffixes: n images, h/w map height and width, c channels, k heads, t cells of a window, d
channels of a head, m heads of all windows of all images, r rows of d channels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from galgen_kernels.constants import made_once
from galgen_kernels.ops.attention_fusion import windows
from galgen_kernels.ops.attention_fusion.convolution import convolution_3x3
from galgen_kernels.ops.attention_fusion.weights import FusionWeights
from galgen_kernels.ops.attention_fusion.windows import Size, window_geometry


def window_attention(
    u_nhwc: Tensor,
    qkv_weight: Tensor,
    position_bias: Tensor,
    projection_weight: Tensor,
    projection_bias: Tensor,
    window: int,
    *,
    shifted: bool,
) -> Tensor:
    """See `galgen_kernels.window_attention`."""
    _, h, w, _ = u_nhwc.shape
    sides, shift = window_geometry(h, w, window, shifted=shifted)
    qkv_nhwc = F.linear(u_nhwc, qkv_weight)
    cells = sides[0] * sides[1]
    bias_ktt = position_bias.index_select(1, _offsets(*sides, window)).view(-1, cells, cells)
    bias_ktt = bias_ktt.to(qkv_nhwc.dtype)
    y_nhwc = attend(qkv_nhwc, bias_ktt, sides, shift)
    return F.linear(y_nhwc, projection_weight, projection_bias)


def attention_fusion(
    u_nhwc: Tensor,
    residual_nhwc: Tensor,
    gate_nc: Tensor,
    weights: FusionWeights,
    window: int,
    *,
    shifted: bool,
) -> Tensor:
    """See `galgen_kernels.attention_fusion`."""
    attended_nhwc = window_attention(u_nhwc, *weights.attention, window, shifted=shifted)
    convolved_nhwc = convolution_3x3(u_nhwc, weights.filter_weight, weights.filter_bias)
    gate = gate_nc[:, None, None].to(convolved_nhwc.dtype)
    if torch.is_grad_enabled():
        return residual_nhwc + torch.lerp(convolved_nhwc, attended_nhwc, gate)
    return convolved_nhwc.lerp_(attended_nhwc, gate).add_(residual_nhwc)


def attend(qkv_nhwc: Tensor, bias_ktt: Tensor, sides: Size, shift: Size) -> Tensor:
    """Attention inside windows, without the projections before and after it.

    Parameters
    ----------
    qkv_nhwc : Tensor
        (n, h, w, 3 * c): queries, keys, values, each with the channels of a head together.
    bias_ktt : Tensor
        Added to the scores, of the dtype of `qkv_nhwc`.
    sides, shift : tuple of int
        Of the windows (y, x), see `windows.window_geometry`.

    Returns
    -------
    Tensor
        (n, h, w, c).
    """
    if torch.is_grad_enabled() and (qkv_nhwc.requires_grad or bias_ktt.requires_grad):
        y_nhwc: Tensor = _Attend.apply(qkv_nhwc, bias_ktt, sides, shift)
        return y_nhwc
    with torch.autocast("cpu", enabled=False):
        return _attend(qkv_nhwc, bias_ktt, sides, shift)[0]


class _Attend(torch.autograd.Function):
    """What `_attend` computes, with its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        qkv_nhwc: Tensor,
        bias_ktt: Tensor,
        sides: Size,
        shift: Size,
    ) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            y_nhwc, *saved = _attend(qkv_nhwc, bias_ktt, sides, shift)
        ctx.save_for_backward(*saved)
        ctx.windows = sides, shift
        return y_nhwc

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_y_nhwc: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast("cpu", enabled=False):
            gradients = _attend_backward(of_y_nhwc, *ctx.saved_tensors, *ctx.windows)
        return *gradients, None, None


def _attend(
    qkv_nhwc: Tensor, bias_ktt: Tensor, sides: Size, shift: Size
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the result, then queries, keys and values of all windows, and their weights."""
    n, h, w, channels = qkv_nhwc.shape
    heads, cells, _ = bias_ktt.shape
    depth = channels // 3 // heads
    order = _row_order(n, h, w, sides, shift, heads)
    rows_rd = qkv_nhwc.reshape(-1, depth)
    qkv_mtd = rows_rd.index_select(0, order.windows_of_qkv).view(3, -1, cells, depth)
    q, k, v = qkv_mtd.unbind(0)
    # In place: a second array of this size costs more than the product, for the system's pages.
    score_mtt = bias_ktt.repeat(len(q) // heads, 1, 1)
    score_mtt.baddbmm_(q, k.transpose(1, 2), alpha=depth**-0.5)
    weight_mtt = torch.softmax(score_mtt, -1)
    y_rd = torch.bmm(weight_mtt, v).view(-1, depth).index_select(0, order.map_of_windows)
    return y_rd.view(n, h, w, heads * depth), qkv_mtd, weight_mtt


def _attend_backward(
    of_y_nhwc: Tensor,
    qkv_mtd: Tensor,
    weight_mtt: Tensor,
    sides: Size,
    shift: Size,
) -> tuple[Tensor, Tensor]:
    """Return the gradients of `qkv_nhwc` and `bias_ktt`."""
    n, h, w, channels = of_y_nhwc.shape
    cells, depth = qkv_mtd.shape[2:]
    heads = channels // depth
    order = _row_order(n, h, w, sides, shift, heads)
    q, k, v = qkv_mtd.unbind(0)
    of_y = of_y_nhwc.reshape(-1, depth).index_select(0, order.windows_of_map).view_as(v)
    of_weight = torch.bmm(of_y, v.transpose(1, 2))
    of_score = torch._softmax_backward_data(of_weight, weight_mtt, -1, weight_mtt.dtype)
    of_qkv_mtd = torch.empty_like(qkv_mtd)
    torch.bmm(of_score, k, out=of_qkv_mtd[0])
    torch.bmm(of_score.transpose(1, 2), q, out=of_qkv_mtd[1])
    torch.bmm(weight_mtt.transpose(1, 2), of_y, out=of_qkv_mtd[2])
    of_qkv_mtd[:2] *= depth**-0.5
    of_qkv_rd = of_qkv_mtd.view(-1, depth).index_select(0, order.qkv_of_windows)
    of_bias_ktt = of_score.view(-1, heads, cells, cells).sum(0)
    return of_qkv_rd.view(n, h, w, 3 * channels), of_bias_ktt


class _RowOrder(NamedTuple):
    """Orders of rows of `depth` numbers, one per cell and head: where each one is taken from.

    Maps have the order (image, cell, head), those of queries, keys and values (image, cell, part,
    head), windows (part, image, window, head, cell of the window).
    """

    windows_of_qkv: Tensor
    qkv_of_windows: Tensor
    windows_of_map: Tensor
    map_of_windows: Tensor


@made_once
def _offsets(height: int, width: int, window: int) -> Tensor:
    """Return `windows.offsets`, flat, in a CPU's memory."""
    return windows.offsets(height, width, window, torch.device("cpu")).flatten()


@made_once
def _row_order(n: int, h: int, w: int, sides: Size, shift: Size, heads: int) -> _RowOrder:
    """Return the orders for n maps."""
    (wh, ww), (down, right) = sides, shift
    cell = torch.arange(n * h * w).view(n, h, w).roll((-down, -right), (1, 2))
    cell = cell.view(n, h // wh, wh, w // ww, ww).transpose(2, 3).reshape(-1, 1, wh * ww)
    head = torch.arange(heads)[:, None]
    windows_of_map = (cell * heads + head).flatten()
    windows_of_qkv = torch.stack([(cell * 3 + part) * heads + head for part in range(3)]).flatten()
    small = len(windows_of_qkv) < 2**31
    orders = windows_of_qkv, windows_of_qkv.argsort(), windows_of_map, windows_of_map.argsort()
    return _RowOrder(*(order.to(torch.int32 if small else torch.int64) for order in orders))
