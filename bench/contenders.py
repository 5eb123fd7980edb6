"""Other ways to compute `attention_fusion`: PyTorch's own fused attentions on the windows.

Shape suffixes: b batch, h/w map height and width, c channels, k heads, t cells of a window, d
channels of a head; y/x windows along the sides.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from galgen_kernels.ops.attention_fusion import reference
from galgen_kernels.ops.attention_fusion.reference import convolution_3x3, window_geometry

Attend = Callable[[Tensor, Tensor], Tensor]
"""Of each window: (b, y, wh, x, ww, 3, k, d) and a bias (k, t, t) to (b, y, wh, x, ww, k, d)."""


def attention_fusion(
    attend: Attend,
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
    """See `reference.attention_fusion`; `attend` is what differs."""
    b, h, w, c = u_bhwc.shape
    heads = len(position_bias)
    (wh, ww), shift = window_geometry(h, w, window, shifted=shifted)
    x_bhwc = torch.roll(u_bhwc, (-shift[0], -shift[1]), (1, 2)) if any(shift) else u_bhwc
    qkv = F.linear(x_bhwc, qkv_weight)
    qkv = qkv.reshape(b, h // wh, wh, w // ww, ww, 3, heads, c // heads)
    bias_ktt = position_bias[:, reference.offsets(wh, ww, window, u_bhwc.device)]
    y_bhwc = attend(qkv, bias_ktt.to(qkv.dtype)).reshape(b, h, w, c)
    y_bhwc = F.linear(y_bhwc, projection_weight, projection_bias)
    y_bhwc = torch.roll(y_bhwc, shift, (1, 2)) if any(shift) else y_bhwc
    convolved_bhwc = convolution_3x3(u_bhwc, filter_weight, filter_bias)
    gate = gate_bc[:, None, None, :]
    return residual_bhwc + gate * y_bhwc + (1 - gate) * convolved_bhwc


def sdpa(qkv: Tensor, bias_ktt: Tensor) -> Tensor:
    """`scaled_dot_product_attention`, each window an entry of the batch."""
    b, y, wh, x, ww, _, heads, d = qkv.shape
    q, k, v = qkv.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, -1, heads, wh * ww, d).unbind(0)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias_ktt)
    return out.reshape(b, y, x, heads, wh, ww, d).permute(0, 1, 4, 2, 5, 3, 6)


def flex(height: int, width: int, side: int, device: torch.device) -> Attend:
    """FlexAttention, each map an entry of the batch: a block mask keeps it inside the windows.

    Cells are in the order of the windows, so that a window of 64 cells is one block of the mask.
    """
    cells = side * side
    count = height * width

    def same_window(b: Tensor, k: Tensor, q: Tensor, kv: Tensor) -> Tensor:
        return q // cells == kv // cells

    block = max(16, cells)
    mask: BlockMask = create_block_mask(
        same_window, None, None, count, count, device=device, BLOCK_SIZE=block
    )
    options = {"BLOCK_M": block, "BLOCK_N": block} if device.type == "cuda" else None

    def attend(qkv: Tensor, bias_ktt: Tensor) -> Tensor:
        b, y, wh, x, ww, _, heads, d = qkv.shape

        def with_bias(score: Tensor, b: Tensor, k: Tensor, q: Tensor, kv: Tensor) -> Tensor:
            return score + bias_ktt[k, q % cells, kv % cells]

        q, k, v = qkv.permute(5, 0, 6, 1, 3, 2, 4, 7).reshape(3, b, heads, count, d).unbind(0)
        out = flex_attention(q, k, v, with_bias, mask, kernel_options=options)
        return out.reshape(b, heads, y, x, wh, ww, d).permute(0, 2, 4, 3, 5, 1, 6)

    return attend
