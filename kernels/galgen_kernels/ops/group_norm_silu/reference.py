"""What the normalisation means: formulas to read, to compile, and to hold kernels against.

Shape suffixes: n images, h/w map height and width, c channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def group_norm(x_nhwc: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """See `galgen_kernels.group_norm`."""
    n, h, w, c = x_nhwc.shape
    x = x_nhwc.to(torch.promote_types(x_nhwc.dtype, torch.float32))
    x = x.reshape(n, h * w, groups, c // groups)
    variance, mean = torch.var_mean(x, dim=(1, 3), correction=0, keepdim=True)
    return ((x - mean) * torch.rsqrt(variance + eps)).reshape(n, h, w, c).to(x_nhwc.dtype)


def group_norm_silu(
    x_nhwc: Tensor, groups: int, modulation_nc: Tensor | None = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """See `galgen_kernels.group_norm_silu`."""
    h_nhwc = group_norm(x_nhwc, groups, eps)
    pooled_nc = h_nhwc.mean((1, 2))
    if modulation_nc is not None:
        scale_nc, shift_nc = modulation_nc.chunk(2, dim=1)
        h_nhwc = h_nhwc * (1 + scale_nc[:, None, None]) + shift_nc[:, None, None]
    return F.silu(h_nhwc), pooled_nc
