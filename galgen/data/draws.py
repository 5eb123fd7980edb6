"""Galaxies drawn to learn from: balanced by category, turned and flipped."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def balanced_weights(code_n: np.ndarray, balance: float) -> np.ndarray:
    """Draw probability (N,) of each galaxy: a category of m has a share of m^(1 - balance)."""
    count = np.bincount(code_n)
    weight = count[code_n].astype(np.float64) ** -balance
    probability: np.ndarray = weight / weight.sum()
    return probability


def draw_orientations(
    n: int, rng: np.random.Generator, *, square: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Draw quarter turns (n,) and flips (n,) at random; the sky has no preferred direction.

    Stamps that are not square are turned by half turns only.
    """
    turns = np.arange(4) if square else np.array([0, 2])
    return turns[rng.integers(0, len(turns), n)], rng.integers(0, 2, n)


def orient(x_nhwc: Tensor, turn_n: np.ndarray, flip_n: np.ndarray) -> Tensor:
    """Turn each stamp (n, H, W, B) by quarter turns, counter-clockwise, then flip it or not."""
    out = torch.empty_like(x_nhwc)
    for turn in range(4):
        for flip in range(2):
            chosen_n = np.flatnonzero((turn_n == turn) & (flip_n == flip))
            if chosen_n.size:
                chosen = torch.from_numpy(chosen_n).to(x_nhwc.device)
                part = torch.rot90(x_nhwc[chosen], turn, (1, 2))
                out[chosen] = part.flip(2) if flip else part
    return out
