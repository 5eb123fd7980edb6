"""What eager PyTorch runs on a CPU, against the reference."""

from __future__ import annotations

import shutil

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode

import galgen_kernels
from galgen_kernels.backend import eager_on_cpu
from galgen_kernels.ops.attention_fusion import cpu, reference
from tests.kernels.tolerance import relative_error, rounding

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
# b, h, w, c, heads, window, shifted
MAPS = [
    pytest.param(2, 8, 8, 32, 2, 4, True, id="shifted"),
    pytest.param(2, 8, 8, 32, 2, 4, False, id="not shifted"),
    pytest.param(3, 4, 4, 16, 1, 8, True, id="smaller than the window"),
    pytest.param(2, 12, 6, 24, 3, 6, True, id="one window across, two down"),
    pytest.param(1, 2, 9, 8, 2, 3, True, id="lower than the window, odd shift"),
    pytest.param(1, 1, 1, 8, 4, 2, True, id="a single cell"),
]


def normal(*shape, dtype=torch.float64, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    return drawn.to(dtype).requires_grad_()


def fusion_arguments(b, h, w, c, heads, window, dtype=torch.float64):
    return (
        normal(b, h, w, c, dtype=dtype),
        normal(b, h, w, c, dtype=dtype, seed=1),
        torch.sigmoid(normal(b, c, seed=2)).detach().to(dtype).requires_grad_(),
        normal(3 * c, c, dtype=dtype, seed=3, scale=1.5 * c**-0.5),
        normal(heads, (2 * window - 1) ** 2, dtype=dtype, seed=4),
        normal(c, c, dtype=dtype, seed=5, scale=c**-0.5),
        normal(c, dtype=dtype, seed=6),
        normal(c, 9 * c, dtype=dtype, seed=7, scale=(9 * c) ** -0.5),
        normal(c, dtype=dtype, seed=8),
    )


def exact(tensors):
    return [t.detach().double().requires_grad_() for t in tensors]


def tolerance(dtype):
    """Results, then gradients: chains of products, and sums over a map."""
    return rounding(dtype), 3 * rounding(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("b", "h", "w", "c", "heads", "window", "shifted"), MAPS)
def test_attention_fusion(b, h, w, c, heads, window, shifted, dtype) -> None:
    """Result and gradients of all nine tensors."""
    tensors = fusion_arguments(b, h, w, c, heads, window, dtype)
    doubles = exact(tensors)
    got = cpu.attention_fusion(*tensors, window, shifted=shifted)
    expected = reference.attention_fusion(*doubles, window, shifted=shifted)
    assert got.dtype == dtype
    of_result, of_gradient = tolerance(dtype)
    assert relative_error(got.detach(), expected.detach()) < of_result
    direction = normal(b, h, w, c, seed=9).detach()
    gradients = torch.autograd.grad(got, tensors, direction.to(dtype))
    for mine, right in zip(
        gradients, torch.autograd.grad(expected, doubles, direction), strict=True
    ):
        assert mine.dtype == dtype
        scale = max(float(right.norm()), 1e-3)  # of one cell, the scores have no gradient at all
        assert float((mine.double() - right).norm()) < of_gradient * scale


@pytest.mark.parametrize(("b", "h", "w", "c", "heads", "window", "shifted"), MAPS)
def test_attention_gradients_against_finite_differences(b, h, w, c, heads, window, shifted) -> None:
    sides, shift = reference.window_geometry(h, w, window, shifted=shifted)
    cells = sides[0] * sides[1]
    inputs = normal(b, h, w, 3 * c), normal(heads, cells, cells, seed=1)
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


@pytest.mark.parametrize("modulated", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "groups"),
    [((2, 8, 8, 32), 2), ((3, 5, 7, 6), 6), ((1, 1, 3, 48), 3), ((2, 16, 4, 1), 1)],
)
def test_group_norm_silu(shape, groups, dtype, modulated) -> None:
    b, *_, c = shape
    x_bhwc = normal(*shape, dtype=dtype)
    tensors = [x_bhwc, *([normal(b, 2 * c, dtype=dtype, seed=1, scale=0.3)] if modulated else [])]
    doubles = exact(tensors)
    got = cpu.group_norm_silu(tensors[0], groups, *tensors[1:])
    expected = reference.group_norm_silu(doubles[0], groups, *doubles[1:])
    of_result, of_gradient = tolerance(dtype)
    # The reference has its statistics in float64 too; float64 of the CPU has E[x^2] - E[x]^2.
    assert relative_error(got[0].detach(), expected[0].detach()) < max(of_result, 1e-14)
    assert (got[1] - expected[1]).abs().max() < max(of_result, 1e-14)
    directions = normal(*shape, seed=2).detach(), normal(b, c, seed=3).detach()
    rounded = [d.to(dtype) for d in directions]
    gradients = torch.autograd.grad(got, tensors, rounded)
    for mine, right in zip(
        gradients, torch.autograd.grad(expected, doubles, directions), strict=True
    ):
        assert relative_error(mine, right) < max(of_gradient, 1e-13)


@pytest.mark.parametrize("far", [30.0, 1e4, -1e6])
def test_group_norm_far_from_zero(far) -> None:
    """E[x^2] - E[x]^2 is not relied on; images beside it keep their bits."""
    x_bhwc = normal(3, 8, 8, 32, dtype=torch.float32).detach()
    moved = x_bhwc.clone()
    moved[1] = far + moved[1]
    got = cpu.group_norm(moved, 2)
    assert torch.equal(got[1], reference.group_norm(moved, 2)[1])
    assert torch.equal(got[[0, 2]], cpu.group_norm(x_bhwc, 2)[[0, 2]])


def test_group_norm_far_from_zero_has_the_gradient_of_the_reference() -> None:
    x_bhwc = (normal(2, 4, 4, 16, dtype=torch.float32).detach() + 1e3).requires_grad_()
    direction = normal(2, 4, 4, 16, dtype=torch.float32, seed=1).detach()
    got, expected = (
        torch.autograd.grad(norm(x_bhwc, 1), x_bhwc, direction)[0]
        for norm in (cpu.group_norm, reference.group_norm)
    )
    torch.testing.assert_close(got, expected)


def test_any_memory() -> None:
    """Maps that are channels-first in memory, or a part of something."""
    whole = normal(2, 32, 8, 10, dtype=torch.float32).detach()
    x_bhwc = whole[..., 1:9].permute(0, 2, 3, 1)
    tensors = fusion_arguments(2, 8, 8, 32, 2, 4, torch.float32)[1:]
    for given in (x_bhwc, x_bhwc.contiguous()):
        norm, pooled = cpu.group_norm_silu(given, 2)
        torch.testing.assert_close((norm, pooled), reference.group_norm_silu(x_bhwc, 2))
        torch.testing.assert_close(
            cpu.attention_fusion(given, *tensors, 4, shifted=True),
            reference.attention_fusion(x_bhwc, *tensors, 4, shifted=True),
        )


def both(tensors, window):
    """The two operations in a row, as a half-block calls them."""
    u_bhwc, pooled_bc = galgen_kernels.group_norm_silu(tensors[0], 2)
    return galgen_kernels.attention_fusion(
        u_bhwc, tensors[1], torch.sigmoid(pooled_bc), *tensors[3:], window, shifted=True
    )


def test_constants_made_in_inference_serve_training() -> None:
    """Tensors born in inference mode could not be saved for a backward pass."""
    cpu._row_order.cache_clear()
    cpu._offsets.cache_clear()
    cpu._ones.cache_clear()
    tensors = fusion_arguments(1, 8, 8, 32, 2, 4, torch.float32)
    with torch.inference_mode(), torch.device("meta"):
        silent = both(tensors, 4)
    trained = both(tensors, 4)
    assert torch.equal(silent, trained)
    trained.sum().backward()
    assert tensors[3].grad.norm() > 0


def test_autocast() -> None:
    """Products in bfloat16, normalisation as it comes; gradients arrive in float32."""
    tensors = fusion_arguments(2, 8, 8, 32, 2, 4, torch.float32)
    doubles = exact(tensors)
    with torch.autocast("cpu", torch.bfloat16):
        got = both(tensors, 4)
    expected = both(doubles, 4)
    assert relative_error(got.detach(), expected.detach()) < 2 * rounding(torch.bfloat16)
    used = [0, 1, *range(3, 9)]
    gradients = torch.autograd.grad(got.sum(), [tensors[i] for i in used])
    right = torch.autograd.grad(expected.sum(), [doubles[i] for i in used])
    for mine, correct in zip(gradients, right, strict=True):
        assert mine.dtype == torch.float32
        assert relative_error(mine, correct) < 6 * rounding(torch.bfloat16)


class Both(torch.nn.Module):
    def forward(self, *tensors):
        return both(tensors, 4)


@pytest.mark.parametrize(
    "backend",
    [
        "aot_eager",
        pytest.param(
            "inductor",
            marks=[
                pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler"),
                pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # PyTorch's own
            ],
        ),
    ],
)
def test_compiles_as_one_graph(backend) -> None:
    tensors = [t.detach() for t in fusion_arguments(1, 8, 8, 32, 2, 4, torch.float32)]
    compiled = torch.compile(Both(), fullgraph=True, backend=backend)
    torch.testing.assert_close(compiled(*tensors), Both()(*tensors), rtol=1e-4, atol=1e-4)


def test_exports() -> None:
    tensors = tuple(t.detach() for t in fusion_arguments(1, 8, 8, 32, 2, 4, torch.float32))
    program = torch.export.export(Both(), tensors)
    torch.testing.assert_close(program.module()(*tensors), Both()(*tensors), rtol=1e-4, atol=1e-4)


def test_which_tensors_are_given_the_form_of_a_cpu() -> None:
    assert eager_on_cpu(torch.zeros(1))
    assert eager_on_cpu(torch.nn.Parameter(torch.zeros(1)))
    assert not eager_on_cpu(torch.zeros(1, device="meta"))
    with FakeTensorMode():
        assert not eager_on_cpu(torch.zeros(1))
        both(fusion_arguments(1, 8, 8, 32, 2, 4, torch.float32), 4)  # and nothing fake is kept
    both(fusion_arguments(1, 8, 8, 32, 2, 4, torch.float32), 4)


def test_the_group_norm_is_that_of_pytorch() -> None:
    """One call of the library: what makes this form worth having."""
    x_bhwc = normal(2, 8, 8, 32, dtype=torch.float32).detach()
    library = F.group_norm(x_bhwc.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    assert torch.equal(cpu.group_norm(x_bhwc, 2), library)
