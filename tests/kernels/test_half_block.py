"""Both operations of the network in a row, as a half-block calls them, on a CPU."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import galgen_kernels
from galgen_kernels.ops.attention_fusion import cpu as attention
from galgen_kernels.ops.group_norm_silu import cpu as normalisation
from tests.kernels.operands import bundled, exact, fusion_tensors
from tests.kernels.tolerance import relative_error, rounding


def both(tensors, window):
    """The two operations in a row, as a half-block calls them."""
    u_nhwc, pooled_nc = galgen_kernels.group_norm_silu(tensors[0], 2)
    _, residual_nhwc, _, weights = bundled(tensors)
    return galgen_kernels.attention_fusion(
        u_nhwc, residual_nhwc, torch.sigmoid(pooled_nc), weights, window, shifted=True
    )


def test_constants_made_in_inference_serve_training() -> None:
    """Tensors born in inference mode could not be saved for a backward pass."""
    for constants in (attention._row_order, attention._offsets, normalisation._ones):
        constants.cache_clear()
    tensors = fusion_tensors(1, 8, 8, 32, 2, 4, torch.float32)
    with torch.inference_mode(), torch.device("meta"):
        silent = both(tensors, 4)
    trained = both(tensors, 4)
    assert torch.equal(silent, trained)
    trained.sum().backward()
    assert tensors[3].grad.norm() > 0


def test_autocast() -> None:
    """Products in bfloat16, normalisation as it comes; gradients arrive in float32."""
    tensors = fusion_tensors(2, 8, 8, 32, 2, 4, torch.float32)
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
    tensors = [t.detach() for t in fusion_tensors(1, 8, 8, 32, 2, 4, torch.float32)]
    compiled = torch.compile(Both(), fullgraph=True, backend=backend)
    torch.testing.assert_close(compiled(*tensors), Both()(*tensors), rtol=1e-4, atol=1e-4)


def test_exports() -> None:
    tensors = tuple(t.detach() for t in fusion_tensors(1, 8, 8, 32, 2, 4, torch.float32))
    program = torch.export.export(Both(), tensors)
    torch.testing.assert_close(program.module()(*tensors), Both()(*tensors), rtol=1e-4, atol=1e-4)


def test_fake_tensors_are_not_kept() -> None:
    """Among the constants that later calls are given."""
    with FakeTensorMode():
        both(fusion_tensors(1, 8, 8, 32, 2, 4, torch.float32), 4)
    both(fusion_tensors(1, 8, 8, 32, 2, 4, torch.float32), 4)
