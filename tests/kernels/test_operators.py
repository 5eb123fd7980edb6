"""The custom operators: on a CPU, where their body is the reference, and with fake GPU tensors."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import galgen_kernels
from galgen_kernels.ops.attention_fusion import cpu, reference
from galgen_kernels.ops.attention_fusion import custom_op as ops

C, HEADS, WINDOW = 16, 2, 4


def normal(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def norm_arguments(dtype=torch.float32, *, modulated=True):
    modulation_bc = normal(2, 2 * C, dtype=dtype, seed=1) if modulated else None
    return normal(2, 4, 8, C, dtype=dtype), modulation_bc, 2, 1e-5


def fusion_arguments(dtype=torch.float32):
    shapes = [(2, 4, 8, C), (2, 4, 8, C), (2, C), (3 * C, C), (HEADS, (2 * WINDOW - 1) ** 2)]
    shapes += [(C, C), (C,), (C, 9 * C), (C,)]
    tensors = [normal(*shape, dtype=dtype, seed=i) for i, shape in enumerate(shapes)]
    return *tensors, WINDOW, True


OPERATORS = [
    pytest.param(ops.group_norm_silu, norm_arguments, id="group_norm_silu"),
    pytest.param(ops.attention_fusion, fusion_arguments, id="attention_fusion"),
]


def with_gradients(arguments):
    return [
        a.requires_grad_() if isinstance(a, torch.Tensor) and a.is_floating_point() else a
        for a in arguments
    ]


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
    x_bhwc, modulation_bc, *rest = norm_arguments()
    modulation_bc.requires_grad_()
    u_bhwc, _ = ops.group_norm_silu(x_bhwc, modulation_bc, *rest)
    u_bhwc.square().sum().backward()
    got, modulation_bc.grad = modulation_bc.grad, None
    u_bhwc, _ = reference.group_norm_silu(x_bhwc, rest[0], modulation_bc)
    u_bhwc.square().sum().backward()
    torch.testing.assert_close(got, modulation_bc.grad)


class Unit(torch.nn.Module):
    """Both operators in a row, as a half-block calls them."""

    def forward(self, x_bhwc, modulation_bc, *rest):
        u_bhwc, pooled_bc = ops.group_norm_silu(x_bhwc, modulation_bc, 2, 1e-5)
        return ops.attention_fusion(u_bhwc, x_bhwc, torch.sigmoid(pooled_bc), *rest)


def unit_arguments():
    x_bhwc, modulation_bc, *_ = norm_arguments()
    return x_bhwc, modulation_bc, *fusion_arguments()[3:]


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


def test_dispatch_on_a_cpu() -> None:
    """The public functions are the form of a CPU here, whatever the precision."""
    x_bhwc, modulation_bc, groups, eps = norm_arguments(torch.bfloat16)
    got = galgen_kernels.group_norm_silu(x_bhwc, groups, modulation_bc, eps)
    expected = cpu.group_norm_silu(x_bhwc, groups, modulation_bc, eps)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.skipif(torch.cuda.is_available(), reason="Triton can run here")
def test_triton_by_name_without_a_gpu() -> None:
    with (
        pytest.raises(galgen_kernels.BackendError, match="cannot run here: there is no CUDA GPU"),
        galgen_kernels.use_backend("triton"),
    ):
        pass


def test_triton_by_name_for_a_cpu_tensor(monkeypatch) -> None:
    """Never a silent fallback."""
    monkeypatch.setattr("galgen_kernels.backend._backend", "triton")
    with pytest.raises(galgen_kernels.BackendError, match=r"the tensor is on cpu|not installed"):
        galgen_kernels.group_norm_silu(normal(1, 4, 4, C), 1)


def test_unknown_backend(monkeypatch) -> None:
    with (
        pytest.raises(galgen_kernels.BackendError, match="auto, reference, triton"),
        galgen_kernels.use_backend("cuda"),
    ):
        pass
    monkeypatch.setattr("galgen_kernels.backend._backend", "cuda")  # as from GALGEN_KERNELS
    with pytest.raises(galgen_kernels.BackendError, match="'cuda' do not exist"):
        galgen_kernels.group_norm_silu(normal(1, 4, 4, C), 1)


def test_backend_is_restored() -> None:
    from galgen_kernels import backend

    before = backend._backend
    with galgen_kernels.use_backend("reference"):
        assert backend._backend == "reference"
    assert backend._backend == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("operator", "make"), OPERATORS)
def test_kernels_behind_the_operators(operator, make) -> None:
    """On a GPU the operator launches Triton; its result is the float64 reference's."""
    arguments = [a.cuda() if isinstance(a, torch.Tensor) else a for a in make(torch.bfloat16)]
    exact = [a.double().cpu() if isinstance(a, torch.Tensor) else a for a in arguments]
    got, expected = operator(*arguments), operator(*exact)
    first = (got[0], expected[0]) if isinstance(got, tuple) else (got, expected)
    torch.testing.assert_close(first[0].double().cpu(), first[1], rtol=2e-2, atol=2e-2)
