"""Weighted sum of tensors plus counter-based normal noise, in one pass over memory.

Every solver step of a diffusion sampler, preconditioning of the network included, is such a sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from galgen_kernels.launching.arguments import POINTER_TYPES
from galgen_kernels.launching.launcher import launch_variant
from galgen_kernels.launching.variant import Variant

MAX_TERMS = 16
"""Tensors in one sum."""

# Numbers of a program: four neighbours, one call of Philox, for each of 128 threads.
BLOCK = 512


@triton.jit(do_not_specialize=["seed_low", "seed_high", "stream", "groups"])
def linear_combination_kernel(
    t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15,
    w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15,
    out_ptr, scaled_ptr, index_ptr, table_ptr,
    noise_weight, scale, seed_low, seed_high, stream, groups,
    TERMS: tl.constexpr, PADDING: tl.constexpr, NOISE: tl.constexpr, SCALED: tl.constexpr,
    SEGMENT_BITS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program sums BLOCK numbers of one galaxy, which has 4 groups - PADDING of them."""
    pointers = (t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15)
    weights = (w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15)
    chunks = tl.cdiv(4 * groups, BLOCK)
    galaxy = tl.program_id(0) // chunks
    chunk = tl.program_id(0) % chunks
    count = 4 * groups - PADDING  # known to divide by 4 if there is no padding: wide loads
    number = chunk * BLOCK + tl.arange(0, BLOCK)
    inside = number < count
    place = galaxy.to(tl.int64) * count + number

    total = tl.zeros((BLOCK,), tl.float32)
    for k in tl.static_range(TERMS):
        term = tl.load(pointers[k] + place, mask=inside, other=0.0).to(tl.float32)
        total += term * weights[k]
    if NOISE:
        group = (chunk * (BLOCK // 4) + tl.arange(0, BLOCK // 4)).to(tl.uint32)
        index = tl.load(index_ptr + galaxy)
        word = random_words(group, stream, index, seed_low, seed_high)
        total += normal_quantile(word, table_ptr, SEGMENT_BITS) * noise_weight
    tl.store(out_ptr + place, total, mask=inside)
    if SCALED:
        scaled = (total * scale).to(scaled_ptr.dtype.element_ty)
        tl.store(scaled_ptr + place, scaled, mask=inside)


@triton.jit
def random_words(group, stream, index, seed_low, seed_high):
    """Philox4x32-10 words of counters (group, stream, index), four for each group, uint32."""
    zero = tl.zeros_like(group)
    index_low, index_high = index.to(tl.uint32), (index >> 32).to(tl.uint32)
    counter = (group, zero + stream.to(tl.uint32), zero + index_low, zero + index_high)
    key = (seed_low.to(tl.uint32), seed_high.to(tl.uint32))
    a, b, c, d = tl.philox_impl(*counter, *key, 10)
    return tl.interleave(tl.interleave(a, c), tl.interleave(b, d))  # a0 b0 c0 d0 a1 b1 ...


@triton.jit
def normal_quantile(word, table_ptr, SEGMENT_BITS: tl.constexpr):
    """Uniform 32-bit words to standard normal numbers by a table of cubics, float32.

    A word's distance x from the middle of the 32-bit range gives sign and tail probability; the
    exponent and leading mantissa bits of x, at least 1/2, pick the segment. Float64 with a rounding
    after every product and every sum, which gives the same bits everywhere: never let a compiler
    contract the two.
    """
    distance = word.to(tl.float64) - 2147483647.5
    x = tl.abs(distance)
    segment = (x.to(tl.int64, bitcast=True) >> (52 - SEGMENT_BITS)) - (1022 << SEGMENT_BITS)
    SEGMENTS: tl.constexpr = 32 << SEGMENT_BITS
    z = tl.load(table_ptr + 3 * SEGMENTS + segment)
    z = z * x + tl.load(table_ptr + 2 * SEGMENTS + segment)
    z = z * x + tl.load(table_ptr + 1 * SEGMENTS + segment)
    z = tl.abs(z * x + tl.load(table_ptr + segment))
    return tl.where(distance < 0, -z, z).to(tl.float32)


def variant(
    dtypes: Sequence[torch.dtype],
    count: int,
    *,
    segments: int = 0,
    scaled: torch.dtype | None = None,
) -> Variant:
    """Describe the form for tensors of `dtypes` and `count` numbers per galaxy.

    Parameters
    ----------
    dtypes : sequence of torch.dtype
        Of each tensor. There are fewer forms if the float32 ones come first.
    count : int
        Only its remainder by 4 matters.
    segments : int
        Cubics in the table of noise, 32 times a power of 2; 0 adds no noise.
    scaled : torch.dtype, optional
        Of the scaled copy; none is written if not given.
    """
    unused = [torch.float32] * (MAX_TERMS - len(dtypes))
    pointers = [POINTER_TYPES[dtype] for dtype in (*dtypes, *unused)]
    return Variant(
        linear_combination_kernel,
        {f"t{k}": pointer for k, pointer in enumerate(pointers)}
        | {f"w{k}": "fp32" for k in range(MAX_TERMS)}
        | {"out_ptr": "*fp32", "scaled_ptr": POINTER_TYPES[scaled or torch.float32]}
        | {"index_ptr": "*i64", "table_ptr": "*fp64", "noise_weight": "fp32", "scale": "fp32"}
        | dict.fromkeys(("seed_low", "seed_high", "stream", "groups"), "i32"),
        {
            "TERMS": len(dtypes),
            "PADDING": -count % 4,
            "NOISE": segments > 0,
            "SCALED": scaled is not None,
            "SEGMENT_BITS": max(0, (segments // 32).bit_length() - 1),
            "BLOCK": BLOCK,
        },
        fp_fusion=False,
    )


def launch(
    tensors: Sequence[Tensor],
    weights: Sequence[float],
    shape: Sequence[int],
    noise_weight: float,
    seed: int,
    stream: int,
    index_n: Tensor,
    table: Tensor,
    scale: float = 1.0,
    scaled: torch.dtype | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Sum of weight * tensor and noise_weight * noise, float32, and a scaled copy of it.

    The bits are those of `reference.linear_combination` with the noise as the last tensor.

    Parameters
    ----------
    tensors : sequence of Tensor
        None to MAX_TERMS of `shape`, each of any floating-point dtype up to float32.
    weights : sequence of float
        As many; rounded to float32.
    shape : sequence of int
        (n, ...).
    noise_weight : float
        Of standard normal numbers; with 0 none are made and the next four arguments do not matter.
    seed, stream : int
        63 and 32 bits.
    index_n : Tensor
        Galaxy numbers, int64, on the device of the result. They are read when the kernel runs, so
        a CUDA graph can be replayed with others.
    table : Tensor
        Cubics of the normal quantile, float64, (4, segments), constant first.
    scale : float
        Of the copy.
    scaled : torch.dtype, optional
        Of the copy; there is none if not given.

    Returns
    -------
    out : Tensor
        float32.
    copy : Tensor or None
        scale * out.
    """
    assert len(tensors) == len(weights) <= MAX_TERMS
    assert all(t.shape == torch.Size(shape) for t in tensors)
    count = math.prod(shape[1:])
    out = torch.empty(tuple(shape), dtype=torch.float32, device=index_n.device)
    copy = None if scaled is None else torch.empty_like(out, dtype=scaled)
    if out.numel() == 0:
        return out, copy
    segments = table.shape[1] if noise_weight else 0
    form = variant([t.dtype for t in tensors], count, segments=segments, scaled=scaled)
    unused = MAX_TERMS - len(tensors)
    words = (seed & 0xFFFFFFFF, seed >> 32, stream)
    launch_variant(
        form,
        (shape[0] * triton.cdiv(count, BLOCK),),
        *(t.contiguous() for t in tensors),
        *[out] * unused,
        *map(float, weights),
        *[0.0] * unused,
        *(out, out if copy is None else copy, index_n, table, float(noise_weight), float(scale)),
        *((word ^ 1 << 31) - (1 << 31) for word in words),  # the same bits as signed integers
        -(-count // 4),
    )
    return out, copy
