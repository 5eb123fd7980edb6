"""Reference formula of the solver step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def linear_combination(
    tensors: Sequence[Tensor],
    weights: Sequence[float],
    scale: float = 1.0,
    scaled: torch.dtype | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Sum of weight * tensor, and optionally a scaled copy of it.

    Weights are rounded to float32 once; products and sums are float32, each rounded, in the order
    given. So the bits do not depend on the device, nor on who computes them.

    Parameters
    ----------
    tensors : sequence of Tensor
        One or more of equal shape, of any floating-point dtype up to float32. Noise is one more of
        them, the last.
    weights : sequence of float
        As many.
    scale : float
        Of the copy.
    scaled : torch.dtype, optional
        Of the copy; there is none if not given.

    Returns
    -------
    out : Tensor
        float32.
    copy : Tensor or None
        scale * out in dtype `scaled`.
    """
    out = torch.zeros_like(tensors[0], dtype=torch.float32)
    for tensor, weight in zip(tensors, weights, strict=True):
        # Two operations, two roundings: torch.add(alpha=...) may fuse them, with other bits.
        out += tensor.float() * weight
    return out, None if scaled is None else (out * scale).to(scaled)
