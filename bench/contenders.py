"""Other ways to compute `attention_fusion`: PyTorch's own fused attentions on the windows.

Each is given to `reference.attention_fusion`, which cuts out the windows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from galgen_kernels.ops.attention_fusion import reference
from galgen_kernels.ops.attention_fusion.reference import Attend


def sdpa(qkv: Tensor, bias_ktt: Tensor) -> Tensor:
    """`scaled_dot_product_attention`, each window an entry of the batch."""
    out_mktd = F.scaled_dot_product_attention(*reference.split(qkv), attn_mask=bias_ktt)
    return reference.joined(out_mktd, qkv)


def flex(height: int, width: int, side: int, device: torch.device) -> Attend:
    """FlexAttention, each map an entry of the batch: a block mask keeps it inside the windows.

    Cells are in the order of the windows, so that a window of 64 cells is one block of the mask.
    """
    cells = side * side
    count = height * width

    def same_window(n: Tensor, k: Tensor, q: Tensor, kv: Tensor) -> Tensor:
        return q // cells == kv // cells

    block = max(16, cells)
    mask: BlockMask = create_block_mask(
        same_window, None, None, count, count, device=device, BLOCK_SIZE=block
    )
    options = {"BLOCK_M": block, "BLOCK_N": block} if device.type == "cuda" else None

    def attend(qkv: Tensor, bias_ktt: Tensor) -> Tensor:
        n, y, wh, x, ww, _, heads, d = qkv.shape

        def with_bias(score: Tensor, n: Tensor, k: Tensor, q: Tensor, kv: Tensor) -> Tensor:
            return score + bias_ktt[k, q % cells, kv % cells]

        q, k, v = qkv.permute(5, 0, 6, 1, 3, 2, 4, 7).reshape(3, n, heads, count, d).unbind(0)
        out = flex_attention(q, k, v, with_bias, mask, kernel_options=options)
        return out.reshape(n, heads, y, x, wh, ww, d).permute(0, 2, 4, 3, 5, 1, 6)

    return attend
