"""The power-function average against its definition (Karras et al. 2024, section 3.1)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from galgen.errors import InvalidValueError
from galgen.training.ema import PowerEMA, power_exponent

WIDTHS = [0.01, 0.05, 0.1, 0.25]


@pytest.mark.parametrize("width", WIDTHS)
def test_width_of_the_profile(width: float) -> None:
    """t^gamma over 0 < t < 1 has standard deviation `width`, by quadrature."""
    gamma = power_exponent(width)
    t = (np.arange(1_000_000) + 0.5) / 1_000_000
    weight = t**gamma / (t**gamma).sum()
    mean = (weight * t).sum()
    assert np.sqrt((weight * (t - mean) ** 2).sum()) == pytest.approx(width, rel=1e-5)


def test_published_exponents() -> None:
    """Karras et al. 2024, section 3.1."""
    assert power_exponent(0.05) == pytest.approx(16.97, abs=0.005)
    assert power_exponent(0.10) == pytest.approx(6.94, abs=0.005)


@pytest.mark.parametrize("width", [0.0, -0.1, 0.29, float("nan")])
def test_bad_width(width: float) -> None:
    with pytest.raises(InvalidValueError, match="EMA relative width"):
        power_exponent(width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("steps", [1, 2, 50])
def test_average_is_weighted_by_a_power_of_time(width: float, steps: int) -> None:
    """The weight of step t is the integral of t^gamma over that step."""
    generator = torch.Generator().manual_seed(0)
    history = torch.randn(steps, 3, 4, generator=generator, dtype=torch.float64)
    module = nn.Linear(4, 3, bias=False).double()
    ema = PowerEMA(module, width)
    for step in range(1, steps + 1):
        with torch.no_grad():
            module.weight.copy_(history[step - 1])
        ema.update(module, step)
    edges = (torch.arange(steps + 1, dtype=torch.float64) / steps) ** (power_exponent(width) + 1)
    expected = (edges.diff()[:, None, None] * history).sum(0)
    torch.testing.assert_close(ema.module.weight.data, expected, rtol=1e-10, atol=1e-12)


def test_average_is_a_separate_module() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.Dropout())
    ema = PowerEMA(module, 0.05)
    assert not ema.module.training
    assert not any(p.requires_grad for p in ema.module.parameters())
    assert module.training
    assert all(p.requires_grad for p in module.parameters())
    ema.update(module, 1)
    module[0].weight.data += 1
    assert not torch.equal(ema.module[0].weight, module[0].weight)
