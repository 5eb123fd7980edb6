"""The Attention Fusion Unit in one kernel: windowed attention, convolution, gate and residual.

Two forms of one kernel. *Whole* computes the 3x3 convolution too, and nothing but the unit's input,
residual and output crosses device memory. *Attention* fuses the attention branch from QKV to
projection and takes the convolution's result (cuDNN's) into its epilogue with gate and residual.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
import triton
import triton.language as tl
from torch import Tensor

from galgen_kernels.launching.arguments import POINTER_TYPES
from galgen_kernels.launching.launcher import launch_variant
from galgen_kernels.launching.primitives import dot
from galgen_kernels.launching.tuned import tuned
from galgen_kernels.launching.variant import Variant
from galgen_kernels.ops.attention_fusion.convolution import convolution_3x3
from galgen_kernels.ops.attention_fusion.weights import FusionWeights
from galgen_kernels.ops.attention_fusion.windows import Size


@triton.jit(do_not_specialize=["height", "width", "shift_y", "shift_x"])
def attention_fusion_kernel(
    u_ptr,
    residual_ptr,
    convolved_ptr,
    gate_ptr,
    qkv_ptr,
    position_ptr,
    projection_ptr,
    projection_bias_ptr,
    filter_ptr,
    filter_bias_ptr,
    out_ptr,
    height,
    width,
    shift_y,
    shift_x,
    C: tl.constexpr,
    D: tl.constexpr,
    WINDOW_H: tl.constexpr,
    WINDOW_W: tl.constexpr,
    WINDOWS: tl.constexpr,
    STEP: tl.constexpr,
    CONVOLVE: tl.constexpr,
):
    """One program computes `WINDOWS` windows of one image.

    Rows of every tile are cells: m = window * T + cell, T the cells of a window padded to a power
    of 2. `STEP` divides C, and is the depth of one step of the matrix products over channels.
    """
    CELLS: tl.constexpr = WINDOW_H * WINDOW_W
    T: tl.constexpr = max(16, triton.next_power_of_2(CELLS))
    M: tl.constexpr = WINDOWS * T
    N: tl.constexpr = triton.next_power_of_2(C)
    HEADS: tl.constexpr = C // D
    STEPS: tl.constexpr = C // STEP
    dtype = u_ptr.dtype.element_ty

    columns = width // WINDOW_W
    windows = (height // WINDOW_H) * columns  # of an image, a multiple of WINDOWS
    first = tl.program_id(0) * WINDOWS
    image = first // windows
    m = tl.arange(0, M)
    cell = m % T
    window = first % windows + m // T
    y = ((window // columns) * WINDOW_H + cell // WINDOW_W + shift_y) % height
    x = ((window % columns) * WINDOW_W + cell % WINDOW_W + shift_x) % width
    real = cell < CELLS
    n = tl.arange(0, N)
    channel = n < C
    inside = real[:, None] & channel[None, :]
    start = image.to(tl.int64) * height * width * C
    u_ptr += start
    place = (y * width + x)[:, None] * C + n[None, :]
    gate = tl.load(gate_ptr + image * C + n, mask=channel, other=0.0).to(tl.float32)[None, :]

    if CONVOLVE:
        # Implicit GEMM: the nine taps read the same cells, all of them from L2 (kernels/README.md).
        k = tl.arange(0, STEP)
        sums = tl.zeros((M, N), tl.float32)
        for step in range(9 * STEPS):
            tap = step // STEPS
            c0 = (step % STEPS) * STEP
            yy = y + tap // 3 - 1
            xx = x + tap % 3 - 1
            there = real & (yy >= 0) & (yy < height) & (xx >= 0) & (xx < width)
            tile = u_ptr + (yy * width + xx)[:, None] * C + (c0 + k)[None, :]
            a = tl.load(tile, mask=there[:, None], other=0.0)
            tile = filter_ptr + n[None, :] * (9 * C) + (tap * C + c0 + k)[:, None]
            b = tl.load(tile, mask=channel[None, :], other=0.0)
            sums = dot(a, b, sums)
        sums += tl.load(filter_bias_ptr + n, mask=channel, other=0.0).to(tl.float32)[None, :]
        # In half the registers while the attention branch needs them, rounded as cuDNN rounds.
        convolved = sums.to(dtype)

    # Read once: the compiler keeps these tiles in shared memory, where all heads find them.
    tiles = ()
    for step in tl.static_range(STEPS):
        k = step * STEP + tl.arange(0, STEP)
        tile = u_ptr + (y * width + x)[:, None] * C + k[None, :]
        tile = tl.load(tile, mask=real[:, None], other=0.0)
        tiles += (tile,)  # type: ignore[assignment]  # of another length each time

    d = tl.arange(0, D)
    # Columns of queries, keys, values and, up to a power of 2, of nothing: in one product, whose
    # instructions are wide also where 8 warps share the columns.
    part = tl.arange(0, 4 * D) // D
    together = real[:, None] & real[None, :]
    if WINDOWS > 1:
        together = together & ((m // T)[:, None] == (m // T)[None, :])
    attended = tl.zeros((M, N), tl.float32)
    for head in range(HEADS):
        qkv = tl.zeros((M, 4 * D), tl.float32)
        row = part * C + head * D + tl.arange(0, 4 * D) % D
        for step in tl.static_range(STEPS):
            k = step * STEP + tl.arange(0, STEP)
            weight = qkv_ptr + row[None, :] * C + k[:, None]
            weight = tl.load(weight, mask=(part < 3)[None, :], other=0.0)
            qkv = dot(tiles[step], weight, qkv)
        parts = tl.permute(tl.reshape(qkv, (M, 2, 2, D)), (0, 3, 2, 1))
        queries_keys, values = tl.split(parts)
        q, key = tl.split(queries_keys)
        v, _ = tl.split(values)
        q = (q * (1.0 / tl.sqrt(D * 1.0))).to(dtype)
        score = dot(q, tl.trans(key.to(dtype)), tl.zeros((M, M), tl.float32))
        position = position_ptr + (head * CELLS + cell[:, None]) * CELLS + cell[None, :]
        score += tl.load(position, mask=together, other=0.0).to(tl.float32)
        if WINDOWS > 1 or T != CELLS:
            score = tl.where(together, score, -1e30)
        p = tl.exp(score - tl.max(score, 1)[:, None])
        total = tl.sum(p, 1)
        o = dot(p.to(dtype), v.to(dtype), tl.zeros((M, D), tl.float32)) / total[:, None]
        weight = projection_ptr + n[None, :] * C + (head * D + d)[:, None]
        weight = tl.load(weight, mask=channel[None, :], other=0.0)
        attended = dot(o.to(dtype), weight, attended)
    attended += tl.load(projection_bias_ptr + n, mask=channel, other=0.0).to(tl.float32)[None, :]

    if not CONVOLVE:
        convolved = tl.load(convolved_ptr + start + place, mask=inside, other=0.0)
    residual = tl.load(residual_ptr + start + place, mask=inside, other=0.0).to(tl.float32)
    out = residual + gate * attended + (1.0 - gate) * convolved.to(tl.float32)
    tl.store(out_ptr + start + place, out.to(dtype), mask=inside)


@dataclass(frozen=True)
class Tile:
    """How much of the work one program does.

    Attributes
    ----------
    form : {'whole', 'attention'}
        Whether the kernel computes the convolution, or takes its result.
    windows : int
        Windows per program; two read the weights half as often, for twice the score matrix.
    step : int
        Channels per step of the matrix products.
    num_warps, num_stages : int
        Triton's launch options.
    """

    form: Literal["whole", "attention"]
    windows: int = 1
    step: int = 64
    num_warps: int = 8
    num_stages: int = 2


# Those preferred are without spills on sm_90a (resources.json). Which form wins is settled by
# `bench/tune_kernels.py`; until it has run on a device, the choice follows an estimate
# (`python -m bench.roofline`): the whole form reads its input ten times and 26 C^2 bytes of weights
# from L2, which takes longer than the attention form and cuDNN do for C of 96 and above. Two
# programs of 4 warps fit on a multiprocessor, one computing while the other waits; for C of 192
# they would spill.
TILES = {
    64: (Tile("whole", windows=2, step=32), Tile("attention", windows=2)),
    96: (Tile("attention", step=32, num_warps=4), Tile("whole", step=32)),
    128: (Tile("attention", num_warps=4), Tile("whole")),
    192: (Tile("attention"), Tile("whole")),
    256: (Tile("attention", step=128), Tile("whole", step=128)),
}
"""Channels -> tiles for windows of 64 cells, the preferred form first."""


def forms(channels: int, cells: int) -> tuple[Tile, ...]:
    """Return both forms for maps of `channels`, windows of `cells` cells, the preferred first."""
    if cells == 64 and channels in TILES:
        return TILES[channels]
    step, warps = math.gcd(channels, 64), (4 if cells <= 32 else 8)
    whole, attention = (Tile(form, 1, step, warps) for form in ("whole", "attention"))
    return (whole, attention) if channels <= 64 else (attention, whole)


def tile(channels: int, cells: int, windows: int) -> Tile:
    """Choose for maps of `channels` whose images have `windows` windows of `cells` cells."""
    chosen = tuned("attention_fusion", f"{channels}x{cells}", Tile) or forms(channels, cells)[0]
    # Windows of one program lie in one image.
    return chosen if windows % chosen.windows == 0 else replace(chosen, windows=1)


def fits(head: int) -> bool:
    """Tell whether the kernel can be compiled for heads of so many channels.

    Triton's ranges are powers of 2, and the depth of its matrix products is 16 or more.
    """
    return head >= 16 and head.bit_count() == 1


def variant(dtype: torch.dtype, channels: int, head: int, window: Size, chosen: Tile) -> Variant:
    """Describe the form for maps of `channels`, heads of `head` channels, windows of this size."""
    types = dict.fromkeys(("height", "width", "shift_y", "shift_x"), "i32")
    pointers = (n for n in attention_fusion_kernel.arg_names if n.endswith("_ptr"))
    return Variant(
        attention_fusion_kernel,
        dict.fromkeys(pointers, POINTER_TYPES[dtype]) | types,
        {
            "C": channels,
            "D": head,
            "WINDOW_H": window[0],
            "WINDOW_W": window[1],
            "WINDOWS": chosen.windows,
            "STEP": chosen.step,
            "CONVOLVE": chosen.form == "whole",
        },
        num_warps=chosen.num_warps,
        num_stages=chosen.num_stages,
    )


def launch(
    u_nhwc: Tensor,
    residual_nhwc: Tensor,
    gate_nc: Tensor,
    weights: FusionWeights,
    position_ktt: Tensor,
    window: Size,
    shift: Size,
    chosen: Tile | None = None,
) -> Tensor:
    """Run the kernel; see `galgen_kernels.attention_fusion`.

    Parameters
    ----------
    u_nhwc, residual_nhwc, gate_nc, weights
        Contiguous tensors of one dtype.
    position_ktt : Tensor
        What the position bias adds to the scores of each pair of cells; that of `weights` itself is
        not read.
    window, shift : tuple of int
        Sides and shifts (y, x) of the windows.
    chosen : Tile, optional
        By default that of `tile`.

    Returns
    -------
    Tensor
        Same shape.
    """
    n, h, w, c = u_nhwc.shape
    windows = (h // window[0]) * (w // window[1])
    chosen = chosen or tile(c, window[0] * window[1], windows)
    form = variant(u_nhwc.dtype, c, c // len(position_ktt), window, chosen)
    out_nhwc = torch.empty_like(u_nhwc)
    convolved_nhwc = u_nhwc  # not read in the whole form
    if chosen.form == "attention":
        convolution = weights.filter_weight, weights.filter_bias
        convolved_nhwc = convolution_3x3(u_nhwc, *convolution).contiguous()
    launch_variant(
        form,
        (n * windows // chosen.windows,),
        u_nhwc,
        residual_nhwc,
        convolved_nhwc,
        gate_nc,
        weights.qkv_weight,
        position_ktt,
        weights.projection_weight,
        weights.projection_bias,
        weights.filter_weight,
        weights.filter_bias,
        out_nhwc,
        h,
        w,
        *shift,
    )
    return out_nhwc
