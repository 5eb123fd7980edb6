"""Operations of the galaxy denoiser, free of any knowledge of galgen itself.

Channels-last tensors in, channels-last tensors out. Each operation has a plain PyTorch reference,
which runs on any device, compiles and differentiates, and a fused Triton kernel for inference in
half precision on a GPU; `use_backend` chooses between them by name.
"""

from __future__ import annotations

from types import ModuleType

from torch import Tensor

from galgen_kernels import backend
from galgen_kernels.backend import BACKENDS, BackendError, runs_triton, use_backend
from galgen_kernels.ops.attention_fusion import cpu, reference
from galgen_kernels.ops.attention_fusion import custom_op as ops
from galgen_kernels.ops.attention_fusion.reference import convolution_3x3

__all__ = [
    "BACKENDS",
    "BackendError",
    "attention_fusion",
    "convolution_3x3",
    "group_norm",
    "group_norm_silu",
    "runs_triton",
    "use_backend",
    "window_attention",
]


def group_norm(x_bhwc: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    return _pytorch(x_bhwc).group_norm(x_bhwc, groups, eps)


def group_norm_silu(
    x_bhwc: Tensor, groups: int, modulation_bc: Tensor | None = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    if backend.fused(x_bhwc):
        return ops.group_norm_silu(x_bhwc, modulation_bc, groups, eps)
    return _pytorch(x_bhwc).group_norm_silu(x_bhwc, groups, modulation_bc, eps)


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
    weights = qkv_weight, position_bias, projection_weight, projection_bias
    return _pytorch(u_bhwc).window_attention(u_bhwc, *weights, window, shifted=shifted)


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
    arguments = (
        u_bhwc,
        residual_bhwc,
        gate_bc,
        qkv_weight,
        position_bias,
        projection_weight,
        projection_bias,
        filter_weight,
        filter_bias,
        window,
    )
    if backend.fused(u_bhwc):
        return ops.attention_fusion(*arguments, shifted)
    return _pytorch(u_bhwc).attention_fusion(*arguments, shifted=shifted)


def _pytorch(x: Tensor) -> ModuleType:
    return cpu if backend.eager_on_cpu(x) else reference


for _operation in (group_norm, group_norm_silu, window_attention, attention_fusion):
    _operation.__doc__ = getattr(reference, _operation.__name__).__doc__
