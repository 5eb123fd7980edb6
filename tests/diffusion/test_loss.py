"""Noise levels of training and the weight of the loss."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.loss import denoising_loss
from galgen.diffusion.preconditioning import make_preconditioning
from galgen.model.config import ModelConfig
from galgen.model.embedding import Condition

TINY = ModelConfig(bands=2, patch=4, widths=(32, 32, 32), blocks=1, embedding=32)
VP = DiffusionConfig(preconditioning="vp", timesteps=40)


class Constant(nn.Module):
    """A network that always gives the same answer."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x_nhwc: Tensor, *_: object) -> Tensor:
        return self.answer.expand_as(x_nhwc)


def draw_sigmas(config: DiffusionConfig, n: int, generator: torch.Generator) -> Tensor:
    return make_preconditioning(config).draw_sigmas(n, generator)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("n", [1, 7, 64])
def test_edm_levels_are_stratified(n: int) -> None:
    """Their quantiles are evenly spaced over the batch, from a random start."""
    config = DiffusionConfig(log_sigma_mean=-0.4, log_sigma_std=1.4)
    starts = []
    for seed in range(20):
        z_n = (draw_sigmas(config, n, seeded(seed)).double().log() + 0.4) / 1.4
        u_n = np.sort(stats.norm.cdf(z_n.numpy()))
        np.testing.assert_allclose(np.diff(u_n), 1 / n, atol=1e-5)
        starts.append(n * u_n[0])
    assert stats.kstest(starts, "uniform").pvalue > 1e-3


def test_edm_levels_are_log_normal() -> None:
    config = DiffusionConfig()
    sigmas = torch.cat([draw_sigmas(config, 16, seeded(seed)) for seed in range(500)])
    assert sigmas.dtype == torch.float32
    assert stats.kstest(sigmas.log().numpy(), "norm", args=(-1.2, 1.2)).pvalue > 1e-3


def test_vp_levels_are_uniform_steps() -> None:
    """All levels are those of training; a batch as long as the schedule has each of them once."""
    trained = make_preconditioning(VP).training_sigmas.float()
    drawn = draw_sigmas(VP, 40, seeded()).sort().values
    assert torch.equal(drawn, trained)
    many = torch.cat([draw_sigmas(VP, 8, seeded(seed)) for seed in range(1000)])
    counts = (many[:, None] == trained).sum(0)
    assert counts.sum() == len(many)
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("config", [DiffusionConfig(), VP], ids=["edm", "vp"])
def test_levels_are_shuffled_and_seeded(config: DiffusionConfig) -> None:
    """A galaxy's place in the batch says nothing about its noise."""
    order = torch.stack([draw_sigmas(config, 8, seeded(seed)).argsort() for seed in range(200)])
    assert (order.double().mean(0) - 3.5).abs().max() < 4 * math.sqrt(63 / 12 / 200)
    assert len(torch.unique((order - order[:, :1]) % 8, dim=0)) > 150  # not just another start
    assert torch.equal(draw_sigmas(config, 8, seeded(3)), draw_sigmas(config, 8, seeded(3)))
    assert not torch.equal(draw_sigmas(config, 8, seeded(3)), draw_sigmas(config, 8, seeded(4)))


def terms(
    config: DiffusionConfig, answer: Tensor, sigma_n: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss per galaxy, clean stamps and noise."""
    x_nhwc, noise_nhwc = (torch.randn(3, 16, 16, 2, generator=seeded(seed)) for seed in (1, 2))
    denoiser = Denoiser(TINY, config)
    denoiser.net = Constant(answer)
    condition = Condition(torch.zeros(3, dtype=torch.int64), torch.empty(3, 0))
    loss_n = denoising_loss(denoiser, 0.5 * x_nhwc, sigma_n, noise_nhwc, condition)
    return loss_n, 0.5 * x_nhwc, noise_nhwc


def test_vp_loss_is_the_error_of_epsilon() -> None:
    """Ho et al. 2020, eq. 14, per galaxy."""
    answer = torch.randn(3, 16, 16, 2, generator=seeded())
    sigma_n = make_preconditioning(VP).training_sigmas.float()[[0, 20, 39]]
    loss_n, _, noise_nhwc = terms(VP, answer, sigma_n)
    expected = (noise_nhwc - answer).square().mean((1, 2, 3))
    torch.testing.assert_close(loss_n, expected, rtol=1e-4, atol=1e-4)


def test_edm_loss_is_the_error_of_the_network() -> None:
    """Karras et al. 2022, eq. 8: lambda c_out^2 = 1, so it is |F - (x0 - c_skip x) / c_out|^2."""
    answer = torch.randn(3, 16, 16, 2, generator=seeded())
    sigma_n = torch.tensor([0.05, 0.5, 20.0])
    loss_n, x_nhwc, noise_nhwc = terms(DiffusionConfig(), answer, sigma_n)
    s = sigma_n.double()[:, None, None, None]
    noisy = x_nhwc + s * noise_nhwc
    skip, out = 0.25 / (s**2 + 0.25), 0.5 * s / (s**2 + 0.25).sqrt()
    expected = (answer - (x_nhwc - skip * noisy) / out).square().mean((1, 2, 3))
    torch.testing.assert_close(loss_n.double(), expected, rtol=1e-4, atol=1e-4)


def test_edm_loss_of_a_silent_network_is_one() -> None:
    """Unit-variance target: every noise level starts with the same say (Karras et al. 2022)."""
    loss_n, _, _ = terms(DiffusionConfig(), torch.zeros(()), torch.tensor([0.01, 0.5, 50.0]))
    torch.testing.assert_close(loss_n, torch.ones(3), rtol=0.2, atol=0)


def two_answers(light_share: float, sigma: float) -> tuple[Tensor, Tensor]:
    """Gradient of the loss where two stamps are equally likely, at their mean and off it.

    The stamps are bright in different pixels, so that weights by the light of the *clean* stamp
    would draw the best answer to the brighter one.
    """
    dim = 0.1 * torch.randn(1, 8, 8, 2, generator=seeded(4))
    bright = dim + 4 * (torch.rand(1, 8, 8, 2, generator=seeded(5)) > 0.8)
    clean = torch.cat([dim, bright])
    gradients = []
    for answer in (clean.mean(0), clean.mean(0) + 0.1):
        denoiser = Denoiser(TINY, DiffusionConfig())
        net = Constant(torch.zeros(()))
        denoiser.net = net
        sigma_n = torch.full((2,), sigma)
        c_out = denoiser.preconditioning.loss_weight(sigma_n)[0].rsqrt()
        # Noise that hides the stamps wholly: what is given is 0 for both, so D = c_out F.
        net.answer = (answer / c_out).detach().requires_grad_(True)
        loss_n = denoising_loss(
            denoiser,
            clean,
            sigma_n,
            -clean / sigma,
            Condition(torch.zeros(2, dtype=torch.int64), torch.empty(2, 0)),
            light=lambda x_nhwc: x_nhwc.clamp(min=0).mean(-1, keepdim=True),
            light_share=light_share,
        )
        (gradient,) = torch.autograd.grad(loss_n.sum(), net.answer)
        gradients.append(gradient)
    return gradients[0], gradients[1]


@pytest.mark.parametrize("light_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sigma", [0.1, 5.0])
def test_light_does_not_move_the_best_answer(light_share: float, sigma: float) -> None:
    """It is the expected clean stamp, however the loss is spread over the pixels."""
    at_best, beside = two_answers(light_share, sigma)
    assert at_best.abs().max() < 1e-4 * beside.abs().max()


def test_light_spreads_the_loss() -> None:
    """An error in a bright pixel costs more than in a dark one, by the ratio of their weights."""
    x_nhwc = torch.full((1, 4, 4, 2), 0.1)
    x_nhwc[0, 1, 2] = 8.5  # a tenth of what follows is the mean of the stamp
    light = x_nhwc.mean(-1, keepdim=True)
    mean = float(light.mean())
    sigma_n, noise_nhwc = torch.tensor([0.5]), torch.zeros_like(x_nhwc)
    denoiser = Denoiser(TINY, DiffusionConfig())
    denoiser.net = Constant(torch.zeros(()))  # D = c_skip x: an error in proportion to x
    condition = Condition(torch.zeros(1, dtype=torch.int64), torch.empty(1, 0))
    even, by_light = (
        denoising_loss(
            denoiser, x_nhwc, sigma_n, noise_nhwc, condition,
            light=lambda _: light, light_share=share,
        )
        for share in (0.0, 0.25)
    )  # fmt: skip
    square = light.square().squeeze(-1)
    weight = 0.75 + 0.25 * light.squeeze(-1) / mean
    torch.testing.assert_close(by_light / even, ((weight * square).mean() / square.mean())[None])


def test_a_stamp_without_light_has_a_loss() -> None:
    x_nhwc = torch.ones(1, 4, 4, 2)
    denoiser = Denoiser(TINY, DiffusionConfig())
    denoiser.net = Constant(torch.zeros(()))
    condition = Condition(torch.zeros(1, dtype=torch.int64), torch.empty(1, 0))
    loss_n = denoising_loss(
        denoiser, x_nhwc, torch.ones(1), torch.zeros_like(x_nhwc), condition,
        light=lambda x: torch.zeros_like(x[..., :1]), light_share=0.5,
    )  # fmt: skip
    assert loss_n.isfinite().all()
    assert loss_n > 0
