"""What eager PyTorch runs on a CPU for `group_norm_silu`, against the reference."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from galgen_kernels.ops.group_norm_silu import cpu, reference
from tests.kernels.operands import exact, normal, tolerance
from tests.kernels.tolerance import relative_error

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("modulated", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "groups"),
    [((2, 8, 8, 32), 2), ((3, 5, 7, 6), 6), ((1, 1, 3, 48), 3), ((2, 16, 4, 1), 1)],
)
def test_group_norm_silu(shape, groups, dtype, modulated) -> None:
    n, *_, c = shape
    x_nhwc = normal(*shape, dtype=dtype)
    tensors = [x_nhwc, *([normal(n, 2 * c, dtype=dtype, seed=1, scale=0.3)] if modulated else [])]
    doubles = exact(tensors)
    got = cpu.group_norm_silu(tensors[0], groups, *tensors[1:])
    expected = reference.group_norm_silu(doubles[0], groups, *doubles[1:])
    of_result, of_gradient = tolerance(dtype)
    # The reference has its statistics in float64 too; float64 of the CPU has E[x^2] - E[x]^2.
    assert relative_error(got[0].detach(), expected[0].detach()) < max(of_result, 1e-14)
    assert (got[1] - expected[1]).abs().max() < max(of_result, 1e-14)
    directions = normal(*shape, seed=2).detach(), normal(n, c, seed=3).detach()
    rounded = [d.to(dtype) for d in directions]
    gradients = torch.autograd.grad(got, tensors, rounded)
    for mine, right in zip(
        gradients, torch.autograd.grad(expected, doubles, directions), strict=True
    ):
        assert relative_error(mine, right) < max(of_gradient, 1e-13)


@pytest.mark.parametrize("far", [30.0, 1e4, -1e6])
def test_group_norm_far_from_zero(far) -> None:
    """E[x^2] - E[x]^2 is not relied on; images beside it keep their bits."""
    x_nhwc = normal(3, 8, 8, 32, dtype=torch.float32).detach()
    moved = x_nhwc.clone()
    moved[1] = far + moved[1]
    got = cpu.group_norm(moved, 2)
    assert torch.equal(got[1], reference.group_norm(moved, 2)[1])
    assert torch.equal(got[[0, 2]], cpu.group_norm(x_nhwc, 2)[[0, 2]])


def test_group_norm_far_from_zero_has_the_gradient_of_the_reference() -> None:
    x_nhwc = (normal(2, 4, 4, 16, dtype=torch.float32).detach() + 1e3).requires_grad_()
    direction = normal(2, 4, 4, 16, dtype=torch.float32, seed=1).detach()
    got, expected = (
        torch.autograd.grad(norm(x_nhwc, 1), x_nhwc, direction)[0]
        for norm in (cpu.group_norm, reference.group_norm)
    )
    torch.testing.assert_close(got, expected)


def test_any_memory() -> None:
    """Maps that are channels-first in memory, or a part of something."""
    whole = normal(2, 32, 8, 10, dtype=torch.float32).detach()
    x_nhwc = whole[..., 1:9].permute(0, 2, 3, 1)
    expected = reference.group_norm_silu(x_nhwc, 2)
    for given in (x_nhwc, x_nhwc.contiguous()):
        torch.testing.assert_close(cpu.group_norm_silu(given, 2), expected)


def test_the_group_norm_is_that_of_pytorch() -> None:
    """One call of the library: what makes this form worth having."""
    x_nhwc = normal(2, 8, 8, 32, dtype=torch.float32).detach()
    library = F.group_norm(x_nhwc.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    assert torch.equal(cpu.group_norm(x_nhwc, 2), library)
