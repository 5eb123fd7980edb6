"""The operation as a PyTorch custom operator, ``torch.ops.galgen_kernels.flood``.

CUDA graphs and tracers pass through it; on a CPU its body is the reference. It has no gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from galgen_kernels.launching.arguments import ready
from galgen_kernels.ops.flood import reference


# PyTorch takes the operator's schema from these arguments; their names are part of it.
@torch.library.custom_op("galgen_kernels::flood", mutates_args=(), device_types="cpu")
def flood(
    level_nhw: Tensor, seed_nhw: Tensor, thresholds: list[float], prominence: int
) -> tuple[Tensor, Tensor]:
    """See `galgen_kernels.ops.flood`."""
    return reference.flood(level_nhw, seed_nhw, thresholds, prominence)


@flood.register_kernel("cuda")
def launch_flood(
    level_nhw: Tensor, seed_nhw: Tensor, thresholds: list[float], prominence: int
) -> tuple[Tensor, Tensor]:
    """Run the fused kernel on the operator's arguments."""
    from galgen_kernels.ops.flood.fused import launch

    level_nhw, seed_nhw = ready(level_nhw, torch.float32), ready(seed_nhw, torch.bool)
    return launch(level_nhw, seed_nhw, thresholds, prominence)


@flood.register_fake
def _(
    level_nhw: Tensor, seed_nhw: Tensor, thresholds: list[float], prominence: int
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(seed_nhw), torch.empty_like(seed_nhw)
