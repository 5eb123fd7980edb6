"""Convergence of the deterministic solvers, and the coefficients that give it, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.interpolate import lagrange
from torch import Tensor

from galgen.diffusion.samplers import SAMPLERS
from galgen.diffusion.samplers.ipndm import adams_bashforth_weights
from galgen.diffusion.samplers.unipc import _step as unipc_step
from galgen.diffusion.schedule import karras_sigmas, uniform_logsnr_sigmas
from tests.diffusion.exact import gaussian, gaussian_solution, mixture, mixture_solution

DETERMINISTIC = [name for name in SAMPLERS if name not in ("ddpm", "sde-dpmpp-2m")]
PROBLEMS = {"gaussian": (gaussian, gaussian_solution), "mixture": (mixture, mixture_solution)}


def error(name: str, sigmas: Tensor, problem: str = "mixture") -> float:
    """Largest error over start points that lead to either component."""
    denoiser, solution = PROBLEMS[problem]
    x = sigmas[0] * torch.linspace(-1.5, 1.4, 8, dtype=torch.float64)
    exact = solution(x, sigmas[0].item(), sigmas[-1].item())
    return (SAMPLERS[name](denoiser, x, sigmas) - exact).abs().max().item()


def fitted_order(name: str, grid: Callable[[int], Tensor], problem: str) -> float:
    """Slope of log error over log step between 80 and 320 steps."""
    steps = (80, 160, 320)
    errors = [error(name, grid(n), problem) for n in steps]
    return -np.polyfit(np.log(steps), np.log(errors), 1)[0]


def geometric(n: int, sigma_max: float = 1.0) -> Tensor:
    """Equal steps of log sigma, not down to 0: an order needs errors that do not vanish there."""
    return uniform_logsnr_sigmas(n + 1, 0.1, sigma_max)[:-1]


def geometric_after_a_gentle_start(n: int) -> Tensor:
    """From 5 to 0.1, after steps that double up to full length: no error comes from the start."""
    h = math.log(50) / n
    first = [h * 2.0**-k for k in range(2 * math.ceil(math.log2(1 / h)), 0, -1)]
    steps = torch.tensor([0.0, *first] + [h] * n, dtype=torch.float64)
    return 5.0 * torch.exp(-steps.cumsum(0))


@pytest.mark.parametrize(
    ("name", "order"),
    [("ddim", 1), ("heun", 2), ("dpmpp-2m", 2), ("ipndm", 2), ("ipndm-v", 2), ("unipc", 3)],
)
def test_order_from_a_cold_start(name: str, order: int) -> None:
    """A multistep method begins with an Euler step (unipc: a corrected one), which limits it."""
    assert fitted_order(name, geometric, "mixture") == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(
    ("name", "order"),
    [("ddim", 1), ("heun", 2), ("dpmpp-2m", 2), ("ipndm", 2), ("ipndm-v", 4), ("unipc", 4)],
)
def test_order_once_history_is_there(name: str, order: int, problem: str) -> None:
    """Steps are unequal in sigma and, at first, in log sigma: coefficients must follow them."""
    got = fitted_order(name, geometric_after_a_gentle_start, problem)
    assert got == pytest.approx(order, abs=0.2)


def test_higher_orders_win_at_equal_evaluations() -> None:
    """32 evaluations from 5 to 0.1: heun pays two per step and so has 16 steps."""
    errors = {
        name: error(name, geometric(16 if name == "heun" else 32, sigma_max=5.0))
        for name in DETERMINISTIC
    }
    second_order = [errors[name] for name in ("heun", "dpmpp-2m", "ipndm")]
    assert errors["unipc"] < min(*second_order, errors["ipndm-v"]) / 2
    assert max(*second_order, errors["ipndm-v"]) < errors["ddim"] / 2


@pytest.mark.parametrize("name", DETERMINISTIC)
@pytest.mark.parametrize("schedule", [karras_sigmas, uniform_logsnr_sigmas])
def test_full_trajectory_to_zero(name: str, schedule: Callable[..., Tensor]) -> None:
    """100 steps from sigma 80 to 0 end where the exact solution does."""
    sigmas = schedule(100, 0.002, 80.0)
    x = 80.0 * torch.linspace(-2, 2, 9, dtype=torch.float64)
    exact = mixture_solution(x, sigmas[0].item(), 0.002)
    atol = 0.05 if name == "ddim" else 0.005
    torch.testing.assert_close(SAMPLERS[name](mixture, x, sigmas), exact, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ["dpmpp-2m", "unipc"])
@pytest.mark.parametrize("steps", [5, 6])
def test_few_steps_do_not_overshoot(name: str, steps: int) -> None:
    """Karras steps grow in log sigma towards 0: unless the final orders are limited, ddim wins."""
    x = 80.0 * torch.linspace(-2, 2, 33, dtype=torch.float64)
    sigmas = karras_sigmas(steps, 0.002, 80.0)
    exact = mixture_solution(x, sigmas[0].item(), 0.002)
    rms, rms_ddim = (
        (SAMPLERS[key](mixture, x, sigmas) - exact).square().mean().sqrt().item()
        for key in (name, "ddim")
    )
    assert rms < 0.7 * rms_ddim


def test_ipndm_is_ipndm_v_on_equal_steps_only() -> None:
    x = torch.linspace(-3, 3, 8, dtype=torch.float64)
    equal_steps, unequal_steps = torch.linspace(3.0, 0.5, 12), geometric(12, sigma_max=3.0)
    for sigmas, same in ((equal_steps.double(), True), (unequal_steps, False)):
        results = [SAMPLERS[name](mixture, x, sigmas) for name in ("ipndm", "ipndm-v")]
        assert torch.allclose(*results, rtol=1e-5, atol=0) == same


def test_adams_bashforth_weights() -> None:
    """The textbook ones on equal steps; exact for cubics on unequal ones."""
    np.testing.assert_allclose(adams_bashforth_weights([1, 0]), [1])
    np.testing.assert_allclose(adams_bashforth_weights([1, 0, -1]), [3 / 2, -1 / 2])
    classical = np.array([55, -59, 37, -9]) / 24
    np.testing.assert_allclose(adams_bashforth_weights(range(1, -4, -1)), classical)
    nodes = [0.2, 0.5, 1.3, 1.7, 4.0]
    cubic = np.polynomial.Polynomial([0.4, -1.2, 0.7, 2.0])
    area = cubic.integ()(nodes[0]) - cubic.integ()(nodes[1])
    mean = np.dot(adams_bashforth_weights(nodes), cubic(np.array(nodes[1:])))
    assert (nodes[0] - nodes[1]) * mean == pytest.approx(area)


@pytest.mark.parametrize("others", [(4.0, 9.0), (4.0, 1.1), (4.0, 9.0, 1.1)])
def test_unipc_step_is_the_integral_of_the_interpolant(others: tuple[float, ...]) -> None:
    """x' = e^-h x + int_0^h e^(t - h) L(t) dt with L through all D: UniPC's B(h) cancels."""
    sigma, sigma_next, x = 2.0, 1.1, 0.7
    values = {s: 0.3 + 0.2 * i - 0.15 * i**2 for i, s in enumerate((sigma, *others))}
    h = math.log(sigma / sigma_next)
    interpolant = lagrange([math.log(sigma / s) for s in values], list(values.values()))
    integral, _ = quad(lambda t: math.exp(t - h) * interpolant(t), 0, h)
    points = [(s, torch.tensor(d, dtype=torch.float64)) for s, d in values.items()]
    got = unipc_step(torch.tensor(x, dtype=torch.float64), points[0], points[1:], sigma_next)
    assert got.item() == pytest.approx(math.exp(-h) * x + integral, rel=1e-10)


def test_unipc_predicts_its_second_step_like_dpmpp_2m() -> None:
    """Zhao et al. 2023 choose a weight of 1/2 there, which gives DPM-Solver++(2M)'s step."""
    denoised = {s: torch.tensor(d, dtype=torch.float64) for s, d in ((5.0, 0.1), (2.0, 0.4))}
    x, sigmas = torch.tensor(1.3, dtype=torch.float64), torch.tensor([5.0, 2.0, 0.75])

    def lookup(_: Tensor, sigma: float) -> Tensor:
        return denoised[sigma]

    after_one, after_two = (SAMPLERS["dpmpp-2m"](lookup, x, sigmas[:n]) for n in (2, 3))
    got = unipc_step(after_one, (2.0, denoised[2.0]), [(5.0, denoised[5.0])], 0.75)
    torch.testing.assert_close(got, after_two, rtol=1e-12, atol=0)
