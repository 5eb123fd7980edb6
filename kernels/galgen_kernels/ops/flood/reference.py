"""What `flood` means: masks that grow until none changes.

Masks of eight stamps are the bits of one byte, which makes a flood cost an eighth. A round more
changes nothing, so that a stamp does not depend on the others of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PACK = 8  # stamps in a byte


def flood(
    level_nhw: Tensor, seed_nhw: Tensor, thresholds: Sequence[float], prominence: int
) -> tuple[Tensor, Tensor]:
    """See `galgen_kernels.ops.flood`."""
    n = len(level_nhw)
    level_nhw, seed_nhw = (_filled_up(t) for t in (level_nhw, seed_nhw))
    above = [pack(level_nhw > threshold) for threshold in thresholds]
    galaxy, neighbours = pack(seed_nhw), torch.zeros_like(above[0])
    for j in range(len(thresholds) - prominence - 1, -1, -1):
        neighbours = neighbours | (above[j + prominence] & ~galaxy)
        while True:
            reach = dilate(torch.stack([galaxy, neighbours])) & above[j]
            new_galaxy = reach[0] & ~galaxy & ~neighbours
            galaxy = galaxy | new_galaxy
            new_neighbours = reach[1] & ~neighbours & ~galaxy
            neighbours = neighbours | new_neighbours
            if not (new_galaxy | new_neighbours).any():
                break
    return unpack(galaxy)[:n], unpack(neighbours)[:n]


def dilate(mask: Tensor) -> Tensor:
    """Dilation of bool or bit masks (..., h, w) by the 3 x 3 square."""
    p = F.pad(mask, (1, 1, 0, 0))
    rows = mask | p[..., :-2] | p[..., 2:]
    p = F.pad(rows, (0, 0, 1, 1))
    return rows | p[..., :-2, :] | p[..., 2:, :]


def pack(mask_nhw: Tensor) -> Tensor:
    """Bool masks of 8 k stamps as bits of (k, h, w) uint8."""
    bits = mask_nhw.view(torch.uint8).view(PACK, -1, *mask_nhw.shape[1:])
    packed = bits[0]
    for i in range(1, PACK):
        packed = packed | bits[i] << i
    return packed


def unpack(packed_khw: Tensor) -> Tensor:
    """Inverse of `pack`."""
    return torch.cat([(packed_khw >> i) & 1 for i in range(PACK)]).bool()


def _filled_up(stamps_nhw: Tensor) -> Tensor:
    """Add stamps of zeros until there are a multiple of 8."""
    missing = -len(stamps_nhw) % PACK
    return F.pad(stamps_nhw, (0, 0, 0, 0, 0, missing)) if missing else stamps_nhw
