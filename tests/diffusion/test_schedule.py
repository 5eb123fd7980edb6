"""Noise levels against the formulas of the papers they come from."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.preconditioning import VP
from galgen.diffusion.schedule import karras_sigmas, uniform_logsnr_sigmas, vp_sigmas
from galgen.errors import InvalidValueError

SCHEDULES = {
    "karras": lambda n: karras_sigmas(n, 0.002, 80.0),
    "logsnr": lambda n: uniform_logsnr_sigmas(n, 0.002, 80.0),
    "vp": vp_sigmas,
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("n", [1, 2, 3, 18, 1000])
def test_falls_to_zero_in_n_steps(name: str, n: int) -> None:
    sigmas = SCHEDULES[name](n)
    assert sigmas.shape == (n + 1,)
    assert sigmas.dtype == torch.float64
    assert sigmas[-1] == 0
    assert (sigmas.diff() < 0).all()


@pytest.mark.parametrize("rho", [1.0, 7.0, 20.0])
def test_karras_equation_5(rho: float) -> None:
    n, low, high = 18, 0.002, 80.0
    expected = [
        (high ** (1 / rho) + i / (n - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho
        for i in range(n)
    ]
    np.testing.assert_allclose(karras_sigmas(n, low, high, rho)[:-1], expected, rtol=1e-10)


def test_logsnr_is_geometric_and_the_limit_of_karras() -> None:
    sigmas = uniform_logsnr_sigmas(9, 0.02, 50.0)[:-1]
    np.testing.assert_allclose(sigmas[[0, -1]], [50.0, 0.02], rtol=1e-12)
    np.testing.assert_allclose(sigmas[1:] / sigmas[:-1], (0.02 / 50.0) ** (1 / 8), rtol=1e-12)
    np.testing.assert_allclose(sigmas, karras_sigmas(9, 0.02, 50.0, rho=1e6)[:-1], rtol=1e-4)


def test_one_step_starts_at_the_top() -> None:
    assert karras_sigmas(1, 0.002, 80.0)[0].item() == pytest.approx(80.0)
    assert uniform_logsnr_sigmas(1, 0.002, 80.0)[0].item() == pytest.approx(80.0)
    assert vp_sigmas(1)[0] == vp_sigmas(1000)[0]


def test_vp_against_a_running_product() -> None:
    """Ho et al. 2020, sec. 4: linear beta from 1e-4 to 0.02 in 1000 steps, abar_T = 4.04e-5."""
    expected, alpha_bar = [], 1.0
    for t in range(1000):
        alpha_bar *= 1 - (1e-4 + (0.02 - 1e-4) * t / 999)
        expected.append(math.sqrt((1 - alpha_bar) / alpha_bar))
    assert alpha_bar == pytest.approx(4.036e-5, rel=1e-3)
    np.testing.assert_allclose(vp_sigmas(1000)[:-1].flip(0), expected, rtol=1e-9)


def test_vp_visits_training_levels_evenly() -> None:
    full = vp_sigmas(1000)[:-1].flip(0)  # rising, index is the training step
    assert torch.equal(vp_sigmas(10)[:-1], full[torch.arange(999, 0, -100)])
    uneven = vp_sigmas(7)[:-1]  # 1000 does not divide by 7
    assert torch.isin(uneven, full).all()


def test_vp_agrees_with_training() -> None:
    config = DiffusionConfig(timesteps=50, beta_first=1e-3, beta_last=0.1)
    expected = VP(config).training_sigmas.flip(0)
    assert torch.equal(vp_sigmas(50, 50, 1e-3, 0.1)[:-1], expected)


@pytest.mark.parametrize("schedule", [karras_sigmas, uniform_logsnr_sigmas])
@pytest.mark.parametrize(
    ("n", "low", "high", "name"),
    [
        (0, 0.002, 80.0, "steps"),
        (5, 0.0, 80.0, "sigma range"),
        (5, 80.0, 0.002, "sigma range"),
        (5, 0.002, math.inf, "sigma range"),
        (5, math.nan, 80.0, "sigma range"),
    ],
)
def test_bad_range(schedule, n: int, low: float, high: float, name: str) -> None:
    with pytest.raises(InvalidValueError, match=name):
        schedule(n, low, high)


def test_bad_rho_and_betas() -> None:
    with pytest.raises(InvalidValueError, match="rho is 0"):
        karras_sigmas(5, 0.002, 80.0, rho=0)
    with pytest.raises(InvalidValueError, match="steps is 11; allowed: 1 to 10"):
        vp_sigmas(11, timesteps=10)
    with pytest.raises(InvalidValueError, match="steps is 0"):
        vp_sigmas(0)
    with pytest.raises(InvalidValueError, match="betas"):
        vp_sigmas(5, beta_first=0.02, beta_last=1e-4)
    with pytest.raises(InvalidValueError, match="betas"):
        vp_sigmas(5, beta_last=1.0)
