"""Random operands of the operations, and how far their results may be from those of float64."""

from __future__ import annotations

import torch

from galgen_kernels import FusionWeights
from tests.kernels.tolerance import rounding


def normal(*shape, dtype=torch.float64, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    return drawn.to(dtype).requires_grad_()


def fusion_tensors(n, h, w, c, heads, window, dtype=torch.float64):
    """Maps, gate and weights of `attention_fusion`, one by one."""
    return (
        normal(n, h, w, c, dtype=dtype),
        normal(n, h, w, c, dtype=dtype, seed=1),
        torch.sigmoid(normal(n, c, seed=2)).detach().to(dtype).requires_grad_(),
        normal(3 * c, c, dtype=dtype, seed=3, scale=1.5 * c**-0.5),
        normal(heads, (2 * window - 1) ** 2, dtype=dtype, seed=4),
        normal(c, c, dtype=dtype, seed=5, scale=c**-0.5),
        normal(c, dtype=dtype, seed=6),
        normal(c, 9 * c, dtype=dtype, seed=7, scale=(9 * c) ** -0.5),
        normal(c, dtype=dtype, seed=8),
    )


def bundled(tensors):
    """Arguments of `attention_fusion`."""
    return *tensors[:3], FusionWeights(*tensors[3:])


def exact(tensors):
    return [t.detach().double().requires_grad_() for t in tensors]


def tolerance(dtype):
    """Results, then gradients: chains of products, and sums over a map."""
    return rounding(dtype), 3 * rounding(dtype)
