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


SILU = tl.constexpr("""{
    .reg .f32 t;
    mul.f32 t, $1, 0fBFB8AA3B;  // -log2(e)
    ex2.approx.ftz.f32 t, t;
    add.f32 t, t, 0f3F800000;  // 1
    rcp.approx.ftz.f32 t, t;
    mul.f32 $0, $1, t;
}""")


@triton.jit
def silu(x):
    """Compute x sigmoid(x), float32.

    In five instructions: a division costs six more, for the range of its operands. An exponential
    that overflows gives 0, as it should. The approximations err by about an ulp each.
    """
    if INTERPRETED:
        return x / (1.0 + tl.exp(-x))
    return tl.inline_asm_elementwise(SILU, "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1)
