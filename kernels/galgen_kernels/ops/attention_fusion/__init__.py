"""The Attention Fusion Unit of GalCatDiff, and the two branches that it fuses.

Shape suffixes: n images, h/w map height and width, c channels.
"""

from __future__ import annotations

from torch import Tensor

from galgen_kernels import backend
from galgen_kernels.ops.attention_fusion import cpu, custom_op, reference
from galgen_kernels.ops.attention_fusion.convolution import convolution_3x3
from galgen_kernels.ops.attention_fusion.weights import FusionWeights

__all__ = ["FusionWeights", "attention_fusion", "convolution_3x3", "window_attention"]


def window_attention(
    u_nhwc: Tensor,
    qkv_weight: Tensor,
    position_bias: Tensor,
    projection_weight: Tensor,
    projection_bias: Tensor,
    window: int,
    *,
    shifted: bool,
) -> Tensor:
    """Multi-head self-attention inside square windows, relative position bias (Liu et al. 2021).

    Shifted windows wrap round the map's edge without a mask. A map that fits into one window is one
    window, and is not shifted. This operation has no kernel of its own.

    Parameters
    ----------
    u_nhwc : Tensor
        Channels-last map.
    qkv, position_bias, projection_weight, projection_bias : Tensor
        See `FusionWeights`.
    window : int
        Side of a window in cells; map sides are multiples of it or fit into it.
    shifted : bool
        Shift the windows by half their side.

    Returns
    -------
    Tensor
        Same shape.
    """
    weights = qkv_weight, position_bias, projection_weight, projection_bias
    if backend.eager_on_cpu(u_nhwc):
        return cpu.window_attention(u_nhwc, *weights, window, shifted=shifted)
    return reference.window_attention(u_nhwc, *weights, window, shifted=shifted)


def attention_fusion(
    u_nhwc: Tensor,
    residual_nhwc: Tensor,
    gate_nc: Tensor,
    weights: FusionWeights,
    window: int,
    *,
    shifted: bool,
) -> Tensor:
    """Compute residual + gate * window_attention(u) + (1 - gate) * convolution_3x3(u).

    The Attention Fusion Unit of GalCatDiff (arXiv:2506.16255) with the skip connection round it.

    Parameters
    ----------
    u_nhwc, residual_nhwc : Tensor
        Channels-last maps of the same shape.
    gate_nc : Tensor
        Weight of the attention branch per image and channel, 0 to 1.
    weights : FusionWeights
        Of both branches.
    window : int
        Side of a window in cells; map sides are multiples of it or fit into it.
    shifted : bool
        Shift the windows by half their side.

    Returns
    -------
    Tensor
        Same shape.

    Raises
    ------
    BackendError
        If the backend that was asked for does not exist, or cannot run on this device.
    """
    maps = u_nhwc, residual_nhwc, gate_nc
    if backend.fused(u_nhwc):
        y_nhwc: Tensor = custom_op.attention_fusion(*maps, *weights, window, shifted)
        return y_nhwc
    if backend.eager_on_cpu(u_nhwc):
        return cpu.attention_fusion(*maps, weights, window, shifted=shifted)
    return reference.attention_fusion(*maps, weights, window, shifted=shifted)
