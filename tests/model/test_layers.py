"""Channels-last layers against PyTorch's channels-first ones and explicit loops, in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from galgen.model.layers import (
    Conv3x3,
    FourierFeatures,
    GroupNorm,
    Linear,
    centre_coordinates,
    depth_to_space,
    space_to_depth,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def group_norm_reference(x_nhwc: Tensor, group_size: int) -> Tensor:
    x_nchw = x_nhwc.double().permute(0, 3, 1, 2)
    y_nchw = F.group_norm(x_nchw, x_nchw.shape[1] // group_size, eps=1e-5)
    return y_nchw.permute(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("shape", "group_size"),
    [
        ((2, 8, 8, 32), 16),
        ((3, 5, 7, 48), 16),  # odd sides
        ((1, 1, 1, 32), 16),  # statistics of the 16 channels of a single cell
        ((2, 4, 4, 6), 1),  # every channel alone
        ((2, 4, 4, 6), 6),  # all in one group
    ],
)
def test_group_norm(shape: tuple[int, ...], group_size: int) -> None:
    x_nhwc = 3 * normal(*shape) + 1
    got = GroupNorm(shape[-1], group_size)(x_nhwc)
    torch.testing.assert_close(
        got.double(), group_norm_reference(x_nhwc, group_size), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_group_norm_far_from_zero(offset: float) -> None:
    """E[x^2] - E[x]^2 would leave nothing of a unit variance beside 1e8.

    What remains is the rounding of the mean, up to 5e-4 here.
    """
    x_nhwc = offset + normal(2, 8, 8, 32)
    got = GroupNorm(32, 16)(x_nhwc)
    expected = group_norm_reference(x_nhwc, 16)
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=6e-4)


def test_group_norm_of_a_flat_map_is_zero() -> None:
    assert GroupNorm(32, 16)(torch.full((2, 4, 4, 32), 7.0)).abs().max() == 0


def test_group_norm_in_half_precision() -> None:
    """Statistics in float32: the only error is that of rounding input and output."""
    x_nhwc = (100 + 5 * normal(2, 8, 8, 32)).bfloat16()
    got = GroupNorm(32, 16)(x_nhwc)
    assert got.dtype == torch.bfloat16
    expected = group_norm_reference(x_nhwc, 16)
    torch.testing.assert_close(got.double(), expected, rtol=2**-8, atol=1e-3)


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 1, 1, 4), (2, 2, 1, 1)])
def test_conv3x3_against_loops(shape: tuple[int, ...]) -> None:
    """Weight (out, 9 * in): row of the kernel, column, input channel, the last one fastest."""
    n, h, w, c = shape
    conv = Conv3x3(c, 2).double()
    with torch.no_grad():
        conv.bias.copy_(torch.tensor([0.5, -2.0]))
    x_nhwc = normal(*shape).double()
    kernel = conv.weight.detach().numpy().reshape(2, 3, 3, c)
    padded = np.pad(x_nhwc.numpy(), ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.empty((n, h, w, 2))
    for i, y, x, o in itertools.product(range(n), range(h), range(w), range(2)):
        patch = padded[i, y : y + 3, x : x + 3]
        expected[i, y, x, o] = (patch * kernel[o]).sum() + conv.bias[o].item()
    np.testing.assert_allclose(conv(x_nhwc).detach().numpy(), expected, rtol=1e-12, atol=1e-12)


def test_initial_scale() -> None:
    """Unit variance in, unit variance out; `zero` makes a branch silent."""
    x_nhwc = normal(8, 8, 8, 64)
    for layer in (Linear(64, 96), Conv3x3(64, 96)):
        inner = layer(x_nhwc)[:, 1:-1, 1:-1]  # the border sees zeros
        assert inner.std().item() == pytest.approx(1, rel=0.1)
    for layer in (Linear(64, 96, zero=True), Conv3x3(64, 96, zero=True)):
        assert layer(x_nhwc).abs().max() == 0
    assert Linear(4, 4, bias=False).bias is None


@pytest.mark.parametrize(
    ("shape", "factor"), [((2, 4, 6, 3), 2), ((1, 4, 8, 1), 4), ((2, 3, 5, 2), 1)]
)
def test_space_to_depth(shape: tuple[int, ...], factor: int) -> None:
    x_nhwc = normal(*shape)
    n, h, w, c = shape
    cells = space_to_depth(x_nhwc, factor)
    assert cells.shape == (n, h // factor, w // factor, factor * factor * c)
    for y, x in itertools.product(range(h // factor), range(w // factor)):
        block = x_nhwc[:, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        assert torch.equal(cells[:, y, x], block.flatten(1))
    assert torch.equal(depth_to_space(cells, factor), x_nhwc)


def test_fourier_features() -> None:
    value = np.array([-1.5, 0.0, 0.3, 1.0])
    frequency = np.geomspace(0.25, 64, 4)
    phase = value[:, None] * frequency
    expected = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    got = FourierFeatures(8)(torch.from_numpy(value))
    np.testing.assert_allclose(got.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (1, 2)])
def test_centre_coordinates(shape: tuple[int, int]) -> None:
    height, width = shape
    where = centre_coordinates(height, width)
    for i, j in itertools.product(range(height), range(width)):
        x, y = 2 * (j + 0.5) / width - 1, 2 * (i + 0.5) / height - 1
        assert where[i, j].tolist() == pytest.approx([x, y, x * x + y * y], abs=1e-6)
