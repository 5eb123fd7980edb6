"""What galgen launches on a GPU by default is among what is compiled ahead of time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import galgen_kernels
from galgen.diffusion.combination import StampSpace
from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.preconditioning import EDM
from galgen.generate.sampling import FINISHED, Sampling, sample
from galgen.measure import detect
from galgen.model.embedding import Condition
from galgen.noise import normal_table
from galgen.training.presets import get_preset
from galgen_kernels.ops.attention_fusion.windows import window_geometry

pytest.importorskip("triton", reason="Triton has no build for this platform")
from galgen_kernels.aot.shipped import SEGMENTS, shipped
from galgen_kernels.launching.variant import Variant
from galgen_kernels.ops.attention_fusion import fused as attention_fusion
from galgen_kernels.ops.flood import fused as flood
from galgen_kernels.ops.group_norm_silu import fused as group_norm_silu
from galgen_kernels.ops.linear_combination import fused as linear_combination

BFLOAT16 = torch.bfloat16


@pytest.fixture(scope="module")
def names() -> set[str]:
    return {variant.name for variant in shipped()}


@pytest.mark.parametrize("preset", ["paper", "fast", "small"])
def test_network(monkeypatch, names, preset) -> None:
    launched: list[Variant] = []

    def normalise(x_nhwc, groups, modulation_nc=None, eps=1e-5):
        _, h, w, c = x_nhwc.shape
        modulated = modulation_nc is not None
        launched.append(group_norm_silu.variant(BFLOAT16, h * w, c // groups, modulated=modulated))
        return galgen_kernels.group_norm_silu(x_nhwc, groups, modulation_nc, eps)

    def attend(u_nhwc, residual_nhwc, gate_nc, weights, window, *, shifted):
        _, h, w, c = u_nhwc.shape
        sides, _ = window_geometry(h, w, window, shifted=shifted)
        tile = attention_fusion.tile(c, sides[0] * sides[1], h * w // (sides[0] * sides[1]))
        head = c // len(weights.position_bias)
        launched.append(attention_fusion.variant(BFLOAT16, c, head, sides, tile))
        return torch.empty_like(u_nhwc)

    monkeypatch.setattr("galgen.model.layers.group_norm_silu", normalise)
    monkeypatch.setattr("galgen.model.block.attention_fusion", attend)
    model = get_preset(preset)
    with torch.device("meta"):  # shapes are enough
        denoiser = Denoiser(model.model, model.diffusion).to("meta")
        condition = Condition(
            torch.zeros(1, dtype=torch.int64), torch.zeros(1, len(model.model.properties))
        )
        denoiser.net(torch.zeros(1, 64, 64, 3), torch.zeros(1), condition)
    assert {form.kernel.__name__ for form in launched} == {
        "group_norm_silu_kernel",
        "attention_fusion_kernel",
    }
    assert {form.name for form in launched} <= names


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},  # the default without a finisher
        FINISHED,  # with one
        FINISHED | {"guidance": 2.0},
        {"guidance": 2.0},
        {"sampler": "ddpm", "steps": 32, "guidance": 2.0},
        {"sampler": "dpmpp-2m", "steps": 8},
        {"sampler": "sde-dpmpp-2m", "steps": 8},
        {"sampler": "ipndm", "steps": 8},
        {"sampler": "heun", "steps": 5},
    ],
)
def test_solver(monkeypatch, names, settings, finished) -> None:
    launched: set[str] = set()
    combine = StampSpace.combine

    def record(self: StampSpace, weights: Any, noises: Any, scale: float, scaled: Any) -> Any:
        dtypes = [tensor.dtype for tensor in weights]
        segments = SEGMENTS if noises else 0
        form = linear_combination.variant(dtypes, 64 * 64 * 3, segments=segments, scaled=scaled)
        launched.add(form.name)
        return combine(self, weights, noises, scale, scaled)

    monkeypatch.setattr(StampSpace, "combine", record)

    def net(x_nhwc: torch.Tensor, *_: Any) -> torch.Tensor:
        return torch.zeros_like(x_nhwc, dtype=torch.float32)

    network = SimpleNamespace(
        preconditioning=EDM(DiffusionConfig()), net=net, finisher=net if finished else None
    )
    condition = Condition(torch.zeros(1, dtype=torch.int64), torch.full((1, 1), torch.nan))
    options = Sampling.on(torch.device("cuda"), **settings)
    sample(network, condition, torch.arange(1), 0, (4, 4, 3), options)
    assert len(launched) >= 2
    assert launched <= names


def test_noise_table() -> None:
    assert normal_table(torch.device("cpu")).shape[1] == SEGMENTS


def test_flood(names) -> None:
    thresholds = len(detect.THRESHOLDS)
    assert flood.variant(64, 64, thresholds, detect.PROMINENCE).name in names
