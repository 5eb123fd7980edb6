"""Group normalisation, modulation and SiLU of a channels-last map, read once and written once."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from galgen_kernels.launching.arguments import POINTER_TYPES
from galgen_kernels.launching.launcher import launch_variant
from galgen_kernels.launching.primitives import silu
from galgen_kernels.launching.variant import Variant

# Values of a group that stay in registers between statistics and result: 1024 cells of 16 channels,
# 64 registers of each of 256 threads. With 128 registers a thread, a multiprocessor holds two such
# programs. A larger map is read twice, the second time from L2.
RESIDENT = 1 << 14


@triton.jit(do_not_specialize=["cells", "groups"])
def group_norm_silu_kernel(
    x_ptr,
    modulation_ptr,
    y_ptr,
    pooled_ptr,
    cells,
    groups,
    eps,
    GROUP: tl.constexpr,
    CHUNK: tl.constexpr,
    CHUNKS: tl.constexpr,
    MODULATED: tl.constexpr,
):
    """One program normalises one group of channels of one image."""
    image = tl.program_id(0) // groups
    channels = GROUP * groups
    channel = (tl.program_id(0) % groups) * GROUP + tl.arange(0, GROUP)
    x_ptr += image.to(tl.int64) * cells * channels
    y_ptr += image.to(tl.int64) * cells * channels

    # Mean and sum of squared deviations, chunk by chunk (Chan, Golub & LeVeque 1983, eq. 2.1).
    cell = tl.arange(0, CHUNK)
    place = cell[:, None] * channels + channel[None, :]
    inside = (cell < cells)[:, None]
    x = tl.load(x_ptr + place, mask=inside, other=0.0).to(tl.float32)
    count = tl.minimum(cells, CHUNK) * GROUP
    mean = tl.sum(x) / count
    deviation = tl.where(inside, x - mean, 0.0)
    squares = tl.sum(deviation * deviation)
    for chunk in range(1, CHUNKS):
        start = chunk * CHUNK
        inside = (start + cell < cells)[:, None]
        part = tl.load(x_ptr + start * channels + place, mask=inside, other=0.0).to(tl.float32)
        part_count = tl.minimum(cells - start, CHUNK) * GROUP
        part_mean = tl.sum(part) / part_count
        deviation = tl.where(inside, part - part_mean, 0.0)
        delta = part_mean - mean
        share = part_count / (count + part_count).to(tl.float32)
        squares += tl.sum(deviation * deviation) + delta * delta * count * share
        mean += delta * share
        count += part_count
    rstd = 1.0 / tl.sqrt(squares / count + eps)

    factor = tl.full((GROUP,), 1.0, tl.float32)
    offset = tl.zeros((GROUP,), tl.float32)
    if MODULATED:
        modulation_ptr += image * 2 * channels + channel
        factor += tl.load(modulation_ptr).to(tl.float32)
        offset += tl.load(modulation_ptr + channels).to(tl.float32)
    pooled = tl.zeros((GROUP,), tl.float32)
    for chunk in range(CHUNKS):
        start = chunk * CHUNK
        inside = (start + cell < cells)[:, None]
        if CHUNKS > 1:
            x = tl.load(x_ptr + start * channels + place, mask=inside, other=0.0).to(tl.float32)
        normal = (x - mean) * rstd
        pooled += tl.sum(tl.where(inside, normal, 0.0), 0)
        y = silu(normal * factor[None, :] + offset[None, :])
        tl.store(y_ptr + start * channels + place, y.to(y_ptr.dtype.element_ty), mask=inside)
    pooled = (pooled / cells).to(pooled_ptr.dtype.element_ty)
    tl.store(pooled_ptr + image * channels + channel, pooled)


def variant(dtype: torch.dtype, cells: int, group: int, *, modulated: bool) -> Variant:
    """Describe the form for maps of `cells` and groups of `group` channels, a power of 2."""
    chunk = min(triton.next_power_of_2(cells), RESIDENT // group)
    chunks = -(-cells // chunk)
    pointer = POINTER_TYPES[dtype]
    tensors = dict.fromkeys(("x_ptr", "modulation_ptr", "y_ptr", "pooled_ptr"), pointer)
    return Variant(
        group_norm_silu_kernel,
        tensors | {"cells": "i32", "groups": "i32", "eps": "fp32"},
        {"GROUP": group, "CHUNK": chunk, "CHUNKS": chunks, "MODULATED": modulated},
        num_warps=max(1, min(8 if chunks == 1 else 16, chunk * group // 1024)),
        max_registers=128 if chunks == 1 and chunk * group == RESIDENT else None,
    )


def launch(
    x_nhwc: Tensor, groups: int, modulation_nc: Tensor | None, eps: float
) -> tuple[Tensor, Tensor]:
    """See `galgen_kernels.group_norm_silu`; contiguous tensors of one dtype."""
    n, h, w, c = x_nhwc.shape
    y_nhwc, pooled_nc = torch.empty_like(x_nhwc), x_nhwc.new_empty(n, c)
    form = variant(x_nhwc.dtype, h * w, c // groups, modulated=modulation_nc is not None)
    modulation_nc = x_nhwc if modulation_nc is None else modulation_nc  # not read
    values = x_nhwc, modulation_nc, y_nhwc, pooled_nc, h * w, groups, eps
    launch_variant(form, (n * groups,), *values)
    return y_nhwc, pooled_nc
