"""The operations as PyTorch custom operators, ``torch.ops.galgen_kernels``.

Custom operators are opaque to the compiler, so torch.compile(fullgraph=True), torch.export and CUDA
graphs all pass through them. On a CPU their body is the reference; gradients are those of the
reference, computed again in the backward pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from galgen_kernels.ops.attention_fusion import reference


@torch.library.custom_op("galgen_kernels::group_norm_silu", mutates_args=(), device_types="cpu")
def group_norm_silu(
    x_bhwc: Tensor, modulation_bc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    u_bhwc, pooled_bc = reference.group_norm_silu(x_bhwc, groups, modulation_bc, eps)
    return u_bhwc.contiguous(), pooled_bc


@group_norm_silu.register_kernel("cuda")
def launch_group_norm_silu(
    x_bhwc: Tensor, modulation_bc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    from galgen_kernels.ops.group_norm_silu.fused import launch

    if modulation_bc is not None:
        modulation_bc = _ready(modulation_bc, x_bhwc.dtype)
    return launch(_ready(x_bhwc, x_bhwc.dtype), groups, modulation_bc, eps)


@group_norm_silu.register_fake
def _(
    x_bhwc: Tensor, modulation_bc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    return x_bhwc.new_empty(x_bhwc.shape), x_bhwc.new_empty(x_bhwc.shape[0], x_bhwc.shape[3])


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
    weights = qkv_weight, position_bias, projection_weight, projection_bias
    weights = (w.to(u_bhwc.dtype) for w in (*weights, filter_weight, filter_bias))
    maps = u_bhwc, residual_bhwc, gate_bc.to(u_bhwc.dtype)
    return reference.attention_fusion(*maps, *weights, window, shifted=shifted).contiguous()


@attention_fusion.register_kernel("cuda")
def launch_attention_fusion(
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
    from galgen_kernels.ops.attention_fusion.fused import launch

    _, h, w, _ = u_bhwc.shape
    sides, shift = reference.window_geometry(h, w, window, shifted=shifted)
    position_ktt = position_bias[:, _offsets(*sides, window, u_bhwc.device)]
    maps = u_bhwc, residual_bhwc, gate_bc
    weights = qkv_weight, position_ktt, projection_weight, projection_bias
    tensors = *maps, *weights, filter_weight, filter_bias
    return launch(*(_ready(t, u_bhwc.dtype) for t in tensors), sides, shift)


@attention_fusion.register_fake
def _(u_bhwc: Tensor, *_: Any) -> Tensor:
    return u_bhwc.new_empty(u_bhwc.shape)


def _recompute(
    formula: Callable[..., Any], tensors: int
) -> tuple[Callable[..., None], Callable[..., tuple[Tensor | None, ...]]]:
    """Context and backward functions that differentiate `formula` in the backward pass.

    The arguments of `formula` are its `tensors` tensors (or None), then constants.
    """

    def setup(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[:tensors])
        ctx.constants = inputs[tensors:]

    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        with torch.enable_grad():
            leaves = [
                None if t is None else t.detach().requires_grad_(needed)
                for t, needed in zip(ctx.saved_tensors, ctx.needs_input_grad, strict=False)
            ]
            outputs = formula(*leaves, *ctx.constants)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        wanted = [t for t in leaves if t is not None and t.requires_grad]
        pairs = zip(outputs, gradients, strict=True)
        pairs = [(o, g) for o, g in pairs if o.requires_grad and g is not None]
        used, of_used = zip(*pairs, strict=True)
        found = iter(torch.autograd.grad(used, wanted, of_used, allow_unused=True))
        each = [next(found) if t is not None and t.requires_grad else None for t in leaves]
        return *each, *(None for _ in ctx.constants)

    return setup, backward


def _group_norm_silu(
    x_bhwc: Tensor, modulation_bc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    return reference.group_norm_silu(x_bhwc, groups, modulation_bc, eps)


def _attention_fusion(*arguments: Any) -> Tensor:
    return reference.attention_fusion(*arguments[:-1], shifted=arguments[-1])


for _operator, _formula, _tensors in (
    (group_norm_silu, _group_norm_silu, 2),
    (attention_fusion, _attention_fusion, 9),
):
    _setup, _backward = _recompute(_formula, _tensors)
    _operator.register_autograd(_backward, setup_context=_setup)


def _ready(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor as kernels want it: of their dtype, contiguous, aligned to 16 bytes."""
    tensor = tensor.to(dtype).contiguous()
    return tensor.clone() if tensor.data_ptr() % 16 else tensor


@functools.cache
def _offsets(height: int, width: int, window: int, device: torch.device) -> Tensor:
    return reference.offsets(height, width, window, device)
