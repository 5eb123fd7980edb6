"""Weights of the Attention Fusion Unit."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FusionWeights(NamedTuple):
    """Weights of an Attention Fusion Unit for maps of c channels.

    Attributes
    ----------
    qkv_weight : Tensor
        (3 * c, c): queries, keys, values, each with the channels of a head together.
    position_bias : Tensor
        (heads, (2 * window - 1)^2), added to the scores by the offset between two cells.
    projection_weight, projection_bias : Tensor
        (c, c) and (c,), of the attention's output.
    filter_weight, filter_bias : Tensor
        (c, 3 * 3 * c) and (c,), of the convolution; see `galgen_kernels.convolution_3x3`.
    """

    qkv_weight: Tensor
    position_bias: Tensor
    projection_weight: Tensor
    projection_bias: Tensor
    filter_weight: Tensor
    filter_bias: Tensor

    @property
    def attention(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Those of `galgen_kernels.window_attention`, in its order."""
        return self[:4]
