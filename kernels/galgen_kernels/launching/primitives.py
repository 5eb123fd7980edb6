"""Device functions of the kernels, and whether they are interpreted."""

from __future__ import annotations

import os

import triton
import triton.language as tl

INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")
"""Whether Triton runs kernels in Python on a CPU, as the tests do where there is no GPU."""


@triton.jit
def dot(a, b, accumulator):
    """Add a @ b to the accumulator in float32, with exact products also for float32 operands.

    The interpreter gets bfloat16 arithmetic silently wrong: there operands are widened first, which
    changes nothing, as their products are exact in float32.
    """
    if INTERPRETED:
        return accumulator + tl.dot(a.to(tl.float32), b.to(tl.float32), input_precision="ieee")
    return tl.dot(a, b, accumulator, input_precision="ieee")


@triton.jit
def silu(x):
    """Compute x sigmoid(x), float32."""
    return x / (1.0 + tl.exp(-x))
