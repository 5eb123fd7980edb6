"""Power-function exponential moving average of weights (Karras et al. 2024, section 3.1)."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from galgen.errors import InvalidValueError

Module = TypeVar("Module", bound=nn.Module)


def power_exponent(relative_width: float) -> float:
    """Find the exponent gamma whose averaging profile has a relative width.

    The width is the profile's standard deviation as a fraction of the run: sigma_rel =
    (gamma + 1)^(1/2) (gamma + 2)^-1 (gamma + 3)^(-1/2) (Karras et al. 2024, appendix C).

    Raises
    ------
    InvalidValueError
        If the width is outside (0, 0.28].
    """
    if not 0 < relative_width <= 0.28:
        raise InvalidValueError("EMA relative width", relative_width, "above 0, at most 0.28")
    s = relative_width**-2
    return float(np.roots([1, 7, 16 - s, 12 - s]).real.max())


class PowerEMA(Generic[Module]):
    """Averaged copy of a module.

    Parameters
    ----------
    module : nn.Module
        The module being trained.
    relative_width : float
        Width of the averaging profile relative to the training so far; there is no horizon to tune.

    Attributes
    ----------
    module : nn.Module
        The copy, of the same type.

    Raises
    ------
    InvalidValueError
        If the width is outside (0, 0.28].
    """

    def __init__(self, module: Module, relative_width: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self._exponent = power_exponent(relative_width)

    @torch.no_grad()
    def update(self, module: Module, step: int) -> None:
        """Fold in the weights after step t, counted from 1, by beta = (1 - 1/t)^(gamma + 1)."""
        beta = (1 - 1 / step) ** (self._exponent + 1)
        averaged: list[Tensor] = list(self.module.parameters())
        torch._foreach_lerp_(averaged, list(module.parameters()), 1 - beta)
