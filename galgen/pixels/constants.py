"""A few numbers as a tensor, without the host having to wait for an accelerator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def constants(like: Tensor, values: float | Sequence[float]) -> Tensor:
    """Make a tensor (k,) of numbers, or () of one, of the dtype and on the device of another.

    They are written there one by one: an array would be copied, for which the host waits, and which
    a CUDA graph cannot record.
    """
    if isinstance(values, (int, float)):
        return like.new_full((), values)
    return torch.stack([like.new_full((), value) for value in values])
