"""The operation as a PyTorch custom operator, ``torch.ops.galgen_kernels.group_norm_silu``.

Custom operators are opaque to the compiler, so torch.compile(fullgraph=True), torch.export and CUDA
graphs all pass through them. On a CPU their body is the reference; gradients are those of the
reference, computed again in the backward pass.
"""

from __future__ import annotations

import torch
from torch import Tensor

from galgen_kernels.gradient import differentiate
from galgen_kernels.launching.arguments import ready
from galgen_kernels.ops.group_norm_silu import reference


# PyTorch takes the operator's schema from these arguments; their names are part of it.
@torch.library.custom_op("galgen_kernels::group_norm_silu", mutates_args=(), device_types="cpu")
def group_norm_silu(
    x_bhwc: Tensor, modulation_bc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    """See `galgen_kernels.group_norm_silu`."""
    u_nhwc, pooled_nc = _formula(x_bhwc, modulation_bc, groups, eps)
    return u_nhwc.contiguous(), pooled_nc


def _formula(
    x_nhwc: Tensor, modulation_nc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    """Compute the reference from the operator's arguments."""
    return reference.group_norm_silu(x_nhwc, groups, modulation_nc, eps)


@group_norm_silu.register_kernel("cuda")
def launch_group_norm_silu(
    x_nhwc: Tensor, modulation_nc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    """Run the fused kernel on the operator's arguments."""
    from galgen_kernels.ops.group_norm_silu.fused import launch

    if modulation_nc is not None:
        modulation_nc = ready(modulation_nc, x_nhwc.dtype)
    return launch(ready(x_nhwc, x_nhwc.dtype), groups, modulation_nc, eps)


@group_norm_silu.register_fake
def _(
    x_nhwc: Tensor, modulation_nc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    return x_nhwc.new_empty(x_nhwc.shape), x_nhwc.new_empty(x_nhwc.shape[0], x_nhwc.shape[3])


differentiate(group_norm_silu, _formula, tensors=2)
