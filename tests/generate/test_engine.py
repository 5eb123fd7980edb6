"""A network made ready: precision, compilation, and replays of a recorded sampling loop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from galgen.generate import GalaxyModel
from galgen.generate.engine import Engine, capture
from galgen.generate.sampling import Sampling, sample
from galgen.model.embedding import Condition
from galgen.system.device import on_host, repeatable, working_in
from tests.tiny import make_checkpoint

SIZE = 32
SHAPE = (SIZE, SIZE, 3)
SAMPLING = Sampling("ddpm", steps=3, micro_batch=2)
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
on_both = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, gpu])]
)


def asked(first: int = 0, device: str = "cpu") -> tuple[Condition, torch.Tensor]:
    """Two galaxies."""
    index_n = torch.arange(first, first + 2, device=device)
    return Condition(index_n % 3 + 1, torch.full((2, 5), torch.nan, device=device)), index_n


def drawn(engine: Engine, condition: Condition, index_n: torch.Tensor) -> torch.Tensor:
    """Stamps in host memory, drawn in a lane."""
    with engine.lane() as draw:
        (made,) = on_host(draw(condition, index_n))
    return made


def plain(engine: Engine, sampling: Sampling, first: int, device: str) -> torch.Tensor:
    """The same in one thread and the current stream, nothing recorded."""
    condition, index_n = asked(first, device)
    with repeatable(torch.device(device)):
        return sample(engine._denoiser, condition, index_n, 5, SHAPE, sampling).cpu()


def test_float32_is_the_plain_loop() -> None:
    denoiser = make_checkpoint().denoiser
    condition, index_n = asked()
    expected = sample(denoiser, condition, index_n, 5, SHAPE, SAMPLING)
    assert torch.equal(drawn(Engine(denoiser, SHAPE, 5, SAMPLING), condition, index_n), expected)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype: str) -> None:
    """Close to float32, stamps still float32, and the weights given are left alone."""
    denoiser = make_checkpoint().denoiser
    condition, index_n = asked()
    exact = drawn(Engine(denoiser, SHAPE, 5, SAMPLING), condition, index_n)
    sampling = Sampling("ddpm", steps=3, micro_batch=2, dtype=dtype)
    made = drawn(Engine(denoiser, SHAPE, 5, sampling), condition, index_n)
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
    exact = drawn(Engine(denoiser, SHAPE, 5, SAMPLING), condition, index_n)
    sampling = Sampling("ddpm", steps=3, micro_batch=2, compile=True)
    made = drawn(Engine(denoiser, SHAPE, 5, sampling), condition, index_n)
    torch.testing.assert_close(made, exact, rtol=1e-4, atol=1e-4)


@on_both
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_replays_are_the_plain_loop(dtype: str, device: str) -> None:
    """Of other galaxies too: nothing of the recorded ones is left."""
    denoiser = make_checkpoint().denoiser.to(device)
    sampling = Sampling("ddpm", steps=3, micro_batch=2, dtype=dtype)
    engine = Engine(denoiser, SHAPE, 5, sampling)
    for first in (0, 2, 0):
        made = drawn(engine, *asked(first, device))
        assert torch.equal(made, plain(engine, sampling, first, device))


@on_both
def test_lanes_at_the_same_time(device: str) -> None:
    """Threads draw in turns and together, more of them than lanes were asked for."""
    denoiser = make_checkpoint().denoiser.to(device)
    sampling = Sampling("ddpm", steps=3, micro_batch=2, dtype="bfloat16")
    engine = Engine(denoiser, SHAPE, 5, sampling, lanes=2)
    firsts = [0, *range(0, 24, 2)]
    drawn(engine, *asked(0, device))  # alone, as a run does it
    with ThreadPoolExecutor(3) as threads:
        made = list(threads.map(lambda first: drawn(engine, *asked(first, device)), firsts))
    for first, stamps in zip(firsts, made, strict=True):
        assert torch.equal(stamps, plain(engine, sampling, first, device))


def test_a_lane_is_free_again_after_an_error() -> None:
    engine = Engine(make_checkpoint().denoiser, SHAPE, 5, SAMPLING, lanes=1)
    (lane,) = engine._free
    with pytest.raises(ZeroDivisionError), engine.lane():
        assert 1 / len(engine._free)
    assert list(engine._free) == [lane]
    with engine.lane(), engine.lane():  # one more than was said
        pass
    assert len(engine._free) == 2


@on_both
@pytest.mark.parametrize("lanes", [2, 3])
def test_galaxies_do_not_depend_on_lanes(monkeypatch, device: str, lanes: int) -> None:
    """Nor do those of a batch change while others are made, however long it is kept."""
    checkpoint = make_checkpoint()
    checkpoint.denoiser.to(device)
    model = GalaxyModel(checkpoint, torch.device(device))
    run = model.generate("spiral", 40, seed=4, sampling=Sampling(steps=2, micro_batch=4))
    monkeypatch.setenv("GALGEN_LANES", "1")
    alone = [batch.stamps_nbhw.copy() for batch in run]
    monkeypatch.setenv("GALGEN_LANES", str(lanes))
    kept, copies = [], []
    for batch in run:
        kept.append(batch)
        copies.append([a.copy() for a in (batch.stamps_nbhw, *batch.measured.values())])
    assert len(kept) == 10
    for batch, copied, expected in zip(kept, copies, alone, strict=True):
        assert np.array_equal(batch.stamps_nbhw, expected)
        now = (batch.stamps_nbhw, *batch.measured.values())
        assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(now, copied, strict=True))


@pytest.mark.gpu
@gpu
def test_capture() -> None:
    stream = torch.cuda.Stream()
    double = capture(lambda x: 2 * x, stream, torch.ones(4, device="cuda"))
    for value in (3.0, -1.0):
        with working_in(stream):
            made = double(torch.full((4,), value, device="cuda"))
            assert (made == 2 * value).all()
