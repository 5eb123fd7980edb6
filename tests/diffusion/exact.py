"""Data whose denoiser, and whose probability-flow solution, is known; all float64."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

MEAN, STD = 0.3, 0.6


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """D(x; sigma) of data N(MEAN, STD^2)."""
    return (STD**2 * x + sigma**2 * MEAN) / (STD**2 + sigma**2)


def gaussian_solution(x: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """The probability-flow equation from sigma to sigma_next, solved exactly."""
    return MEAN + (x - MEAN) * math.sqrt((STD**2 + sigma_next**2) / (STD**2 + sigma**2))


def mixture(x: Tensor, sigma: float) -> Tensor:
    """D(x; sigma) of 0.3 N(-1, 0.2^2) + 0.7 N(1, 0.4^2)."""
    weight, mean, std = (
        torch.tensor(values, dtype=torch.float64) for values in ((0.3, 0.7), (-1, 1), (0.2, 0.4))
    )
    variance = std**2 + sigma**2
    offset = x[..., None] - mean
    log_density = weight.log() - variance.log() / 2 - offset**2 / (2 * variance)
    posterior_mean = mean + std**2 / variance * offset
    return (log_density.softmax(-1) * posterior_mean).sum(-1)


def mixture_solution(x: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """The probability-flow equation by SciPy's eighth-order Runge-Kutta method."""

    def slope(t: float, x: np.ndarray) -> np.ndarray:
        return (x - mixture(torch.from_numpy(x), t).numpy()) / t

    solution = solve_ivp(
        slope, (sigma, sigma_next), x.numpy(), method="DOP853", rtol=1e-12, atol=1e-12
    )
    return torch.from_numpy(solution.y[:, -1])
