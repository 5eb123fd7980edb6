"""The custom operators: on a CPU, where their body is the reference, and with fake GPU tensors."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from galgen_kernels.ops.attention_fusion.custom_op import attention_fusion
from galgen_kernels.ops.group_norm_silu import reference
from galgen_kernels.ops.group_norm_silu.custom_op import group_norm_silu

C, HEADS, WINDOW = 16, 2, 4


def normal(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def norm_arguments(dtype=torch.float32, *, modulated=True):
    modulation_nc = normal(2, 2 * C, dtype=dtype, seed=1) if modulated else None
    return normal(2, 4, 8, C, dtype=dtype), modulation_nc, 2, 1e-5


def fusion_arguments(dtype=torch.float32, c=C):
    shapes = [(2, 4, 8, c), (2, 4, 8, c), (2, c), (3 * c, c), (HEADS, (2 * WINDOW - 1) ** 2)]
    shapes += [(c, c), (c,), (c, 9 * c), (c,)]
    tensors = [normal(*shape, dtype=dtype, seed=i) for i, shape in enumerate(shapes)]
    return *tensors, WINDOW, True


OPERATORS = [
    pytest.param(group_norm_silu, norm_arguments, id="group_norm_silu"),
    pytest.param(attention_fusion, fusion_arguments, id="attention_fusion"),
]


def with_gradients(arguments):
    return [
        a.requires_grad_() if isinstance(a, torch.Tensor) and a.is_floating_point() else a
        for a in arguments
    ]


def test_schemas() -> None:
    """Programs that torch.export has written name operators, and may name their arguments."""
    operators = torch.ops.galgen_kernels
    assert str(operators.group_norm_silu.default._schema) == (
        "galgen_kernels::group_norm_silu(Tensor x_bhwc, Tensor? modulation_bc, SymInt groups, "
        "float eps) -> (Tensor, Tensor)"
    )
    assert str(operators.attention_fusion.default._schema) == (
        "galgen_kernels::attention_fusion(Tensor u_bhwc, Tensor residual_bhwc, Tensor gate_bc, "
        "Tensor qkv_weight, Tensor position_bias, Tensor projection_weight, "
        "Tensor projection_bias, Tensor filter_weight, Tensor filter_bias, SymInt window, "
        "bool shifted) -> Tensor"
    )


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize(("operator", "make"), OPERATORS)
def test_opcheck(operator, make, gradients) -> None:
    """Schema, fake tensors, autograd registration and AOT dispatch are consistent."""
    arguments = with_gradients(make()) if gradients else make()
    torch.library.opcheck(operator, arguments)


@pytest.mark.parametrize(("operator", "make"), OPERATORS)
def test_gradients_against_finite_differences(operator, make) -> None:
    assert torch.autograd.gradcheck(operator, with_gradients(make(torch.float64)), fast_mode=True)


def test_gradient_of_one_argument_only() -> None:
    """What needs no gradient gets none, and one unused output is no problem."""
    x_nhwc, modulation_nc, *rest = norm_arguments()
    modulation_nc.requires_grad_()
    u_nhwc, _ = group_norm_silu(x_nhwc, modulation_nc, *rest)
    u_nhwc.square().sum().backward()
    got, modulation_nc.grad = modulation_nc.grad, None
    u_nhwc, _ = reference.group_norm_silu(x_nhwc, rest[0], modulation_nc)
    u_nhwc.square().sum().backward()
    torch.testing.assert_close(got, modulation_nc.grad)


class Unit(torch.nn.Module):
    """Both operators in a row, as a half-block calls them."""

    def forward(self, x_nhwc, modulation_nc, *rest):
        u_nhwc, pooled_nc = group_norm_silu(x_nhwc, modulation_nc, 2, 1e-5)
        return attention_fusion(u_nhwc, x_nhwc, torch.sigmoid(pooled_nc), *rest)


def unit_arguments():
    x_nhwc, modulation_nc, *_ = norm_arguments()
    return x_nhwc, modulation_nc, *fusion_arguments()[3:]


def test_compiles_as_one_graph() -> None:
    arguments = unit_arguments()
    compiled = torch.compile(Unit(), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*arguments), Unit()(*arguments))


def test_exports() -> None:
    arguments = unit_arguments()
    program = torch.export.export(Unit(), arguments)
    names = {str(node.target) for node in program.graph.nodes}
    assert {
        "galgen_kernels.group_norm_silu.default",
        "galgen_kernels.attention_fusion.default",
    } <= names
    torch.testing.assert_close(program.module()(*arguments), Unit()(*arguments))


@pytest.mark.parametrize(("operator", "make"), OPERATORS)
def test_shapes_for_a_gpu_that_is_not_there(operator, make) -> None:
    """Compilers propagate fake CUDA tensors, for which the kernels themselves are not needed."""
    with FakeTensorMode():
        arguments = [
            torch.empty(a.shape, dtype=torch.bfloat16, device="cuda")
            if isinstance(a, torch.Tensor)
            else a
            for a in make()
        ]
        out = operator(*arguments)
    first = out[0] if isinstance(out, tuple) else out
    assert first.shape == arguments[0].shape
    assert (first.device.type, first.dtype) == ("cuda", torch.bfloat16)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    ("operator", "make"),
    [
        *OPERATORS,
        pytest.param(attention_fusion, partial(fusion_arguments, c=16 * HEADS), id="heads of 16"),
        pytest.param(attention_fusion, partial(fusion_arguments, c=24 * HEADS), id="heads of 24"),
    ],
)
def test_kernels_behind_the_operators(operator, make) -> None:
    """On a GPU the operator launches Triton, or the formula for heads that no kernel fits."""
    arguments = [a.cuda() if isinstance(a, torch.Tensor) else a for a in make(torch.bfloat16)]
    exact = [a.double().cpu() if isinstance(a, torch.Tensor) else a for a in arguments]
    got, expected = operator(*arguments), operator(*exact)
    first = (got[0], expected[0]) if isinstance(got, tuple) else (got, expected)
    torch.testing.assert_close(first[0].double().cpu(), first[1], rtol=2e-2, atol=2e-2)
