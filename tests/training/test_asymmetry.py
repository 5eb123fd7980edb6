"""Asymmetry in discs, and the moments of its population."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from galgen.training.finisher.moments import Moments
from galgen.training.finisher.profiles import DiscProfiles
from tests.tiny import SPACE

SIDE = 24  # discs of 4, 7 and 11 pixels


def lopsided(strength_n: Tensor) -> Tensor:
    """Light (n, h, w) of discs that are brighter on one side."""
    offset = torch.arange(SIDE) - (SIDE - 1) / 2
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    return torch.exp(-torch.hypot(y, x) / 3) * (1 + strength_n[:, None, None] * torch.tanh(x / 3))


def test_symmetric_galaxies_have_none() -> None:
    asymmetry_nd, light_nd = DiscProfiles(lopsided(torch.ones(1)))(lopsided(torch.zeros(1)))
    torch.testing.assert_close(asymmetry_nd, torch.full((1, 3), math.log(1e-4)))
    assert (light_nd.diff(dim=1) > 0).all()


def test_asymmetry_grows_with_lopsidedness() -> None:
    light_nhw = lopsided(torch.linspace(0.2, 0.8, 4))
    asymmetry_nd, _ = DiscProfiles(light_nhw)(light_nhw)
    assert (asymmetry_nd.diff(dim=0) > 0).all()


@pytest.mark.parametrize("shift", [(1, 0), (0, -1), (1, 1)])
def test_shift_of_a_pixel_changes_nothing(shift: tuple[int, int]) -> None:
    """A galaxy off the centre of its stamp is as symmetric as one in it, while it is in a disc."""
    light_hw = torch.zeros(SIDE, SIDE)
    light_hw[9:15, 9:15] = torch.rand((6, 6), generator=torch.Generator().manual_seed(0)) / 9
    light_hw[10:14, 10:14] += 1
    light_nhw = torch.stack([light_hw, light_hw.roll(shift, (0, 1))])
    asymmetry_nd, light_nd = DiscProfiles(light_nhw)(light_nhw)
    assert asymmetry_nd[0, -1] > math.log(1e-3)
    torch.testing.assert_close(asymmetry_nd[0, 1:], asymmetry_nd[1, 1:])
    torch.testing.assert_close(light_nd[0, 1:], light_nd[1, 1:])


@pytest.mark.parametrize("side", [8, 13, 64, 128])
def test_all_stamps_have_a_disc(side: int) -> None:
    light_nhw = torch.rand((2, side, side), generator=torch.Generator().manual_seed(0))
    for found in DiscProfiles(light_nhw)(light_nhw):
        assert found.shape[1] >= 1
        assert found.isfinite().all()


def test_no_light_gives_no_infinite_gradient() -> None:
    light_nhw = torch.zeros((2, SIDE, SIDE), requires_grad=True)
    asymmetry_nd, light_nd = DiscProfiles(lopsided(torch.ones(2)))(light_nhw)
    (asymmetry_nd + light_nd).sum().backward()
    assert light_nhw.grad is not None
    assert light_nhw.grad.isfinite().all()


def population(n: int, strength: float, seed: int, scatter: float = 0.3) -> Tensor:
    """Galaxies in model space."""
    unit_n = torch.randn(n, generator=torch.Generator().manual_seed(seed))
    display_nhw = 0.5 * lopsided(strength * (1 + scatter * unit_n).clamp(0.1, 2))
    return SPACE.encode(display_nhw[..., None].expand(-1, -1, -1, 3))


def test_moments() -> None:
    """None of the real population, little of a sample of it, more the more it drifts."""
    real = population(128, 0.2, 0)
    moments = Moments(SPACE, real)
    assert moments(real) < 1e-6
    found = [moments(population(64, strength, 1)).item() for strength in (0.2, 0.3, 0.4)]
    assert found[0] < 0.3 < found[1] < found[2]
    narrow, wide = (moments(population(64, 0.2, 1, scatter)) for scatter in (0.05, 0.6))
    assert min(narrow.item(), wide.item()) > found[0]


class Pair:
    """One of two processes, when what the other one adds is known."""

    rank, size = 0, 2

    def __init__(self, other: Tensor) -> None:
        self._other = other

    def add(self, tensor: Tensor) -> None:
        tensor += self._other

    def decided(self, *numbers: float) -> list[float]:
        return list(numbers)


class Listening(Pair):
    """The other process, which tells what it adds."""

    def __init__(self) -> None:
        self.said = torch.zeros(0)

    def add(self, tensor: Tensor) -> None:
        self.said = tensor.clone()


def test_processes_share_moments() -> None:
    moments = Moments(SPACE, population(64, 0.2, 0))
    whole = population(16, 0.3, 1).requires_grad_()
    wanted = moments(whole)
    wanted.backward()
    assert whole.grad is not None
    own, other = (whole.detach()[i::2].requires_grad_() for i in range(2))
    group = Listening()
    moments(other, group)
    found = moments(own, Pair(group.said))
    found.backward()
    assert own.grad is not None
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(own.grad, whole.grad[::2], rtol=1e-3, atol=1e-6)
