"""The Astro-RAB and its parts against explicit formulas in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galgen.model.block import (
    AstroRAB,
    AttentionFusionUnit,
    GlobalAttention,
    HalfBlock,
    WindowAttention,
)
from galgen.model.config import ModelConfig
from tests.tiny import randomise

FUSIONS = ("gated", "conv", "attention", "plain")
C, E = 32, 16  # channels and embedding


def config(fusion: str = "gated", window: int = 4) -> ModelConfig:
    return ModelConfig(widths=(C, C, C), window=window, head_size=16, embedding=E, fusion=fusion)


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def ready(module: nn.Module) -> nn.Module:
    """The module in float64 with parameters that all matter."""
    randomise(module)
    return module.double()


def softmax(score: np.ndarray) -> np.ndarray:
    weight = np.exp(score - score.max())
    return weight / weight.sum()


def windows_reference(module: WindowAttention, u_hwc: np.ndarray) -> np.ndarray:
    """Attention of every cell, one at a time, to the cells of its window."""
    (h, w, c), size, heads = u_hwc.shape, module.window, len(module.position_bias)
    side = min(h, size), min(w, size)
    shift = [s // 2 if module.shifted and n > s else 0 for n, s in zip((h, w), side, strict=True)]
    qkv = (u_hwc @ module.qkv.weight.detach().numpy().T).reshape(h, w, 3, heads, c // heads)
    bias = module.position_bias.detach().numpy().reshape(heads, 2 * size - 1, 2 * size - 1)

    def place(cell: tuple[int, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The window that a cell belongs to, and where in it the cell is."""
        moved = [(x - s) % n for x, s, n in zip(cell, shift, (h, w), strict=True)]
        return tuple(np.floor_divide(moved, side)), tuple(np.mod(moved, side))

    cells = list(itertools.product(range(h), range(w)))
    out = np.empty((h, w, heads, c // heads))
    for cell in cells:
        window, (y, x) = place(cell)
        others = [other for other in cells if place(other)[0] == window]
        for k in range(heads):
            score = []
            for other in others:
                y2, x2 = place(other)[1]
                dot = qkv[cell][0, k] @ qkv[other][1, k] / np.sqrt(c // heads)
                score.append(dot + bias[k, y - y2 + size - 1, x - x2 + size - 1])
            values = np.array([qkv[other][2, k] for other in others])
            out[cell][k] = softmax(np.array(score)) @ values
    projection = module.projection
    return out.reshape(h, w, c) @ projection.weight.detach().numpy().T + (
        projection.bias.detach().numpy()
    )


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(
    "shape",
    [
        (4, 4),  # one window: never shifted
        (4, 8),  # shifted along one axis only
        (8, 12),  # several windows, wrapping round both edges
        (2, 2),  # smaller than the window
        (3, 8),  # smaller along one axis, and odd
        (1, 1),
    ],
)
def test_window_attention(shape: tuple[int, int], shifted: bool) -> None:
    module = ready(WindowAttention(C, config(), shifted=shifted))
    u_nhwc = normal(2, *shape, C)
    got = module(u_nhwc).detach().numpy()
    for i in range(2):
        expected = windows_reference(module, u_nhwc[i].numpy())
        np.testing.assert_allclose(got[i], expected, rtol=1e-9, atol=1e-9)


def test_odd_window() -> None:
    """Half of five cells is rounded down."""
    module = ready(WindowAttention(C, config(window=5), shifted=True))
    u_nhwc = normal(1, 5, 10, C)
    expected = windows_reference(module, u_nhwc[0].numpy())
    np.testing.assert_allclose(module(u_nhwc)[0].detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shifted", [False, True])
def test_what_a_cell_sees(shifted: bool) -> None:
    """Its own window and nothing else; a shifted window at the border joins opposite edges."""
    module = ready(WindowAttention(C, config(), shifted=shifted))
    u_nhwc = normal(1, 8, 8, C).requires_grad_()
    module(u_nhwc)[0, 0, 0].sum().backward()
    seen = u_nhwc.grad[0].abs().sum(-1) > 0
    near = torch.tensor([0, 1, 6, 7] if shifted else [0, 1, 2, 3])
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[near[:, None], near] = True
    assert torch.equal(seen, expected)


def test_global_attention() -> None:
    module = ready(GlobalAttention(C, config("plain")))
    x_nhwc = normal(2, 3, 5, C)
    group = F.group_norm(x_nhwc.permute(0, 3, 1, 2), C // 16).permute(0, 2, 3, 1)
    qkv = (group @ module.qkv.weight.T).detach().numpy().reshape(2, 15, 3, 2, 16)
    out = np.empty((2, 15, 2, 16))
    for i, k, t in itertools.product(range(2), range(2), range(15)):
        score = qkv[i, :, 1, k] @ qkv[i, t, 0, k] / 4
        out[i, t, k] = softmax(score) @ qkv[i, :, 2, k]
    projected = torch.from_numpy(out.reshape(2, 3, 5, C)) @ module.projection.weight.T
    expected = x_nhwc + projected + module.projection.bias
    # The normalisation, float32 inside, limits the agreement.
    torch.testing.assert_close(module(x_nhwc), expected, rtol=1e-5, atol=1e-5)


def test_gate_by_hand() -> None:
    """sigmoid(2 * pooled + embedding[0] + bias): 0 is all convolution, 1 all attention."""
    unit = ready(AttentionFusionUnit(C, config(), shifted=False))
    bias = torch.linspace(-1, 1, C, dtype=torch.float64)
    with torch.no_grad():
        unit.gate.weight.zero_()
        unit.gate.weight[:, :C] = 2 * torch.eye(C)
        unit.gate.weight[:, C] = 1
        unit.gate.bias.copy_(bias)
    u_nhwc, pooled_nc, embedding_ne = normal(2, 8, 4, C), normal(2, C, seed=1), normal(2, E, seed=2)
    convolution, attention = unit.convolution(u_nhwc), unit.attention(u_nhwc)
    gate_nc = 1 / (1 + torch.exp(-(2 * pooled_nc + embedding_ne[:, :1] + bias)))
    residual_nhwc = normal(2, 8, 4, C, seed=3)
    expected = residual_nhwc.clone()
    for i, c in itertools.product(range(2), range(C)):
        gate = gate_nc[i, c].item()
        expected[i, ..., c] += gate * attention[i, ..., c] + (1 - gate) * convolution[i, ..., c]
    torch.testing.assert_close(
        unit(u_nhwc, residual_nhwc, pooled_nc, embedding_ne), expected, rtol=1e-10, atol=1e-10
    )


def test_gate_starts_half_open() -> None:
    unit = ready(AttentionFusionUnit(C, config(), shifted=False))
    with torch.no_grad():
        unit.gate.weight.zero_()
        unit.gate.bias.zero_()
    u_nhwc = normal(1, 4, 4, C)
    expected = 1 + (unit.attention(u_nhwc) + unit.convolution(u_nhwc)) / 2
    got = unit(u_nhwc, torch.ones_like(u_nhwc), normal(1, C), normal(1, E))
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("fusion", "branches"),
    [
        ("gated", {"convolution", "attention", "gate"}),
        ("conv", {"convolution"}),
        ("plain", {"convolution"}),
        ("attention", {"attention"}),
    ],
)
def test_branches_of_a_fusion(fusion: str, branches: set[str]) -> None:
    """An ablation is built without the parts it does not use, and is that branch alone."""
    unit = ready(AttentionFusionUnit(C, config(fusion), shifted=False))
    assert {name for name, _ in unit.named_children()} == branches
    u_nhwc = normal(2, 4, 4, C)
    if len(branches) == 1:
        (branch,) = unit.children()
        assert torch.equal(unit(u_nhwc, 0 * u_nhwc, normal(2, C), normal(2, E)), branch(u_nhwc))


def test_global_attention_is_only_in_the_coarsest_plain_stage() -> None:
    for fusion, coarsest in itertools.product(FUSIONS, (False, True)):
        block = AstroRAB(C, config(fusion), coarsest=coarsest)
        expected = fusion == "plain" and coarsest
        assert (block.global_attention is not None) == expected


def test_half_block() -> None:
    half = ready(HalfBlock(C, config(), shifted=True))
    x_nhwc, embedding_ne = normal(2, 8, 8, C), normal(2, E, seed=1)

    def norm(x_nchw: Tensor) -> Tensor:
        return F.group_norm(x_nchw, C // 16)

    x_nchw = x_nhwc.permute(0, 3, 1, 2)
    kernel = half.convolution.weight.view(C, 3, 3, C).permute(0, 3, 1, 2)
    h_nchw = norm(F.conv2d(F.silu(norm(x_nchw)), kernel, half.convolution.bias, padding=1))
    modulation = embedding_ne @ half.modulation.weight.T + half.modulation.bias
    scale, shift = modulation[:, :C, None, None], modulation[:, C:, None, None]
    u_nhwc = F.silu(h_nchw * (1 + scale) + shift).permute(0, 2, 3, 1)
    expected = half.unit(u_nhwc, x_nhwc, h_nchw.mean((2, 3)), embedding_ne)
    # The normalisation, float32 inside, limits the agreement.
    torch.testing.assert_close(half(x_nhwc, embedding_ne), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_new_block_is_the_identity(fusion: str) -> None:
    block = AstroRAB(C, config(fusion), coarsest=True)
    x_nhwc = normal(2, 8, 8, C).float()
    assert torch.equal(block(x_nhwc, normal(2, E).float()), x_nhwc)


def test_second_half_is_shifted() -> None:
    first, second = AstroRAB(C, config()).halves
    assert not first.unit.attention.shifted
    assert second.unit.attention.shifted
