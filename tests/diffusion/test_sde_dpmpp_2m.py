"""Second-order ancestral sampling: its moments for Gaussian data are known exactly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from galgen.diffusion.samplers import SAMPLERS
from galgen.diffusion.schedule import karras_sigmas
from galgen.errors import InvalidValueError
from tests.diffusion.exact import MEAN, STD, gaussian


def sampled_moments(name: str, sigmas: Tensor) -> tuple[float, float]:
    """Exact mean and variance of what a solver returns for Gaussian data.

    The result is affine in the start and in the noise of each step, so unit inputs give all
    coefficients. Row 0: no input; row 1: the start; row 2 + i: the noise of step i.
    """
    unit = torch.eye(len(sigmas) + 1, dtype=torch.float64)
    x = torch.zeros(len(sigmas) + 1, dtype=torch.float64)
    x[1] = sigmas[0]
    out = SAMPLERS[name](gaussian, x, sigmas, noise=lambda step: unit[2 + step])
    return out[0].item(), (out[1:] - out[0]).square().sum().item()


def error(name: str, steps: int) -> float:
    """Relative error of the standard deviation."""
    _, variance = sampled_moments(name, karras_sigmas(steps, 0.002, 80.0))
    return abs(math.sqrt(variance) / STD - 1)


def test_moments_tend_to_those_of_the_data_to_second_order() -> None:
    assert error("sde-dpmpp-2m", 400) < 2e-3
    assert error("sde-dpmpp-2m", 200) / error("sde-dpmpp-2m", 400) == pytest.approx(4, abs=0.7)
    mean, _ = sampled_moments("sde-dpmpp-2m", karras_sigmas(400, 0.002, 80.0))
    assert mean == pytest.approx(MEAN, abs=1e-3)


@pytest.mark.parametrize("steps", [16, 32, 64])
def test_keeps_more_of_the_noise_than_ancestral_sampling(steps: int) -> None:
    assert error("sde-dpmpp-2m", steps) < 0.6 * error("ddpm", steps)


def test_one_long_step_is_ancestral_sampling() -> None:
    """Two levels above 0: there is no earlier D to extrapolate from."""
    sigmas = torch.tensor([10.0, 0.5, 0.0], dtype=torch.float64)
    x = torch.linspace(-20, 20, 9, dtype=torch.float64)
    noise = lambda step: torch.linspace(-1, 1, 9, dtype=torch.float64)  # noqa: E731
    one = SAMPLERS["sde-dpmpp-2m"](gaussian, x, sigmas, noise=noise)
    torch.testing.assert_close(one, SAMPLERS["ddpm"](gaussian, x, sigmas, noise=noise))


def test_noise_is_required() -> None:
    with pytest.raises(InvalidValueError, match=r"noise is None.*sde-dpmpp-2m"):
        SAMPLERS["sde-dpmpp-2m"](gaussian, torch.ones(2), karras_sigmas(4, 0.1, 10.0))
