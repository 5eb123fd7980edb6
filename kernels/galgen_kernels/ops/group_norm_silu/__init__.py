"""Group normalisation, modulation by an embedding and SiLU, or normalisation alone.

Shape suffixes: n images, h/w map height and width, c channels.
"""

from __future__ import annotations

from torch import Tensor

from galgen_kernels import backend
from galgen_kernels.ops.group_norm_silu import cpu, custom_op, reference

__all__ = ["group_norm", "group_norm_silu"]


def group_norm(x_nhwc: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """Normalise over (h, w, channels of a group), without affine parameters (Wu & He 2018).

    Statistics are two-pass in float32 or better: E[x^2] - E[x]^2 cancels when the mean is large.
    This operation has no kernel of its own.

    Parameters
    ----------
    x_nhwc : Tensor
        Channels-last map.
    groups : int
        Number of groups of neighbouring channels; divides c.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor
        Same shape and dtype.
    """
    if backend.eager_on_cpu(x_nhwc):
        return cpu.group_norm(x_nhwc, groups, eps)
    return reference.group_norm(x_nhwc, groups, eps)


def group_norm_silu(
    x_nhwc: Tensor, groups: int, modulation_nc: Tensor | None = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """SiLU of the normalised map, scaled and shifted per image and channel.

    Parameters
    ----------
    x_nhwc : Tensor
        Channels-last map.
    groups : int
        Number of groups of neighbouring channels; divides c.
    modulation_nc : Tensor, optional
        (n, 2 * c): scales less 1, then shifts.
    eps : float
        Added to the variance.

    Returns
    -------
    u_nhwc : Tensor
        silu(normalised * (1 + scale) + shift), same shape and dtype as `x_nhwc`.
    pooled_nc : Tensor
        Mean over the map of the normalised map, before scale and shift.

    Raises
    ------
    BackendError
        If the backend that was asked for does not exist, or cannot run on this device.
    """
    if backend.fused(x_nhwc):
        u_nhwc, pooled_nc = custom_op.group_norm_silu(x_nhwc, modulation_nc, groups, eps)
        return u_nhwc, pooled_nc
    if backend.eager_on_cpu(x_nhwc):
        return cpu.group_norm_silu(x_nhwc, groups, modulation_nc, eps)
    return reference.group_norm_silu(x_nhwc, groups, modulation_nc, eps)
