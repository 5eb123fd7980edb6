"""Operations of the galaxy denoiser, free of any knowledge of galgen itself.

Channels-last tensors in, channels-last tensors out. Each operation has a plain PyTorch reference,
which runs on any device, compiles and differentiates, and a fused Triton kernel for inference in
half precision on a GPU; `use_backend` chooses between them by name.
"""

from __future__ import annotations

from torch import Tensor

from galgen_kernels import backend, ops, reference
from galgen_kernels.backend import BACKENDS, BackendError, runs_triton, use_backend
from galgen_kernels.reference import convolution_3x3, group_norm, window_attention

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


def group_norm_silu(
    x_bhwc: Tensor, groups: int, modulation_bc: Tensor | None = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    if backend.fused(x_bhwc):
        return ops.group_norm_silu(x_bhwc, modulation_bc, groups, eps)
    return reference.group_norm_silu(x_bhwc, groups, modulation_bc, eps)


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
    return reference.attention_fusion(*arguments, shifted=shifted)


group_norm_silu.__doc__ = reference.group_norm_silu.__doc__
attention_fusion.__doc__ = reference.attention_fusion.__doc__
