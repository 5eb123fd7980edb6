"""Lazy states against the same solvers on plain tensors."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from galgen import noise
from galgen.diffusion.combination import (
    MAX_NOISES,
    MAX_TENSORS,
    Combination,
    LazyDenoiser,
    StampSpace,
)
from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.guidance import guided
from galgen.diffusion.preconditioning import make_preconditioning
from galgen.diffusion.samplers import SAMPLERS, evaluations
from galgen.diffusion.schedule import karras_sigmas
from galgen.model.config import ModelConfig
from galgen.model.embedding import Condition
from galgen.noise import Stream

SEED, INDEX_N, SHAPE = 2**40 + 5, torch.tensor([3, 2**40]), (5, 4, 3)
CONFIGS = [DiffusionConfig(), DiffusionConfig(preconditioning="vp")]
UNIT = 2.0**-24  # of rounding in float32


@dataclass(frozen=True, eq=False)
class Recorder(StampSpace):
    """StampSpace that note how many terms each pass sums, and the sum of their sizes."""

    passes: list[tuple[int, int]] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)

    def combine(
        self,
        weights: Mapping[Tensor, float],
        noises: Mapping[int, float],
        scale: float,
        scaled: torch.dtype | None,
    ) -> tuple[Tensor, Tensor | None]:
        self.passes.append((len(weights), len(noises)))
        self.sizes.append(float(sum(map(torch.abs, self.terms(weights, noises))).max()))
        return super().combine(weights, noises, scale, scaled)

    def terms(self, weights: Mapping[Tensor, float], noises: Mapping[int, float]) -> list[Tensor]:
        """In float64."""
        tensors = [weight * tensor.double() for tensor, weight in weights.items()]
        return tensors + [weight * draw(stream).double() for stream, weight in noises.items()]


class Double(Recorder):
    """Sums in float64."""

    def combine(
        self,
        weights: Mapping[Tensor, float],
        noises: Mapping[int, float],
        scale: float,
        scaled: torch.dtype | None,
    ) -> tuple[Tensor, Tensor | None]:
        out = torch.stack(self.terms(weights, noises)).sum(0)
        return out, None if scaled is None else (scale * out).to(scaled)


class Network:
    """Stands for a `Denoiser`: a smooth network that keeps the precision of its input.

    What it is conditioned on is a number.
    """

    def __init__(self, config: DiffusionConfig) -> None:
        self.preconditioning = make_preconditioning(config)
        self.inputs: list[Tensor] = []

    def net(self, x_nhwc: Tensor, level_n: Tensor, condition: float) -> Tensor:
        assert level_n.shape == (len(x_nhwc),)
        self.inputs.append(x_nhwc)
        level = level_n[:, None, None, None]
        return 0.7 * x_nhwc + 0.3 * torch.sin(2 * x_nhwc + level) + condition


def coefficients(network: Network, sigma: float) -> tuple[float, ...]:
    """In float64, of one level."""
    return tuple(
        c.item() for c in network.preconditioning.coefficients(torch.tensor([sigma]).double())
    )


def draw(stream: int) -> Tensor:
    return noise.normal(SEED, INDEX_N, SHAPE, stream)


def sample_eagerly(network: Network, sampler: str, sigmas: Tensor, guidance: float) -> Tensor:
    """In float64, by the formula of the denoiser."""

    def denoise(x_nhwc: Tensor, sigma: float, condition: float) -> Tensor:
        skip, out, scale, level = coefficients(network, sigma)
        level_n = torch.full((len(x_nhwc),), level)
        return skip * x_nhwc + out * network.net(scale * x_nhwc, level_n, condition)

    def step_noise(step: int) -> Tensor:
        return draw(Stream.SAMPLER_STEP.at(step)).double()

    x_nhwc = draw(Stream.INITIAL_NOISE).double() * float(sigmas[0])
    denoiser = guided(denoise, 0.3, 0.0, guidance)
    return SAMPLERS[sampler](denoiser, x_nhwc, sigmas, noise=step_noise)


def sample(
    stamps: StampSpace,
    network: Network,
    sampler: str,
    sigmas: Tensor,
    guidance: float = 1.0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    def step_noise(step: int) -> Combination:
        return stamps.noise(Stream.SAMPLER_STEP.at(step))

    x = stamps.noise(Stream.INITIAL_NOISE) * float(sigmas[0])
    denoiser = guided(LazyDenoiser(network, stamps, dtype), 0.3, 0.0, guidance)
    return SAMPLERS[sampler](denoiser, x, sigmas, noise=step_noise).tensor()


@pytest.mark.parametrize("steps", [1, 2, 3, 8])
@pytest.mark.parametrize("guidance", [1.0, 2.5])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.preconditioning)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_like_eager(sampler: str, config: DiffusionConfig, guidance: float, steps: int) -> None:
    network, sigmas = Network(config), karras_sigmas(steps, 0.02, 2.0)
    expected = sample_eagerly(network, sampler, sigmas, guidance)

    # The algebra: in float64 rounding does not hide a wrong weight.
    stamps: Recorder = Double(SEED, INDEX_N, SHAPE)
    got = sample(stamps, network, sampler, sigmas, guidance, torch.float64)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)

    # A float32 sum of t products with rounded weights errs by less than (t + 2) units of rounding
    # times the sum of their sizes (Higham 2002, eq. 3.5). Solvers contract towards the data, so the
    # passes' errors add up at worst.
    stamps = Recorder(SEED, INDEX_N, SHAPE)
    got = sample(stamps, network, sampler, sigmas, guidance)
    roundings = sum(sum(terms) + 2 for terms in stamps.passes)
    assert got.dtype == torch.float32
    torch.testing.assert_close(
        got.double(), expected, rtol=0, atol=roundings * UNIT * max(stamps.sizes)
    )


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 25])
@pytest.mark.parametrize("guidance", [1.0, 2.5])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_pass_for_each_evaluation(sampler: str, guidance: float, steps: int) -> None:
    """One more at the end; only UniPC, whose corrected states are never evaluated, may need more.

    Their sums grow with every step, so now and then one is too long for a pass.
    """
    network, stamps = Network(CONFIGS[0]), Recorder(SEED, INDEX_N, SHAPE)
    sample(stamps, network, sampler, karras_sigmas(steps, 0.02, 2.0), guidance)
    asked = evaluations(sampler, steps)
    assert len(network.inputs) == asked * (1 if guidance == 1 else 2)
    extra = len(stamps.passes) - (asked + 1)
    assert 0 <= extra <= (steps // 3 if sampler == "unipc" else 0)
    assert stamps.passes[0] == (0, 1)  # the first state is drawn in the pass itself
    assert all(t <= MAX_TENSORS and n <= MAX_NOISES for t, n in stamps.passes)


def test_guidance_shares_the_input() -> None:
    network = Network(CONFIGS[0])
    sample(StampSpace(SEED, INDEX_N, SHAPE), network, "heun", karras_sigmas(3, 0.02, 2.0), 2.5)
    assert all(network.inputs[i] is network.inputs[i + 1] for i in range(0, 10, 2))


@pytest.mark.parametrize(
    ("sampler", "remembered"),
    # Evaluations that the solver's variables still hold when it asks for the next.
    [("ddpm", 1), ("ddim", 1), ("heun", 2), ("dpmpp-2m", 2), ("ipndm", 4)],
)
def test_memory_is_the_history(sampler: str, remembered: int) -> None:
    """When the network runs, only those of its outputs are alive that the solver remembers."""
    alive: list[weakref.ref[Tensor]] = []
    most = 0

    class Watched(Network):
        def net(self, x_nhwc: Tensor, level_n: Tensor, condition: float) -> Tensor:
            nonlocal most
            most = max(most, sum(output() is not None for output in alive))
            output = super().net(x_nhwc, level_n, condition)
            alive.append(weakref.ref(output))
            return output

    sample(
        StampSpace(SEED, INDEX_N, SHAPE), Watched(CONFIGS[0]), sampler, karras_sigmas(9, 0.02, 2.0)
    )
    assert len(alive) == evaluations(sampler, 9)
    assert most == remembered


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_input_of_the_network(dtype: torch.dtype) -> None:
    network = Network(CONFIGS[0])
    denoiser = LazyDenoiser(network, StampSpace(SEED, INDEX_N, SHAPE), dtype)
    x_nhwc = 3 * draw(0)
    denoised = denoiser(3 * StampSpace(SEED, INDEX_N, SHAPE).noise(0), 2.0, 0.3)
    scale = coefficients(network, 2.0)[2]
    assert torch.equal(network.inputs[0], (x_nhwc * scale).to(dtype))
    assert denoised.tensor().dtype == torch.float32


@pytest.mark.parametrize("sigma", [0.002, 0.05, 0.5, 3.0, 80.0, 400.0])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.preconditioning)
def test_preconditioning_is_that_of_the_denoiser(config: DiffusionConfig, sigma: float) -> None:
    """Also outside the range of the training levels, where `vp` holds the time step."""
    given: list[tuple[Tensor, Tensor]] = []

    class Given(nn.Module):
        def forward(self, x_nhwc: Tensor, level_n: Tensor, condition: Condition) -> Tensor:
            given.append((x_nhwc, level_n))
            return torch.cos(5 * x_nhwc)

    model = ModelConfig(bands=3, widths=(32, 32, 32), blocks=1, embedding=32)
    denoiser, stamps = Denoiser(model, config), StampSpace(SEED, INDEX_N, SHAPE)
    denoiser.net = Given()
    condition = Condition(torch.zeros(2, dtype=torch.int64), torch.empty(2, 0))
    eager = denoiser(sigma * draw(0), torch.full((2,), sigma), condition)
    lazy = LazyDenoiser(denoiser, stamps, torch.float32)(sigma * stamps.noise(0), sigma, condition)
    for expected, got in zip(*given, strict=True):
        torch.testing.assert_close(got, expected, rtol=8 * UNIT, atol=2e-6)
    torch.testing.assert_close(lazy.tensor(), eager, rtol=0, atol=32 * UNIT * max(1, sigma) * 4)


def test_arithmetic() -> None:
    """Equal tensors and streams merge, what cancels is gone, two noises take two passes."""
    stamps = Recorder(SEED, INDEX_N, SHAPE)
    a_nhwc, b_nhwc = (torch.full((2, *SHAPE), value) for value in (1.0, 2.0))  # differ by identity
    a, b = (Combination(stamps, {tensor: 1.0}, {}) for tensor in (a_nhwc, b_nhwc))
    assert a.tensor() is a_nhwc
    assert not stamps.passes
    x = (3 * a + b * 2 - (a - -b) / 2) - 0.5 * (stamps.noise(7) - stamps.noise(7)) + (b - b)
    assert torch.equal(x.tensor(), 2.5 * a_nhwc + 1.5 * b_nhwc)
    assert stamps.passes == [(2, 0)]
    two = stamps.noise(7) + 2 * stamps.noise(8) + a
    assert torch.equal(two.tensor(), draw(7) + 1 + 2 * draw(8))
    assert stamps.passes[1:] == [(0, 1), (2, 1)]


def test_computed_once() -> None:
    stamps = Recorder(SEED, INDEX_N, SHAPE)
    x = 2 * stamps.noise(0)
    first = x.tensor()
    assert x.tensor() is first
    assert torch.equal(first, 2 * draw(0))
    assert torch.equal(x.scaled(0.5, torch.float16)[1], draw(0).half())
    assert (x + x).tensor().equal(2 * first)
    assert stamps.passes == [(0, 1), (1, 0)]
