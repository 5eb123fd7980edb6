"""The 3x3 convolution, which is PyTorch's everywhere but inside the fused kernel."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def convolution_3x3(x_nhwc: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """3x3 convolution with zero padding 1.

    Parameters
    ----------
    x_nhwc : Tensor
        Channels-last map.
    weight : Tensor
        Matrix of the implicit GEMM, (out, 3 * 3 * in), rows of the filter slowest, input channel
        fastest.
    bias : Tensor
        (out,).

    Returns
    -------
    Tensor
        (n, h, w, out).
    """
    kernel = weight.view(-1, 3, 3, x_nhwc.shape[-1]).permute(0, 3, 1, 2)  # channels-last view
    return F.conv2d(x_nhwc.permute(0, 3, 1, 2), kernel, bias, padding=1).permute(0, 2, 3, 1)
