"""What every solver promises, whatever its order."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from galgen.diffusion.samplers import SAMPLERS, evaluations, get_sampler
from galgen.diffusion.schedule import karras_sigmas
from galgen.errors import InvalidValueError
from tests.diffusion.exact import gaussian, mixture


def step_noise(like: Tensor) -> Callable[[int], Tensor]:
    """A fixed noise per step."""

    def noise(step: int) -> Tensor:
        generator = torch.Generator().manual_seed(step)
        return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like.dtype)

    return noise


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
def test_evaluations(name: str, steps: int) -> None:
    calls = []

    def counting(x: Tensor, sigma: float) -> Tensor:
        assert isinstance(sigma, float)  # no tensor on some device
        calls.append(sigma)
        return gaussian(x, sigma)

    x = torch.full((3,), 80.0)
    sigmas = karras_sigmas(steps, 0.002, 80.0)
    out = SAMPLERS[name](counting, x, sigmas, noise=step_noise(x))
    assert len(calls) == evaluations(name, steps)
    assert min(calls) > 0
    assert out.isfinite().all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_step_is_the_denoiser(name: str) -> None:
    x = torch.linspace(-100, 100, 5)
    sigmas = karras_sigmas(1, 0.002, 80.0)
    out = SAMPLERS[name](gaussian, x, sigmas, noise=step_noise(x))
    assert torch.equal(out, gaussian(x, sigmas[0].item()))


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_known_data_is_found_exactly(name: str, steps: int) -> None:
    """When D is always the same stamp, the last step to 0 returns it bit for bit."""
    stamp, x = torch.linspace(-1, 1, 7), 80 * torch.linspace(-2, 2, 7)
    sigmas = karras_sigmas(steps, 0.002, 80.0)
    out = SAMPLERS[name](lambda x, sigma: stamp, x, sigmas, noise=step_noise(x))
    assert torch.equal(out, stamp)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (2, 5, 4, 3), (0, 4)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_shape_and_dtype(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Each element is treated alone; the state keeps its dtype and the input its values."""

    def denoiser(x: Tensor, sigma: float) -> Tensor:
        return mixture(x.double(), sigma).to(dtype)

    sigmas = karras_sigmas(6, 0.02, 10.0)
    flat = torch.linspace(-15, 12, 120, dtype=dtype)
    noise = step_noise(flat)
    expected = SAMPLERS[name](denoiser, flat, sigmas, noise=noise)
    x = flat[: math.prod(shape)].clone().view(shape)
    before = x.clone()
    out = SAMPLERS[name](
        denoiser, x, sigmas, noise=lambda step: noise(step)[: x.numel()].view(shape)
    )
    assert out.shape == shape
    assert out.dtype == dtype
    assert torch.equal(x, before)
    torch.testing.assert_close(out.flatten(), expected[: x.numel()], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SAMPLERS)
def test_levels_are_read_only_once(name: str) -> None:
    """Each read of a level on an accelerator would stop the queue until it has run dry."""
    reads = []

    class Levels(Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            reads.append(func.__name__)
            return super().__torch_function__(func, types, args, kwargs or {})

    sigmas = karras_sigmas(6, 0.02, 10.0).as_subclass(Levels)
    reads.clear()
    x = torch.ones(3)
    SAMPLERS[name](gaussian, x, sigmas, noise=step_noise(x))
    assert reads == ["tolist"]


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(
    "levels",
    [[1.0], [], [1.0, 2.0, 0.0], [1.0, 1.0], [1.0, 0.0, 0.0], [1.0, -0.5], [math.nan, 0.0]],
    ids=str,
)
def test_bad_levels(name: str, levels: list[float]) -> None:
    x = torch.ones(2)
    with pytest.raises(InvalidValueError, match="sigmas"):
        SAMPLERS[name](gaussian, x, torch.tensor(levels), noise=step_noise(x))


def test_names() -> None:
    assert get_sampler("dpmpp-2m") is SAMPLERS["dpmpp-2m"]
    with pytest.raises(InvalidValueError, match=r"'dpmpp2m'.*Did you mean dpmpp-2m"):
        get_sampler("dpmpp2m")
    with pytest.raises(InvalidValueError, match=r"allowed: ddpm, ddim.*ipndm-v\.$"):
        get_sampler("zzzz")
    with pytest.raises(InvalidValueError, match="sampler is 'eluer'"):
        evaluations("eluer", 3)
    with pytest.raises(InvalidValueError, match="steps is 0"):
        evaluations("ddim", 0)
