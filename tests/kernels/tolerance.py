"""How far a result may be from the float64 reference."""

from __future__ import annotations

import torch
from torch import Tensor


def relative_error(got: Tensor, expected: Tensor) -> float:
    """Norm of the difference over the norm of what was expected; NaN if anything is NaN."""
    expected = expected.double()
    return float((got.double() - expected).norm() / expected.norm())


def rounding(dtype: torch.dtype) -> float:
    """Tolerance of `relative_error`: a few roundings to `dtype`, between and after products.

    Rounding moves a number by 0.29 ulp (rms), at most ``finfo.eps`` relative. Chains of up to four
    roundings stay well below 2 eps; a term that is lost or misplaced is of order 1.
    """
    return 2 * torch.finfo(dtype).eps
