"""Where the windows of a map are, and how their cells lie to each other."""

from __future__ import annotations

import torch
from torch import Tensor

Size = tuple[int, int]
"""Cells along y and x."""


def window_geometry(height: int, width: int, window: int, *, shifted: bool) -> tuple[Size, Size]:
    """Return sides and shifts (y, x) of the windows of a map, in cells."""
    sides = min(height, window), min(width, window)
    y, x = (side // 2 if n > side else 0 for n, side in zip((height, width), sides, strict=True))
    return sides, ((y, x) if shifted else (0, 0))


def offsets(wh: int, ww: int, window: int, device: torch.device) -> Tensor:
    """Return (t, t): column of the bias table for each pair of cells of a wh x ww window."""
    y, x = torch.arange(wh, device=device), torch.arange(ww, device=device)
    dy = (y[:, None] - y[None, :] + window - 1)[:, None, :, None]
    dx = (x[:, None] - x[None, :] + window - 1)[None, :, None, :]
    return (dy * (2 * window - 1) + dx).reshape(wh * ww, wh * ww)
