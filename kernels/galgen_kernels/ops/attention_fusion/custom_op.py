"""The operation as a PyTorch custom operator, ``torch.ops.galgen_kernels.attention_fusion``.

Custom operators are opaque to the compiler, so torch.compile(fullgraph=True), torch.export and CUDA
graphs all pass through them. On a CPU their body is the reference; gradients are those of the
reference, computed again in the backward pass.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from galgen_kernels.gradient import differentiate
from galgen_kernels.launching.arguments import ready
from galgen_kernels.ops.attention_fusion import reference
from galgen_kernels.ops.attention_fusion.weights import FusionWeights
from galgen_kernels.ops.attention_fusion.windows import offsets, window_geometry


# PyTorch takes the operator's schema from these arguments, one by one; their names are part of it.
@torch.library.custom_op("galgen_kernels::attention_fusion", mutates_args=(), device_types="cpu")
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
    shifted: bool,
) -> Tensor:
    """See `galgen_kernels.attention_fusion`; gate and weights of any dtype."""
    attention = qkv_weight, position_bias, projection_weight, projection_bias
    weights = *attention, filter_weight, filter_bias
    return _plain(u_bhwc, residual_bhwc, gate_bc, *weights, window, shifted)


def _plain(u_nhwc: Tensor, residual_nhwc: Tensor, gate_nc: Tensor, *rest: Any) -> Tensor:
    """Compute the reference in the precision of the map, contiguous as the kernel's result is."""
    *weights, window, shifted = rest
    others = (tensor.to(u_nhwc.dtype) for tensor in (gate_nc, *weights))
    return _formula(u_nhwc, residual_nhwc, *others, window, shifted).contiguous()


def _formula(u_nhwc: Tensor, residual_nhwc: Tensor, gate_nc: Tensor, *rest: Any) -> Tensor:
    """Compute the reference from the operator's arguments."""
    *weights, window, shifted = rest
    maps = u_nhwc, residual_nhwc, gate_nc
    return reference.attention_fusion(*maps, FusionWeights(*weights), window, shifted=shifted)


@attention_fusion.register_kernel("cuda")
def launch_attention_fusion(
    u_nhwc: Tensor, residual_nhwc: Tensor, gate_nc: Tensor, *rest: Any
) -> Tensor:
    """Run the fused kernel on the operator's arguments, or the formula where it does not fit."""
    from galgen_kernels.ops.attention_fusion.fused import fits, launch

    *tensors, window, shifted = rest
    _, h, w, c = u_nhwc.shape
    if not fits(c // len(tensors[1])):  # the position bias, which has a row for every head
        return _plain(u_nhwc, residual_nhwc, gate_nc, *rest)
    sides, shift = window_geometry(h, w, window, shifted=shifted)
    u_nhwc, residual_nhwc, gate_nc, *tensors = (
        ready(t, u_nhwc.dtype) for t in (u_nhwc, residual_nhwc, gate_nc, *tensors)
    )
    weights = FusionWeights(*tensors)
    position_ktt = weights.position_bias[:, _offsets(*sides, window, u_nhwc.device)]
    return launch(u_nhwc, residual_nhwc, gate_nc, weights, position_ktt, sides, shift)


@attention_fusion.register_fake
def _(u_nhwc: Tensor, *_: Any) -> Tensor:
    return u_nhwc.new_empty(u_nhwc.shape)


differentiate(attention_fusion, _formula, tensors=9)


@functools.cache
def _offsets(height: int, width: int, window: int, device: torch.device) -> Tensor:
    """Return `offsets`, which are kept on the device."""
    return offsets(height, width, window, device)
