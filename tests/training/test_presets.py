"""Presets are what they say they are."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from galgen.errors import InvalidValueError
from galgen.model.embedding import Condition
from galgen.model.unet import UNet
from galgen.training.config import Preset
from galgen.training.presets import PRESETS, get_preset


def giga_flop(preset: Preset) -> float:
    """GFLOP of one evaluation of one 64 x 64 x 3 stamp, a multiplication and addition being two."""
    with torch.device("meta"):  # shapes without numbers
        net = UNet(preset.model).to("meta")
        x = torch.empty(1, 64, 64, preset.model.bands)
        condition = Condition(
            torch.empty(1, dtype=torch.int64), torch.empty(1, len(preset.model.properties))
        )
        with FlopCounterMode(display=False) as counter:
            net(x, torch.empty(1), condition)
    return counter.get_total_flops() / 1e9


@pytest.mark.parametrize("name", PRESETS)
def test_names_and_sizes(name: str) -> None:
    preset = get_preset(name)
    assert preset.name == name
    preset.model.check_size(64, 64)


def test_costs() -> None:
    cost = {name: giga_flop(get_preset(name)) for name in PRESETS}
    assert 3 < cost["fast"] < 8
    assert cost["tiny"] < cost["small"] < cost["fast"] < cost["paper"]


def test_paper_is_the_paper() -> None:
    """arXiv:2506.16255: full resolution, gated fusion, DDPM of 1000 linear steps."""
    preset = get_preset("paper")
    assert preset.model.patch == 1
    assert preset.model.fusion == "gated"
    assert preset.diffusion.preconditioning == "vp"
    assert preset.diffusion.timesteps == 1000
    assert (preset.diffusion.beta_first, preset.diffusion.beta_last) == (1e-4, 0.02)


def test_fusion_changes_nothing_else() -> None:
    gated, plain = get_preset("fast"), get_preset("fast", "plain")
    assert plain.model.fusion == "plain"
    assert get_preset("fast", "gated") == gated
    assert (plain.diffusion, plain.train) == (gated.diffusion, gated.train)


def test_unknown() -> None:
    with pytest.raises(InvalidValueError, match="preset is 'big'; allowed: paper, fast, small"):
        get_preset("big")
    with pytest.raises(InvalidValueError, match="fusion is 'gate'"):
        get_preset("fast", "gate")  # type: ignore[arg-type]
