"""What eager PyTorch runs on a CPU for `attention_fusion`, against the reference."""

from __future__ import annotations

import pytest
import torch

from galgen_kernels.ops.attention_fusion import cpu, reference
from galgen_kernels.ops.attention_fusion.windows import window_geometry
from tests.kernels.operands import bundled, exact, fusion_tensors, normal, tolerance
from tests.kernels.tolerance import relative_error

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
# n, h, w, c, heads, window, shifted
MAPS = [
    pytest.param(2, 8, 8, 32, 2, 4, True, id="shifted"),
    pytest.param(2, 8, 8, 32, 2, 4, False, id="not shifted"),
    pytest.param(3, 4, 4, 16, 1, 8, True, id="smaller than the window"),
    pytest.param(2, 12, 6, 24, 3, 6, True, id="one window across, two down"),
    pytest.param(1, 2, 9, 8, 2, 3, True, id="lower than the window, odd shift"),
    pytest.param(1, 1, 1, 8, 4, 2, True, id="a single cell"),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "h", "w", "c", "heads", "window", "shifted"), MAPS)
def test_attention_fusion(n, h, w, c, heads, window, shifted, dtype) -> None:
    """Result and gradients of all nine tensors."""
    tensors = fusion_tensors(n, h, w, c, heads, window, dtype)
    doubles = exact(tensors)
    got = cpu.attention_fusion(*bundled(tensors), window, shifted=shifted)
    expected = reference.attention_fusion(*bundled(doubles), window, shifted=shifted)
    assert got.dtype == dtype
    of_result, of_gradient = tolerance(dtype)
    assert relative_error(got.detach(), expected.detach()) < of_result
    direction = normal(n, h, w, c, seed=9).detach()
    gradients = torch.autograd.grad(got, tensors, direction.to(dtype))
    for mine, right in zip(
        gradients, torch.autograd.grad(expected, doubles, direction), strict=True
    ):
        assert mine.dtype == dtype
        scale = max(float(right.norm()), 1e-3)  # of one cell, the scores have no gradient at all
        assert float((mine.double() - right).norm()) < of_gradient * scale


@pytest.mark.parametrize(("n", "h", "w", "c", "heads", "window", "shifted"), MAPS)
def test_attention_gradients_against_finite_differences(n, h, w, c, heads, window, shifted) -> None:
    sides, shift = window_geometry(h, w, window, shifted=shifted)
    cells = sides[0] * sides[1]
    inputs = normal(n, h, w, 3 * c), normal(heads, cells, cells, seed=1)
    assert torch.autograd.gradcheck(
        lambda qkv, bias: cpu.attend(qkv, bias, sides, shift), inputs, fast_mode=True
    )


def test_attention_has_no_second_derivative() -> None:
    """It is an error, never a wrong number."""
    qkv, bias = normal(1, 4, 4, 24), normal(1, 16, 16)
    (first,) = torch.autograd.grad(
        cpu.attend(qkv, bias, (4, 4), (0, 0)).square().sum(), qkv, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_any_memory() -> None:
    """Maps that are channels-first in memory, or a part of something."""
    whole = normal(2, 32, 8, 10, dtype=torch.float32).detach()
    x_nhwc = whole[..., 1:9].permute(0, 2, 3, 1)
    _, *others = bundled(fusion_tensors(2, 8, 8, 32, 2, 4, torch.float32))
    for given in (x_nhwc, x_nhwc.contiguous()):
        torch.testing.assert_close(
            cpu.attention_fusion(given, *others, 4, shifted=True),
            reference.attention_fusion(x_nhwc, *others, 4, shifted=True),
        )
