"""Operations of the galaxy denoiser, free of any knowledge of galgen itself.

Channels-last tensors in, channels-last tensors out. Each operation has a plain PyTorch reference,
which runs on any device, compiles and differentiates, and a fused Triton kernel for inference in
half precision on a GPU; `use_backend` chooses between them by name.
"""

from __future__ import annotations

from galgen_kernels.backend import BACKENDS, BackendError, runs_triton, use_backend
from galgen_kernels.ops.attention_fusion import (
    FusionWeights,
    attention_fusion,
    convolution_3x3,
    window_attention,
)
from galgen_kernels.ops.group_norm_silu import group_norm, group_norm_silu

__all__ = [
    "BACKENDS",
    "BackendError",
    "FusionWeights",
    "attention_fusion",
    "convolution_3x3",
    "group_norm",
    "group_norm_silu",
    "runs_triton",
    "use_backend",
    "window_attention",
]
