"""A network made ready: precision, compilation, and replays of a recorded sampling loop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from galgen.generate.engine import Engine, capture
from galgen.generate.sampling import Sampling, sample
from galgen.model.embedding import Condition
from galgen.system.device import repeatable
from tests.tiny import make_checkpoint

SIZE = 32
SHAPE = (SIZE, SIZE, 3)
SAMPLING = Sampling("ddpm", steps=3, micro_batch=2)
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def asked(first: int = 0, device: str = "cpu") -> tuple[Condition, torch.Tensor]:
    """Two galaxies."""
    index_n = torch.arange(first, first + 2, device=device)
    return Condition(index_n % 3 + 1, torch.full((2, 5), torch.nan, device=device)), index_n


def test_float32_is_the_plain_loop() -> None:
    denoiser = make_checkpoint().denoiser
    condition, index_n = asked()
    expected = sample(denoiser, condition, index_n, 5, SHAPE, SAMPLING)
    assert torch.equal(Engine(denoiser, SHAPE, 5, SAMPLING)(condition, index_n), expected)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype: str) -> None:
    """Close to float32, stamps still float32, and the weights given are left alone."""
    denoiser = make_checkpoint().denoiser
    condition, index_n = asked()
    exact = Engine(denoiser, SHAPE, 5, SAMPLING)(condition, index_n)
    sampling = Sampling("ddpm", steps=3, micro_batch=2, dtype=dtype)
    made = Engine(denoiser, SHAPE, 5, sampling)(condition, index_n)
    assert made.dtype == torch.float32
    assert 0 < (made - exact).norm() / exact.norm() < 10 * torch.finfo(getattr(torch, dtype)).eps
    assert {p.dtype for p in denoiser.parameters()} == {torch.float32}


def test_half_precision_reaches_the_maps_but_not_the_embedding() -> None:
    net = make_checkpoint().denoiser.net.cast(torch.bfloat16)
    dtypes = {name: {p.dtype for p in part.parameters()} for name, part in net.named_children()}
    assert dtypes.pop("embedding") == {torch.float32}
    assert all(found <= {torch.bfloat16} for found in dtypes.values())
    assert net.embedding.fourier.frequency.dtype == torch.float32


def test_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The whole network is one graph: a break in it would raise."""
    compile_net = torch.nn.Module.compile

    def without_code(net: torch.nn.Module, **options: object) -> None:
        compile_net(net, **options, backend="aot_eager")  # inductor would take a minute

    monkeypatch.setattr(torch.nn.Module, "compile", without_code)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    denoiser = make_checkpoint().denoiser
    condition, index_n = asked()
    exact = Engine(denoiser, SHAPE, 5, SAMPLING)(condition, index_n)
    sampling = Sampling("ddpm", steps=3, micro_batch=2, compile=True)
    made = Engine(denoiser, SHAPE, 5, sampling)(condition, index_n)
    torch.testing.assert_close(made, exact, rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_replays_are_the_plain_loop(dtype: str) -> None:
    """Of other galaxies too: nothing of the recorded ones is left."""
    denoiser = make_checkpoint().denoiser.cuda()
    sampling = Sampling("ddpm", steps=3, micro_batch=2, dtype=dtype)
    engine = Engine(denoiser, SHAPE, 5, sampling)
    for first in (0, 2, 0):
        condition, index_n = asked(first, "cuda")
        made = engine(condition, index_n).clone()
        with repeatable(condition.category_n.device):
            expected = sample(engine._denoiser, condition, index_n, 5, SHAPE, sampling)
        assert torch.equal(made, expected)


@pytest.mark.gpu
@gpu
def test_capture() -> None:
    double = capture(lambda x: 2 * x, torch.ones(4, device="cuda"))
    for value in (3.0, -1.0):
        assert (double(torch.full((4,), value, device="cuda")) == 2 * value).all()
