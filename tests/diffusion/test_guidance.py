"""Classifier-free guidance on denoisers whose exact form is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from galgen.diffusion.guidance import guided
from galgen.diffusion.samplers import ddim
from galgen.diffusion.schedule import karras_sigmas
from galgen.errors import InvalidValueError

GAUSSIANS = {"spiral": (1.5, 0.5), "anything": (0.0, 1.0)}  # mean and standard deviation


class CountingDenoiser:
    """Exact denoiser of Gaussian data per condition, which records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, torch.Size]] = []

    def __call__(self, x: Tensor, sigma: float, condition: str) -> Tensor:
        self.calls.append((condition, x.shape))
        mean, std = GAUSSIANS[condition]
        return (std**2 * x + sigma**2 * mean) / (std**2 + sigma**2)


@pytest.fixture
def x() -> Tensor:
    return torch.linspace(-3, 3, 24, dtype=torch.float64).view(2, 3, 4)


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0, 7.5])
def test_equation_6_in_epsilon(x: Tensor, scale: float) -> None:
    """eps = (1 + w) eps_c - w eps_u with w = scale - 1 (Ho & Salimans 2022, eq. 6)."""
    denoise, sigma, w = CountingDenoiser(), 0.7, scale - 1
    got = (x - guided(denoise, "spiral", "anything", scale)(x, sigma)) / sigma
    eps_c, eps_u = ((x - denoise(x, sigma, name)) / sigma for name in GAUSSIANS)
    torch.testing.assert_close(got, (1 + w) * eps_c - w * eps_u, rtol=1e-12, atol=1e-12)


def test_scale_one_is_the_condition_alone(x: Tensor) -> None:
    denoise = CountingDenoiser()
    got = guided(denoise, "spiral", "anything", 1.0)(x, 0.7)
    assert denoise.calls == [("spiral", x.shape)]
    assert torch.equal(got, denoise(x, 0.7, "spiral"))


def test_two_calls_of_the_same_batch(x: Tensor) -> None:
    """Never one call of a doubled batch, which could change the bits of the conditional half."""
    denoise = CountingDenoiser()
    guided(denoise, "spiral", "anything", 2.0)(x, 0.7)
    assert sorted(denoise.calls) == [("anything", x.shape), ("spiral", x.shape)]


def test_scale_zero_ignores_the_condition(x: Tensor) -> None:
    denoise = CountingDenoiser()
    got = guided(denoise, "spiral", "anything", 0.0)(x, 0.7)
    assert torch.equal(got, denoise(x, 0.7, "anything"))


def test_a_sampler_takes_it_and_guidance_exaggerates(x: Tensor) -> None:
    sigmas = karras_sigmas(20, 0.002, 80.0)
    means = [
        ddim(guided(CountingDenoiser(), "spiral", "anything", scale), 80 * x, sigmas).mean().item()
        for scale in (0.0, 1.0, 3.0)
    ]
    assert means[0] == pytest.approx(0.0, abs=1e-6)
    assert means[1] == pytest.approx(1.5, abs=0.05)
    assert means[2] > 1.6


@pytest.mark.parametrize("scale", [-0.1, math.nan, math.inf])
def test_bad_scale(scale: float) -> None:
    with pytest.raises(InvalidValueError, match="guidance scale"):
        guided(CountingDenoiser(), "spiral", "anything", scale)
