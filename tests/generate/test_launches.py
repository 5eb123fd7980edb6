"""Budgets: how many operators a GPU is asked for, and that the host never waits for one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from galgen.diffusion.denoiser import Denoiser
from galgen.generate.engine import Engine
from galgen.generate.plausible import are_plausible, at_most_white
from galgen.generate.sampling import Sampling
from galgen.measure import measure, properties, surroundings
from galgen.noise import normal_table
from galgen.pixels.space import PixelSpace
from galgen.training.presets import get_preset
from tests.launches import META, as_on_a_gpu

pytest.importorskip("triton", reason="Triton has no build for this platform")
BANDS = ("g", "r", "i")


@pytest.mark.parametrize(
    ("measured", "most"), [(measure, 850), (properties, 1000), (surroundings, 690)]
)
def test_measuring_a_chunk(monkeypatch, measured: Callable, most: int) -> None:
    with as_on_a_gpu(monkeypatch) as launches:
        columns = measured(torch.empty(512, 64, 64, 3, device=META), BANDS)
    assert all(column.shape == (512,) for column in columns.values())
    assert launches.waits == []
    assert launches.count["flood"] == 1
    assert launches.count.total() <= most


@pytest.mark.parametrize("mix", [None, ((1.0, 0.5, 0.2), (0.3, -1.0, 0.4), (0.1, 0.2, 1.0))])
@pytest.mark.parametrize("native", ["flux", "display"])
def test_pixels(monkeypatch, native: str, mix: tuple | None) -> None:
    lupton = "sdss" if native == "display" else None
    space = PixelSpace(native, BANDS, 0.02, (0.2,) * 3, (0.1,) * 3, lupton, mix=mix)
    with as_on_a_gpu(monkeypatch) as launches:
        standard_nhwc = space.unmix(torch.empty(512, 64, 64, 3, device=META))
        assert are_plausible(standard_nhwc, space).shape == (512,)
        space.native_to_flux(space.unstandardise(at_most_white(standard_nhwc, space)))
    assert launches.waits == []


def test_a_wait_is_noticed(monkeypatch) -> None:
    """Stamps that the kernel cannot flood: the loop asks whether it has come to its end."""
    with as_on_a_gpu(monkeypatch), pytest.raises(RuntimeError, match="meta"):
        measure(torch.empty(8, 48, 48, 3, device=META), BANDS)
    with as_on_a_gpu(monkeypatch) as launches:
        torch.empty(3, device=META) * torch.tensor([1.0, 2.0, 3.0]).to(META)
    assert len(launches.waits) == 1


@pytest.mark.parametrize(("preset", "each"), [("fast", 203), ("small", 132)])
@pytest.mark.parametrize(
    ("settings", "evaluations"),
    [
        ({"steps": 2}, 2),
        ({"sampler": "dpmpp-2m", "steps": 4}, 4),
        ({"steps": 2, "guidance": 2.0}, 4),
    ],
)
def test_sampling(monkeypatch, preset: str, each: int, settings: dict, evaluations: int) -> None:
    """Operators of an evaluation, the solver's sum among them; two more at the start."""
    model = get_preset(preset)
    with META:
        denoiser = Denoiser(model.model, model.diffusion).to(META).eval()
    sampling = Sampling.on(torch.device("cuda"), **settings)
    engine = Engine(denoiser, (64, 64, 3), 0, sampling)
    category_n, index_n = torch.zeros(2, 512, dtype=torch.int64, device=META)
    properties_np = torch.empty(512, len(model.model.properties), device=META)
    normal_table(META)  # brought there by the first micro-batch, which is not recorded
    with as_on_a_gpu(monkeypatch) as launches:
        made = engine._sample(category_n, properties_np, index_n)
    assert made.shape == (512, 64, 64, 3)
    assert launches.waits == []
    assert launches.count.total() <= 2 + each * evaluations
