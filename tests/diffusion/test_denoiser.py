"""Preconditioning against Karras et al. 2022 (edm) and Ho et al. 2020 (vp)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.preconditioning import VP, make_preconditioning
from galgen.model.config import ModelConfig
from galgen.model.embedding import Condition

TINY = ModelConfig(bands=2, patch=4, widths=(32, 32, 32), blocks=1, embedding=32)
SHAPE = (16, 16, 2)
SIGMAS = [0.002, 0.05, 0.5, 3.0, 80.0]


class Recorder(nn.Module):
    """A network that keeps what it was given and returns what it is told to."""

    def __init__(self, answer: float | Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x_nhwc: Tensor, noise_level_n: Tensor, condition: Condition) -> Tensor:
        self.x_nhwc, self.noise_level_n, self.condition = x_nhwc, noise_level_n, condition
        return torch.as_tensor(self.answer).expand_as(x_nhwc)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def recording(config: DiffusionConfig, answer: float | Tensor = 0.0) -> tuple[Denoiser, Recorder]:
    denoiser, recorder = Denoiser(TINY, config), Recorder(answer)
    denoiser.net = recorder
    return denoiser, recorder


def condition(n: int) -> Condition:
    return Condition(torch.zeros(n, dtype=torch.int64), torch.empty(n, 0))


def levels(sigma: float, n: int) -> Tensor:
    return torch.full((n,), sigma)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("sigma_data", [0.5, 2.0])
@pytest.mark.parametrize("skip", [(None, 2.0), (0.1, 2.0), (0.25, 4.0), (3.0, 1.0)])
def test_edm_keeps_variances_at_one(sigma: float, sigma_data: float, skip: tuple) -> None:
    """The requirements behind Karras et al. 2022, table 1 (app. B.6), by Monte Carlo.

    Data of standard deviation sigma_data give the network inputs of unit variance, and what it has
    to predict for a perfect D has unit variance too, at every noise level and for every skip law.
    """
    n = 200
    config = DiffusionConfig(sigma_data=sigma_data, sigma_skip=skip[0], skip_power=skip[1])
    x_nhwc, noise_nhwc = sigma_data * normal(n, *SHAPE), normal(n, *SHAPE, seed=1)
    noisy = x_nhwc + sigma * noise_nhwc
    silent, recorder = recording(config, 0.0)
    skip = silent(noisy, levels(sigma, n), condition(n))
    one, _ = recording(config, 1.0)
    out = one(noisy, levels(sigma, n), condition(n)) - skip  # c_out
    target = (x_nhwc - skip) / out
    tolerance = 6 / math.sqrt(2 * x_nhwc.numel())  # 6 sigma of a sample standard deviation
    assert recorder.x_nhwc.std().item() == pytest.approx(1, rel=tolerance)
    # Beside the sampling error float32 loses digits in the difference that forms the target.
    assert target.std().item() == pytest.approx(1, rel=tolerance + 1e-4)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_edm_coefficients(sigma: float) -> None:
    """Karras et al. 2022, table 1, last column."""
    s, data = sigma, 0.5
    x_nhwc, answer = normal(2, *SHAPE), normal(2, *SHAPE, seed=1)
    denoiser, recorder = recording(DiffusionConfig(), answer)
    got = denoiser(x_nhwc, levels(sigma, 2), condition(2))
    c_skip = data**2 / (s**2 + data**2)
    c_out = s * data / math.sqrt(s**2 + data**2)
    torch.testing.assert_close(got, c_skip * x_nhwc + c_out * answer, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(recorder.x_nhwc, x_nhwc / math.sqrt(s**2 + data**2))
    torch.testing.assert_close(recorder.noise_level_n, levels(math.log(s) / 4, 2))


@pytest.mark.parametrize(("sigma_skip", "power"), [(0.25, 4.0), (0.1, 2.0), (0.5, 2.0)])
def test_skip_laws(sigma_skip: float, power: float) -> None:
    """Half of the noisy stamp passes at sigma_skip, all of it far below, none far above."""
    config = DiffusionConfig(sigma_skip=sigma_skip, skip_power=power)
    sigma_n = sigma_skip * torch.tensor([1e-3, 1.0, 10.0, 1e3], dtype=torch.float64)
    skip_n = make_preconditioning(config).coefficients(sigma_n).skip
    expected = [1 / (1 + 1e-3**power), 0.5, 1 / (1 + 10**power), 1 / (1 + 1e3**power)]
    assert skip_n.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("power", [1.0, 8.0])
def test_coefficients_are_finite_everywhere(power: float) -> None:
    """In float32, over any range of noise that makes sense."""
    config = DiffusionConfig(sigma_skip=0.25, skip_power=power)
    sigma_n = torch.tensor([1e-4, 0.002, 0.25, 80.0, 2000.0])
    c = make_preconditioning(config).coefficients(sigma_n)
    assert all(bool(t.isfinite().all()) for t in c)
    assert bool((c.out > 0).all())


def test_vp_training_sigmas() -> None:
    """sigma^2 = (1 - abar) / abar with abar the running product of 1 - beta."""
    config = DiffusionConfig(preconditioning="vp", timesteps=5, beta_first=0.1, beta_last=0.5)
    expected, alpha_bar = [], 1.0
    for beta in (0.1, 0.2, 0.3, 0.4, 0.5):
        alpha_bar *= 1 - beta
        expected.append(math.sqrt(1 / alpha_bar - 1))
    assert VP(config).training_sigmas.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("t", [0, 1, 17, 500, 999])
def test_vp_is_epsilon_prediction(t: int) -> None:
    """x0 = (x_t - sqrt(1 - abar) eps) / sqrt(abar) of the state x_t (Ho et al. 2020, eq. 4, 15)."""
    config = DiffusionConfig(preconditioning="vp")
    sigma = VP(config).training_sigmas[t].item()
    alpha_bar = 1 / (1 + sigma**2)
    x0, eps = 0.5 * normal(2, *SHAPE), normal(2, *SHAPE, seed=1)
    state = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * eps
    answer = normal(2, *SHAPE, seed=2)  # what the network takes eps to be
    denoiser, recorder = recording(config, answer)
    got = denoiser(x0 + sigma * eps, levels(sigma, 2), condition(2))
    expected = (state - math.sqrt(1 - alpha_bar) * answer) / math.sqrt(alpha_bar)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4 * max(1.0, sigma))
    torch.testing.assert_close(recorder.x_nhwc, state, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(recorder.noise_level_n, levels(t / 999, 2), rtol=1e-5, atol=1e-6)


def test_vp_timesteps_between_and_beyond_training() -> None:
    """Fractional, linear in log sigma; levels outside the schedule take its first or last step."""
    config = DiffusionConfig(preconditioning="vp", timesteps=11)
    sigmas = VP(config).training_sigmas.float()
    asked = torch.stack(
        [(sigmas[3] * sigmas[4]).sqrt(), sigmas[0] / 10, sigmas[0], sigmas[10], sigmas[10] * 10]
    )
    denoiser, recorder = recording(config)
    denoiser(normal(5, *SHAPE), asked, condition(5))
    expected = torch.tensor([0.35, 0, 0, 1, 1])
    torch.testing.assert_close(recorder.noise_level_n, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("preconditioning", ["edm", "vp"])
def test_each_galaxy_has_its_own_level(preconditioning: str) -> None:
    denoiser, _ = recording(DiffusionConfig(preconditioning=preconditioning), 0.7)
    x_nhwc, sigma_n = normal(3, *SHAPE), torch.tensor([0.1, 1.0, 10.0])
    together = denoiser(x_nhwc, sigma_n, condition(3))
    for i in range(3):
        alone = denoiser(x_nhwc[i : i + 1], sigma_n[i : i + 1], condition(1))
        torch.testing.assert_close(together[i : i + 1], alone)


@pytest.mark.parametrize("preconditioning", ["edm", "vp"])
def test_without_noise_nothing_changes(preconditioning: str) -> None:
    """At the smallest levels D is nearly the identity, whatever the network says."""
    denoiser, _ = recording(DiffusionConfig(preconditioning=preconditioning), 1.0)
    x_nhwc = normal(2, *SHAPE)
    got = denoiser(x_nhwc, levels(1e-4, 2), condition(2))
    torch.testing.assert_close(got, x_nhwc, rtol=0, atol=3e-4)


@pytest.mark.parametrize("preconditioning", ["edm", "vp"])
def test_state_holds_parameters_only(preconditioning: str) -> None:
    """What follows from the configuration is not stored twice."""
    denoiser = Denoiser(TINY, DiffusionConfig(preconditioning=preconditioning))
    assert denoiser.state_dict().keys() == dict(denoiser.named_parameters()).keys()
