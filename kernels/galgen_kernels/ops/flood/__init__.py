"""Which pixels are a galaxy's and which its neighbours': both grow from bright to faint.

Shape suffixes: n stamps, h/w stamp height and width, t thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from galgen_kernels.backend import runs_triton
from galgen_kernels.ops.flood import custom_op, reference
from galgen_kernels.ops.flood.reference import dilate

__all__ = ["dilate", "flood"]

WIDEST = 64  # pixels of a row, as bits of one word


def flood(
    level_nhw: Tensor, seed_nhw: Tensor, thresholds: Sequence[float], prominence: int
) -> tuple[Tensor, Tensor]:
    """Watershed of a galaxy and its neighbours.

    From the highest threshold down, both grow pixel by pixel, over sides and corners, into what is
    above it, the galaxy first; what neither can reach is left. At each threshold, what rises above
    the one that is `prominence` further up and is not the galaxy's becomes a neighbour.

    Parameters
    ----------
    level_nhw : Tensor
        Heights, float32.
    seed_nhw : Tensor
        Where the galaxies begin, bool.
    thresholds : sequence of float
        Rising; the last `prominence` of them serve for neighbours to begin only.
    prominence : int
        See above; at least 1.

    Returns
    -------
    galaxy_nhw, neighbours_nhw : Tensor
        bool, disjoint.

    Raises
    ------
    ValueError
        If `level_nhw` is not float32, or `seed_nhw` not bool, of the same shape.
    BackendError
        If the backend that was asked for does not exist, or cannot run on this device.
    """
    if (level_nhw.dtype, seed_nhw.dtype) != (torch.float32, torch.bool):
        have = f"{level_nhw.dtype} and {seed_nhw.dtype}"
        raise ValueError(f"level_nhw and seed_nhw are {have}; allowed: float32 and bool")
    if level_nhw.ndim != 3 or level_nhw.shape != seed_nhw.shape:
        have = f"{tuple(level_nhw.shape)} and {tuple(seed_nhw.shape)}"
        raise ValueError(f"shapes are {have}; allowed: twice the same (n, height, width)")
    _, h, w = level_nhw.shape
    packs = w <= WIDEST and not h & (h - 1) and not w & (w - 1)
    if packs and runs_triton(level_nhw.device):
        galaxy_nhw, neighbours_nhw = custom_op.flood(
            level_nhw, seed_nhw, list(thresholds), prominence
        )
        return galaxy_nhw, neighbours_nhw
    return reference.flood(level_nhw, seed_nhw, thresholds, prominence)
