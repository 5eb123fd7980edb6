"""Group normalisation as eager PyTorch computes it fastest on a CPU; `reference` defines it.

It is one call instead of a reduction over two axes at once, which PyTorch does not vectorise.

These forms need real tensors in memory: tracers are given the reference (`galgen_kernels.backend`).

Shape suffixes: n images, h/w map height and width, c channels, g groups.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from galgen_kernels.constants import made_once
from galgen_kernels.ops.group_norm_silu import reference

# PyTorch takes E[x^2] - E[x]^2 in float32. Up to this ratio of mean to deviation it is good to
# 1e-4 or better; in trained networks the ratio is 1 or 2.
FAR = 8.0


def group_norm(x_nhwc: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """See `galgen_kernels.group_norm`; images with a large mean are left to the reference."""
    n, h, w, c = x_nhwc.shape
    x_nchw = x_nhwc.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    # A float32 scale, of ones, keeps the statistics of a half-precision map in float32: otherwise
    # the backward pass is given them rounded.
    ones_c = _ones(c, torch.promote_types(x_nhwc.dtype, torch.float32))
    y_nchw, mean_ng, rstd_ng = torch.native_group_norm(
        x_nchw, ones_c, None, n, c, h * w, groups, eps
    )
    y_nhwc = y_nchw.permute(0, 2, 3, 1)
    ratio_ng = (mean_ng * rstd_ng).detach()
    if torch.linalg.vector_norm(ratio_ng, torch.inf).item() > FAR:
        # Decided image by image: none depends on its neighbours in the batch.
        far_n = (ratio_ng.abs().amax(1) > FAR)[:, None, None, None]
        y_nhwc = torch.where(far_n, reference.group_norm(x_nhwc, groups, eps), y_nhwc)
    return y_nhwc


def group_norm_silu(
    x_nhwc: Tensor, groups: int, modulation_nc: Tensor | None = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """See `galgen_kernels.group_norm_silu`."""
    h_nhwc = group_norm(x_nhwc, groups, eps)
    pooled_nc = _mean(h_nhwc)
    if modulation_nc is not None:
        scale_nc, shift_nc = modulation_nc[:, None, None].chunk(2, dim=-1)
        h_nhwc = torch.addcmul(shift_nc, h_nhwc, 1 + scale_nc)
    return F.silu(h_nhwc, inplace=not torch.is_grad_enabled()), pooled_nc


def _mean(h_nhwc: Tensor) -> Tensor:
    """Mean over the map, as a product: sums of half-precision numbers are slow otherwise."""
    n, h, w, c = h_nhwc.shape
    if h_nhwc.dtype in (torch.float32, torch.float64):
        return h_nhwc.mean((1, 2))
    with torch.autocast("cpu", enabled=False):
        weight = _ones(h * w, h_nhwc.dtype)
        return torch.bmm((weight / (h * w)).expand(n, 1, -1), h_nhwc.reshape(n, h * w, c))[:, 0]


@made_once
def _ones(n: int, dtype: torch.dtype) -> Tensor:
    """Return n ones."""
    return torch.ones(n, dtype=dtype)
