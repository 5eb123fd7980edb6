"""How galaxies are sampled: solvers, guidance, precision, noise levels, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from galgen import noise
from galgen.diffusion.samplers import SAMPLERS
from galgen.errors import InvalidValueError
from galgen.generate import GalaxyModel
from galgen.generate.sampling import FINISHED, Sampling, sample
from galgen.model.embedding import Condition
from galgen.noise import Stream
from tests.generate.quick import QUICK, columns, stamps
from tests.tiny import SIZE, make_checkpoint

CPU = torch.device("cpu")


def test_noise_does_not_know_the_micro_batch(model: GalaxyModel) -> None:
    """What the network is given, initially and in each step, has the same bits."""
    seen: dict[int, list[torch.Tensor]] = {}
    vp = make_checkpoint(preconditioning="vp").denoiser
    handle = vp.net.register_forward_pre_hook(lambda _, args: batch.append(args[0].clone()))
    for size in (2, 6):
        batch: list[torch.Tensor] = []
        for first in range(0, 6, size):
            index_n = torch.arange(first, first + size)
            condition = Condition(index_n % 3, torch.full((size, 5), torch.nan))
            sampling = Sampling("ddpm", steps=1, micro_batch=size)
            sample(vp, condition, index_n, 5, (SIZE, SIZE, 3), sampling)
        seen[size] = torch.cat(batch)
    handle.remove()
    assert torch.equal(seen[2], seen[6])
    expected = noise.normal(5, torch.arange(6), (SIZE, SIZE, 3), Stream.INITIAL_NOISE)
    torch.testing.assert_close(seen[2], expected, rtol=1e-4, atol=1e-4)  # c_in sigma is almost 1


def test_every_step_has_its_own_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def normal(seed: int, index_n: torch.Tensor, shape: tuple, stream: int) -> torch.Tensor:
        drawn.append((seed, stream))
        return torch.zeros(len(index_n), *shape)

    monkeypatch.setattr(noise, "normal", normal)
    condition = Condition(torch.tensor([1]), torch.full((1, 5), torch.nan))
    sampling = Sampling("ddpm", steps=4, micro_batch=1)
    sample(make_checkpoint().denoiser, condition, torch.arange(1), 5, (SIZE, SIZE, 3), sampling)
    steps = [Stream.SAMPLER_STEP.at(step) for step in range(3)]
    assert drawn == [(5, stream) for stream in (Stream.INITIAL_NOISE, *steps)]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers(model: GalaxyModel, sampler: str) -> None:
    made = columns(model.generate("disk", 3, sampling=Sampling(sampler, steps=16, micro_batch=4)))
    assert np.isfinite(made["stamps"]).all()


def test_guidance(model: GalaxyModel) -> None:
    """Of no effect at 1; at 0 the condition has none."""
    guided = {
        scale: columns(
            model.generate("spiral", 2, sampling=dataclasses.replace(QUICK, guidance=scale))
        )["stamps"]
        for scale in (0.0, 1.0, 3.0)
    }
    np.testing.assert_array_equal(guided[1.0], stamps(model, n=2))
    assert np.abs(guided[3.0] - guided[1.0]).max() > 0.01 * np.abs(guided[1.0]).max()
    nothing = columns(
        model.generate("galaxy", 2, population=False, sampling=dataclasses.replace(QUICK))
    )["stamps"]
    peak = np.abs(nothing).max()
    np.testing.assert_allclose(guided[0.0], nothing, atol=1e-3 * peak)


def test_guidance_evaluations(model: GalaxyModel) -> None:
    """One evaluation per step at scale 1, two otherwise: guidance costs only where it is used."""
    calls: list[int] = []
    handle = model.checkpoint.denoiser.net.register_forward_pre_hook(
        lambda _, args: calls.append(len(args[0]))
    )
    for guidance in (1.0, 2.0):
        sampling = Sampling("ddim", steps=3, micro_batch=2, guidance=guidance)
        list(model.generate("disk", 2, sampling=sampling))
    handle.remove()
    assert calls == [2] * (3 + 6)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_finisher_takes_the_last_step(sampler: str, guidance: float) -> None:
    """Once, from the last level, not guided; heun asks the denoiser about that level, too."""
    denoiser = make_checkpoint(finished=True, sigma_last=0.5).denoiser
    asked: list[tuple[str, float]] = []
    for name in ("net", "finisher"):
        denoiser.get_submodule(name).register_forward_pre_hook(
            lambda _, args, name=name: asked.append((name, args[1][0].item()))
        )
    condition = Condition(torch.tensor([1]), torch.full((1, 5), torch.nan))
    sampling = Sampling(sampler, steps=5, micro_batch=1, guidance=guidance)
    made = sample(denoiser, condition, torch.arange(1), 5, (SIZE, SIZE, 3), sampling)
    assert made.isfinite().all()
    means = (8 if sampler == "heun" else 4) * int(guidance)
    assert [name for name, _ in asked] == ["net"] * means + ["finisher"]
    assert asked[-1][1] == pytest.approx(np.log(0.5) / 4)


def test_finisher_like_the_network() -> None:
    """Where it is the denoiser's own network, it makes no difference."""
    plain, finished = (make_checkpoint(finished=f, sigma_last=0.5).denoiser for f in (False, True))
    finished.finisher.load_state_dict(finished.net.state_dict())
    condition = Condition(torch.tensor([1, 2]), torch.full((2, 5), torch.nan))
    for sampler, steps in (("ddim", 3), ("ddpm", 3), ("ddim", 1)):
        made = [
            sample(d, condition, torch.arange(2), 5, (SIZE, SIZE, 3), Sampling(sampler, steps))
            for d in (plain, finished)
        ]
        torch.testing.assert_close(*made, rtol=1e-5, atol=1e-5)


def test_finisher_does_not_know_a_single_step() -> None:
    """Its level is another than that of pure noise."""
    denoiser = make_checkpoint(finished=True, sigma_last=0.5).denoiser
    denoiser.finisher.register_forward_pre_hook(lambda *_: pytest.fail("asked"))
    condition = Condition(torch.tensor([1]), torch.full((1, 5), torch.nan))
    sample(denoiser, condition, torch.arange(1), 5, (SIZE, SIZE, 3), Sampling("ddim", 1))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_precision(model: GalaxyModel, dtype: str) -> None:
    """Close to float32 in model space terms, and not silently the same."""
    full = stamps(model)
    mixed = columns(model.generate("spiral", 4, sampling=dataclasses.replace(QUICK, dtype=dtype)))[
        "stamps"
    ]
    assert mixed.dtype == np.float32
    assert not np.array_equal(mixed, full)
    display = [model.checkpoint.space._stretch().to_display(torch.from_numpy(x).movedim(1, -1))
               for x in (full, mixed)]  # fmt: skip
    assert (display[0] - display[1]).abs().mean() < 0.02


def test_vp_model_visits_the_levels_it_was_trained_on() -> None:
    denoiser = make_checkpoint(preconditioning="vp").denoiser
    ancestral = Sampling("ddpm", steps=1000).sigmas(denoiser)
    assert len(ancestral) == 1001
    for name in ("ddim", "dpmpp-2m"):
        sigmas = Sampling(name, steps=10).sigmas(denoiser)
        assert sigmas[0].item() == pytest.approx(ancestral[0].item())
        assert sigmas[-2].item() == pytest.approx(ancestral[-2].item())
    edm = Sampling("ddpm", steps=2000).sigmas(make_checkpoint().denoiser)
    assert (edm[0].item(), edm[-2].item()) == pytest.approx((80, 0.002))


def test_vp_model(tmp_path: Path) -> None:
    model = GalaxyModel(make_checkpoint(preconditioning="vp", timesteps=20), CPU)
    for name in ("ddpm", "dpmpp-2m"):
        run = model.generate("disk", 2, sampling=Sampling(name, steps=4, micro_batch=2))
        assert np.isfinite(columns(run)["stamps"]).all()
    with pytest.raises(InvalidValueError, match="steps is 21; allowed: 1 to 20"):
        model.generate("disk", 2, sampling=Sampling("ddpm", steps=21))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"sampler": "dpmpp2m"}, "sampler is 'dpmpp2m'.*Did you mean dpmpp-2m"),
        ({"steps": 0}, "steps is 0"),
        ({"micro_batch": 0}, "micro_batch is 0"),
        ({"guidance": -1.0}, "guidance is -1"),
        ({"guidance": 21.0}, "guidance is 21"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"dtype": "float64"}, "dtype is 'float64'; allowed: float32, bfloat16, float16"),
    ],
)
def test_bad_sampling(changes: dict, match: str) -> None:
    with pytest.raises(InvalidValueError, match=match):
        Sampling(**changes)


@pytest.mark.parametrize(
    ("device", "micro_batch", "dtype"),
    [("cpu", 32, "float32"), ("mps", 512, "float32"), ("cuda", 512, "bfloat16")],
)
def test_defaults_suit_the_device(device: str, micro_batch: int, dtype: str) -> None:
    default = Sampling.on(torch.device(device))
    assert (default.micro_batch, default.dtype) == (micro_batch, dtype)
    chosen = Sampling.on(torch.device(device), micro_batch=7, steps=3, dtype="float16")
    assert (chosen.micro_batch, chosen.steps, chosen.dtype) == (7, 3, "float16")


def test_defaults_suit_the_weights(model: GalaxyModel) -> None:
    """Few steps are for the solver they were chosen with, and for weights with a finisher."""
    finished = GalaxyModel(make_checkpoint(finished=True, sigma_last=0.5), CPU)
    few, many = FINISHED["steps"], Sampling.steps
    assert (model.sampling().sampler, model.sampling().steps) == (Sampling.sampler, many)
    assert (finished.sampling().sampler, finished.sampling().steps) == (FINISHED["sampler"], few)
    assert finished.sampling(sampler="ddpm").steps == many
    assert finished.sampling(steps=7).sampler == FINISHED["sampler"]
    assert finished.generate("spiral", 1).info.steps == few


@pytest.mark.parametrize(
    ("device", "dtype", "compile", "expected"),
    [
        ("cpu", "bfloat16", False, "reference"),
        ("cpu", "float32", True, "reference+compiled"),
        ("cuda", "float32", False, "reference"),  # fused kernels are for half precision
    ],
)
def test_kernels_recorded(device: str, dtype: str, compile: bool, expected: str) -> None:
    sampling = Sampling(dtype=dtype, compile=compile)
    assert sampling.kernels_on(torch.device(device)) == expected
