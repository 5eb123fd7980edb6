"""The flood as one launch: a program floods one stamp, to its end, without the host.

A row of pixels is the bits of one 64-bit word, and a program holds the rows of one stamp. Nothing
is exchanged between programs and no memory is read in the loop. It takes as many rounds as the
stamp needs, not the neediest of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from galgen_kernels.launching.launcher import launch_variant
from galgen_kernels.launching.variant import Variant


@triton.jit
def row_bits(mask, W: tl.constexpr):
    """Rows of a mask (h, w) as words (h,): pixel x is bit x."""
    bit = tl.full((W,), 1, tl.uint64) << tl.arange(0, W).to(tl.uint64)
    return tl.sum(tl.where(mask, bit[None, :], tl.zeros(mask.shape, tl.uint64)), 1)


@triton.jit
def dilated(rows, H: tl.constexpr):
    """Dilate rows of bits by the 3 x 3 square; rows of fewer than 64 pixels may leave the stamp."""
    y = tl.arange(0, H)
    wide = rows | (rows << 1) | (rows >> 1)
    none = tl.zeros_like(wide)
    above = tl.where(y > 0, tl.gather(wide, tl.maximum(y - 1, 0), 0), none)
    below = tl.where(y < H - 1, tl.gather(wide, tl.minimum(y + 1, H - 1), 0), none)
    return wide | above | below


@triton.jit
def flood_kernel(
    level_ptr,
    seed_ptr,
    threshold_ptr,
    galaxy_ptr,
    neighbours_ptr,
    H: tl.constexpr,
    W: tl.constexpr,
    LEVELS: tl.constexpr,
    PROMINENCE: tl.constexpr,
):
    """One program floods one stamp."""
    x, y = tl.arange(0, W), tl.arange(0, H)
    place = tl.program_id(0).to(tl.int64) * (H * W) + y[:, None] * W + x[None, :]
    level = tl.load(level_ptr + place)
    galaxy = row_bits(tl.load(seed_ptr + place) != 0, W)
    neighbours = tl.zeros((H,), tl.uint64)
    for step in range(LEVELS):
        threshold = threshold_ptr + (LEVELS - 1 - step)
        here = row_bits(level > tl.load(threshold), W)
        peaks = row_bits(level > tl.load(threshold + PROMINENCE), W)
        neighbours = neighbours | (peaks & ~galaxy)
        changed = 1
        while changed != 0:
            # Both reach out from where they were before the round; the galaxy takes first.
            reach = dilated(neighbours, H) & here
            new_galaxy = dilated(galaxy, H) & here & ~galaxy & ~neighbours
            galaxy = galaxy | new_galaxy
            new_neighbours = reach & ~neighbours & ~galaxy
            neighbours = neighbours | new_neighbours
            changed = tl.max(((new_galaxy | new_neighbours) != 0).to(tl.int32), 0)
    bit = (tl.full((W,), 1, tl.uint64) << x.to(tl.uint64))[None, :]
    tl.store(galaxy_ptr + place, ((galaxy[:, None] & bit) != 0).to(tl.uint8))
    tl.store(neighbours_ptr + place, ((neighbours[:, None] & bit) != 0).to(tl.uint8))


def variant(h: int, w: int, thresholds: int, prominence: int) -> Variant:
    """Describe the form for stamps of one size, powers of 2 with `w` up to 64."""
    names = ("level_ptr", "seed_ptr", "threshold_ptr", "galaxy_ptr", "neighbours_ptr")
    floats = {"level_ptr": "*fp32", "threshold_ptr": "*fp32"}
    return Variant(
        flood_kernel,
        dict.fromkeys(names, "*u8") | floats,
        {"H": h, "W": w, "LEVELS": thresholds - prominence, "PROMINENCE": prominence},
        num_warps=max(1, min(4, h * w // 1024)),
        num_stages=1,
    )


def launch(
    level_nhw: Tensor, seed_nhw: Tensor, thresholds: Sequence[float], prominence: int
) -> tuple[Tensor, Tensor]:
    """See `galgen_kernels.ops.flood`; tensors as `arguments.ready` makes them."""
    n, h, w = level_nhw.shape
    masks = [torch.empty_like(seed_nhw) for _ in range(2)]
    if n:  # a grid cannot be empty
        table_t = _table(tuple(thresholds), level_nhw.device)
        seed, *found = (mask.view(torch.uint8) for mask in (seed_nhw, *masks))
        form = variant(h, w, len(thresholds), prominence)
        launch_variant(form, (n,), level_nhw, seed, table_t, *found)
    return masks[0], masks[1]


@lru_cache(maxsize=8)
def _table(thresholds: tuple[float, ...], device: torch.device) -> Tensor:
    """Return thresholds, kept on the device: a copy makes the CPU wait, and cannot be captured."""
    return torch.tensor(thresholds, dtype=torch.float32, device=device)
