"""Optimizers and the learning-rate schedule."""

from __future__ import annotations

import torch
from torch import nn

from galgen.training.config import TrainConfig

# Parameters of the network that are matrices by storage but not hidden layers of it.
_NOT_HIDDEN = (
    "stem",
    "head",
    "detail.mix",
    "detail.out",
    "embedding",
    "position_bias",
    "modulation",
    "gate",
)


def make_optimizers(net: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Return Muon for hidden weight matrices and AdamW for the rest, or AdamW alone."""
    hidden: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in net.named_parameters():
        matrix = parameter.ndim == 2 and not any(part in name for part in _NOT_HIDDEN)
        (hidden if matrix and config.optimizer == "muon" else rest).append(parameter)
    adamw = torch.optim.AdamW(
        rest, lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay
    )
    if not hidden:
        return [adamw]
    muon = torch.optim.Muon(
        hidden,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",  # updates as large as AdamW's (Liu et al. 2025)
    )
    return [muon, adamw]


def learning_rate(config: TrainConfig, images: int, time_used: float = 0.0) -> float:
    """Warm up linearly, stay, and fall linearly to zero over the last `cooldown` of the run.

    Parameters
    ----------
    config : TrainConfig
        Length of the run, peak rate, warm-up and cooldown.
    images : int
        Training images seen so far.
    time_used : float
        Fraction of the time that is given. The run is as far as the larger of the two fractions, so
        that it ends at zero whichever ends it.
    """
    rise = min(1.0, images / config.warmup) if config.warmup else 1.0
    left = 1 - min(1.0, max(images / config.images, time_used))
    fall = min(1.0, left / config.cooldown) if config.cooldown else 1.0
    return config.learning_rate * min(rise, fall)
