"""How galaxies are drawn and turned, to learn from."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

from galgen.data.draws import balanced_weights, draw_orientations, orient


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_balanced_weights(balance: float) -> None:
    """A category of n members has a share ~ n^(1 - balance)."""
    code_n = np.repeat([0, 3, 7], [1, 9, 100])
    weight = balanced_weights(code_n, balance)
    share = np.array([weight[code_n == code].sum() for code in (0, 3, 7)])
    expected = np.array([1, 9, 100]) ** (1 - balance)
    np.testing.assert_allclose(share, expected / expected.sum())
    for code in (3, 7):
        assert np.ptp(weight[code_n == code]) == 0


def orientations(x_hwc: Tensor, n: int = 400) -> Counter[bytes]:
    """How often each turned form of one stamp is drawn."""
    rng = np.random.default_rng(0)
    square = x_hwc.shape[0] == x_hwc.shape[1]
    turned = orient(x_hwc.expand(n, -1, -1, -1), *draw_orientations(n, rng, square=square))
    return Counter(x.numpy().tobytes() for x in turned)


@pytest.mark.parametrize(("shape", "forms"), [((3, 3, 2), 8), ((2, 3, 2), 4)])
def test_orientations_are_a_group(shape: tuple[int, ...], forms: int) -> None:
    """All 8 symmetries of a square, 4 of a rectangle, evenly; turning again gives no others."""
    x_hwc = torch.arange(math.prod(shape), dtype=torch.float32).view(shape)
    count = orientations(x_hwc)
    assert len(count) == forms
    assert min(count.values()) > 400 / forms - 4 * math.sqrt(400 / forms)
    for form in count:
        again = torch.frombuffer(bytearray(form), dtype=torch.float32).view(shape)
        assert orientations(again).keys() == count.keys()
        # Bands move together with their pixel.
        assert torch.equal(again[..., 1] - again[..., 0], torch.ones(shape[:2]))


def test_orientations_against_numpy() -> None:
    x_hwc = torch.arange(18, dtype=torch.float32).view(3, 3, 2)
    expected = set()
    for turn in range(4):
        turned = np.rot90(x_hwc.numpy(), turn)
        expected |= {np.ascontiguousarray(form).tobytes() for form in (turned, turned[:, ::-1])}
    assert orientations(x_hwc).keys() == expected


def test_galaxies_are_turned_independently() -> None:
    x_nhwc = torch.arange(9.0).view(1, 3, 3, 1).expand(200, -1, -1, -1)
    turned = orient(x_nhwc, *draw_orientations(200, np.random.default_rng(0), square=True))
    corners = turned[:, 0, 0, 0]
    assert {0.0, 2.0, 6.0, 8.0} == set(corners.tolist())
    same = (corners[1:] == corners[:-1]).double().mean().item()
    assert same == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 199))
