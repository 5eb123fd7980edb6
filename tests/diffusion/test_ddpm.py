"""Ancestral sampling against the formulas of Ho et al. 2020, in float64."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from galgen.diffusion.samplers import SAMPLERS
from galgen.diffusion.schedule import karras_sigmas, vp_sigmas
from galgen.errors import InvalidValueError
from tests.diffusion.exact import MEAN, STD, gaussian, mixture

ddpm = SAMPLERS["ddpm"]


def sampled_moments(sigmas: Tensor) -> tuple[float, float]:
    """Exact mean and variance of what `ddpm` returns for Gaussian data.

    The result is affine in the start and in the noise of each step, so unit inputs give all
    coefficients. Row 0: no input; row 1: the start; row 2 + i: the noise of step i.
    """
    unit = torch.eye(len(sigmas) + 1, dtype=torch.float64)
    x = torch.zeros(len(sigmas) + 1, dtype=torch.float64)
    x[1] = sigmas[0]
    out = ddpm(gaussian, x, sigmas, noise=lambda step: unit[2 + step])
    return out[0].item(), (out[1:] - out[0]).square().sum().item()


def test_moments_follow_the_posterior_recursion() -> None:
    """q(x' | x, x0 = D) = N(D + r (x - D), s'^2 (1 - r)), r = s'^2 / s^2, step by step."""
    sigmas = karras_sigmas(30, 0.002, 80.0)
    mean, variance = 0.0, sigmas[0].item() ** 2
    for s, s_next in pairwise(sigmas.tolist()):
        gain, r = STD**2 / (STD**2 + s**2), s_next**2 / s**2
        slope = gain + r * (1 - gain)
        mean = MEAN + slope * (mean - MEAN)
        variance = slope**2 * variance + s_next**2 * (1 - r)
    assert sampled_moments(sigmas) == pytest.approx((mean, variance), rel=1e-12)


def test_moments_tend_to_those_of_the_data() -> None:
    """To first order in the number of steps, as the ancestral chain tends to its diffusion."""
    errors = []
    for steps in (500, 1000):
        mean, variance = sampled_moments(karras_sigmas(steps, 0.002, 80.0))
        assert mean == pytest.approx(MEAN, abs=1e-4)
        errors.append(abs(variance / STD**2 - 1))
    assert errors[1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("timesteps", [1000, 20])
def test_algorithm_2_step_by_step(timesteps: int) -> None:
    """Every state equals that of the published loop, divided by sqrt(abar), for the same noise."""
    beta = np.linspace(1e-4, 0.02, timesteps)
    alpha, alpha_bar = 1 - beta, np.cumprod(1 - beta)
    rng = np.random.default_rng(0)
    z = rng.standard_normal((timesteps, 6))

    def eps_theta(x: np.ndarray, t: int) -> np.ndarray:
        """Exact prediction for the mixture, in the variance-preserving form."""
        sigma = math.sqrt((1 - alpha_bar[t]) / alpha_bar[t])
        denoised = mixture(torch.from_numpy(x / np.sqrt(alpha_bar[t])), sigma).numpy()
        return (x - np.sqrt(alpha_bar[t]) * denoised) / np.sqrt(1 - alpha_bar[t])

    x_vp = rng.standard_normal(6)
    expected = []
    for step, t in enumerate(reversed(range(timesteps))):
        expected.append(x_vp / np.sqrt(alpha_bar[t]))
        mean = x_vp - beta[t] / np.sqrt(1 - alpha_bar[t]) * eps_theta(x_vp, t)
        x_vp = mean / np.sqrt(alpha[t])
        if t > 0:
            variance = (1 - alpha_bar[t - 1]) / (1 - alpha_bar[t]) * beta[t]
            x_vp = x_vp + np.sqrt(variance) * z[step]
    expected.append(x_vp)

    visited = []

    def recording(x: Tensor, sigma: float) -> Tensor:
        visited.append(x.numpy())
        return mixture(x, sigma)

    final = ddpm(
        recording,
        torch.from_numpy(expected[0]),
        vp_sigmas(timesteps, timesteps),
        noise=lambda step: torch.from_numpy(z[step]),
    )
    visited.append(final.numpy())
    np.testing.assert_allclose(visited, expected, rtol=1e-8, atol=1e-8)


def test_asks_for_noise_step_by_step() -> None:
    asked = []

    def noise(step: int) -> Tensor:
        asked.append(step)
        return torch.zeros(2)

    ddpm(gaussian, torch.ones(2), karras_sigmas(4, 0.1, 10.0), noise=noise)
    assert asked == [0, 1, 2]  # none for the step that ends at 0


def test_noise_is_required() -> None:
    with pytest.raises(InvalidValueError, match="noise is None"):
        ddpm(gaussian, torch.ones(2), karras_sigmas(4, 0.1, 10.0))
