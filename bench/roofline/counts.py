"""Work of galgen's kernels and of what else computes the same, counted from shapes.

Nothing stays in L2 from one launch to the next: the maps of a micro-batch are larger than it.
Weights cross device memory once a launch, and L2 once for every program or tile that needs them.
Gates, biases and statistics, a few hundred bytes each, are left out. Per image.
"""

from __future__ import annotations

import math

import triton

from bench.cases import SIZE, Stage
from bench.roofline.work import Work
from galgen_kernels.aot.shipped import BANDS, PROMINENCE, THRESHOLDS
from galgen_kernels.ops.attention_fusion.fused import Tile
from galgen_kernels.ops.group_norm_silu.fused import RESIDENT

BATCH = 512  # images of a launch
HALF, SINGLE = 2, 4  # bytes of bfloat16 and float32
# Tile of matrix products and convolutions by cuBLAS and cuDNN, rows and columns: assumed.
LIBRARY_TILE = 256, 128
# Operations for a score (scale, bias, largest, difference, exp, sum, rounding), and for a number
# that is normalised (two sums, deviation, scale, pooled mean) with SiLU, and modulated.
PER_SCORE, PER_NORMAL, PER_MODULATED = 7, 11, 1


def map_bytes(stage: Stage) -> int:
    """Of one map of one image."""
    return stage.side**2 * stage.channels * HALF


def fused(stage: Stage, tile: Tile) -> Work:
    """Return that of the attention_fusion kernel in one form, without cuDNN's convolution."""
    c, heads = stage.channels, stage.channels // stage.head
    padded = max(16, triton.next_power_of_2(stage.cells))
    rows, columns = tile.windows * padded, triton.next_power_of_2(c)
    real = tile.windows * stage.cells
    whole = tile.form == "whole"
    taps = 9 if whole else 0
    weights = (3 + 1 + taps) * c * c * HALF
    position = heads * stage.cells**2 * HALF
    maps = taps + 1 + (2 if whole else 3)  # the taps, u for the attention, and what is fused
    l2 = weights + tile.windows * position + maps * real * c * HALF
    # Queries, keys and values are 3 c columns, padded to 4 c.
    issued = 2 * rows * c * (4 * c + taps * columns) + 2 * rows * c * columns
    issued += heads * 4 * rows * rows * stage.head
    programs = stage.windows // tile.windows
    return Work(
        hbm=(3 if whole else 4) * map_bytes(stage) + (weights + position) / BATCH,
        l2=programs * l2,
        flops=2 * stage.side**2 * c * ((4 + taps) * c + 2 * stage.cells),
        issued=programs * issued,
        vector=programs * heads * rows * rows * PER_SCORE,
    )


def product(rows: int, inner: int, columns: int, *, taps: int = 1, reads: int = 0) -> Work:
    """Return that of a library's matrix product, or of a convolution as one, in its tiles.

    Parameters
    ----------
    rows, inner, columns : int
        Cells of an image, channels in, channels out.
    taps : int
        Cells of the filter.
    reads : int
        Further maps of the result's size that an epilogue reads.
    """
    down, across = -(-rows * BATCH // LIBRARY_TILE[0]) / BATCH, -(-columns // LIBRARY_TILE[1])
    weights = taps * inner * columns * HALF
    results = (1 + reads) * rows * columns * HALF
    return Work(
        hbm=rows * inner * HALF + results + weights / BATCH,
        l2=taps * across * rows * inner * HALF + down * weights + results,
        flops=2 * rows * taps * inner * columns,
        issued=2 * rows * taps * inner * across * LIBRARY_TILE[1],
    )


def copy(stage: Stage, read: int, written: int) -> Work:
    """Return that of a launch that reads and writes so many maps, computing next to nothing."""
    both = (read + written) * map_bytes(stage)
    return Work(hbm=both, l2=both)


def attends(stage: Stage) -> Work:
    """Return that of a kernel that takes finished queries, keys and values of its windows."""
    heads, scores = stage.channels // stage.head, stage.side**2 * stage.cells
    bias = heads * stage.cells**2 * HALF
    flops = 4 * scores * stage.channels
    maps = 4 * map_bytes(stage)
    vector = heads * scores * PER_SCORE
    return Work(maps + bias / BATCH, maps + stage.windows * bias, flops, flops, vector)


def convolution(stage: Stage) -> Work:
    """Return that of cuDNN's 3x3 convolution."""
    return product(stage.side**2, stage.channels, stage.channels, taps=9)


def unit(stage: Stage, tile: Tile) -> dict[str, Work]:
    """Return the launches of the Attention Fusion Unit with one tile."""
    kernel = {"attention_fusion": fused(stage, tile)}
    return kernel if tile.form == "whole" else kernel | {"convolution": convolution(stage)}


def ways(stage: Stage) -> dict[str, dict[str, Work]]:
    """Ways to compute the unit by other kernels: launch by launch, windows not shifted.

    The gate and both sums are in the epilogue of the projection, which no library has, in favour of
    these ways; PyTorch's compiler has a launch for them.
    """
    c, cells = stage.channels, stage.side**2
    qkv, attention = {"qkv": product(cells, c, 3 * c)}, {"attention": attends(stage)}
    rest = {"projection": product(cells, c, c, reads=2), "convolution": convolution(stage)}
    cut, joined = {"windows": copy(stage, 3, 3)}, {"map": copy(stage, 1, 1)}
    compiled = {"projection": product(cells, c, c), "convolution": convolution(stage)}
    compiled["sum"] = copy(stage, 3, 1)
    return {
        "compiled, SDPA": qkv | cut | attention | joined | compiled,
        "as FlashWindowAttention": {"windows": copy(stage, 1, 1)} | qkv | attention | joined | rest,
        "as NATTEN": qkv | attention | rest,
    }


def group_norm_silu(stage: Stage, *, modulated: bool) -> Work:
    """Return that of the normalisation."""
    numbers = stage.side**2 * stage.channels
    twice = stage.side**2 * stage.group > RESIDENT  # read, the second time from L2
    return Work(
        hbm=2 * map_bytes(stage),
        l2=(2 + twice) * map_bytes(stage),
        vector=numbers * (PER_NORMAL + PER_MODULATED * modulated),
    )


def linear_combination(terms: int, *, noise: bool, scaled: bool) -> Work:
    """Return that of a solver's step for a stamp; the network's result is the last term."""
    numbers = SIZE**2 * BANDS
    moved = numbers * (SINGLE * terms + SINGLE + HALF * scaled)
    # Ten rounds of Philox are 100 operations for four numbers; a cubic in float64, half as fast.
    operations = 2 * terms + 2 * scaled + noise * (100 / 4 + 2 * 12)
    return Work(moved, moved, vector=numbers * operations)


def stamps_to_fits(*, lupton: bool) -> Work:
    """Return that of a stamp's bytes, sums and planes."""
    numbers = SIZE**2 * BANDS
    moved = numbers * 3 * SINGLE
    # A Lupton stretch reads x twice, the second time from L1 or L2.
    return Work(moved, moved + lupton * numbers * SINGLE, vector=numbers * (40 if lupton else 30))


def flood() -> Work:
    """Return that of a stamp's flood, but for the rounds, whose number depends on the galaxy."""
    moved = SIZE**2 * (SINGLE + 3)
    levels = THRESHOLDS - PROMINENCE
    return Work(moved, moved, vector=levels * 2 * 2 * SIZE**2 + math.log2(SIZE))
