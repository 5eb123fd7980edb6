"""What the Attention Fusion Unit means: formulas to read, to compile, and to hold kernels against.

Shape suffixes: n images, h/w map height and width, c channels, k heads, t cells of a window, d
channels of a head, m windows of all images.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from galgen_kernels.ops.attention_fusion.convolution import convolution_3x3
from galgen_kernels.ops.attention_fusion.weights import FusionWeights
from galgen_kernels.ops.attention_fusion.windows import offsets, window_geometry

Attend = Callable[[Tensor, Tensor], Tensor]
"""Of (n, y, wh, x, ww, 3, k, d) and a bias (k, t, t) the result of attention, the same less the 3.

There are y x windows of wh ww cells, in the order of the map; 3 are queries, keys and values.
"""


def softmax_attention(qkv: Tensor, bias_ktt: Tensor) -> Tensor:
    """Multiply the values by the softmax of the scores; see `Attend`."""
    q_mktd, k_mktd, v_mktd = split(qkv)
    # Spelled out: for windows this small it is faster than scaled_dot_product_attention.
    score_mktt = (q_mktd * q_mktd.shape[-1] ** -0.5) @ k_mktd.transpose(-1, -2) + bias_ktt
    return joined(score_mktt.softmax(-1).to(v_mktd.dtype) @ v_mktd, qkv)


def split(qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cut into queries, keys and values (m, k, t, d) of all windows; see `Attend`."""
    _, _, wh, _, ww, _, heads, d = qkv.shape
    q_mktd, k_mktd, v_mktd = (
        qkv.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, -1, heads, wh * ww, d).unbind(0)
    )
    return q_mktd, k_mktd, v_mktd


def joined(y_mktd: Tensor, qkv: Tensor) -> Tensor:
    """Put all windows into the order of the map, (n, y, wh, x, ww, k, d); see `Attend`."""
    n, y, wh, x, ww, _, heads, d = qkv.shape
    return y_mktd.reshape(n, y, x, heads, wh, ww, d).permute(0, 1, 4, 2, 5, 3, 6)


def window_attention(
    u_nhwc: Tensor,
    qkv_weight: Tensor,
    position_bias: Tensor,
    projection_weight: Tensor,
    projection_bias: Tensor,
    window: int,
    *,
    shifted: bool,
    attend: Attend = softmax_attention,
) -> Tensor:
    """See `galgen_kernels.window_attention`; `attend` computes the same in another way."""
    n, h, w, c = u_nhwc.shape
    heads = len(position_bias)
    (wh, ww), shift = window_geometry(h, w, window, shifted=shifted)
    if any(shift):
        u_nhwc = torch.roll(u_nhwc, (-shift[0], -shift[1]), (1, 2))
    x = F.linear(u_nhwc, qkv_weight).reshape(n, h // wh, wh, w // ww, ww, 3, heads, c // heads)
    bias_ktt = position_bias[:, offsets(wh, ww, window, u_nhwc.device)].to(x.dtype)
    y_nhwc = F.linear(attend(x, bias_ktt).reshape(n, h, w, c), projection_weight, projection_bias)
    return torch.roll(y_nhwc, shift, (1, 2)) if any(shift) else y_nhwc


def attention_fusion(
    u_nhwc: Tensor,
    residual_nhwc: Tensor,
    gate_nc: Tensor,
    weights: FusionWeights,
    window: int,
    *,
    shifted: bool,
    attend: Attend = softmax_attention,
) -> Tensor:
    """See `galgen_kernels.attention_fusion`; `attend` as of `window_attention`."""
    attended = window_attention(u_nhwc, *weights.attention, window, shifted=shifted, attend=attend)
    convolved = convolution_3x3(u_nhwc, weights.filter_weight, weights.filter_bias)
    gate = gate_nc[:, None, None, :]
    return residual_nhwc + gate * attended + (1 - gate) * convolved
