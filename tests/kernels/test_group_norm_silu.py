"""The group_norm_silu kernel against an explicit float64 formula."""

from __future__ import annotations

import pytest
import torch

from galgen_kernels.ops.attention_fusion import custom_op as ops
from tests.kernels.tolerance import relative_error, rounding

pytest.importorskip("triton", reason="Triton has no build for this platform")
from galgen_kernels.ops.group_norm_silu import fused as kernel

pytestmark = pytest.mark.filterwarnings(
    # exp(-x) of a very negative x is infinite, and x / infinity the right answer, 0.
    "ignore:overflow encountered in exp:RuntimeWarning"
)


def expected(x_bhwc, groups, modulation_bc):
    """Statistics group by group, spelled out."""
    b, h, w, c = x_bhwc.shape
    x = x_bhwc.double().reshape(b, h * w, groups, c // groups)
    mean = x.mean((1, 3), keepdim=True)
    variance = (x - mean).square().mean((1, 3), keepdim=True)
    normal = ((x - mean) / (variance + 1e-5).sqrt()).reshape(b, h, w, c)
    pooled_bc = normal.mean((1, 2))
    if modulation_bc is not None:
        scale_bc, shift_bc = modulation_bc.double().chunk(2, dim=1)
        normal = normal * (1 + scale_bc[:, None, None]) + shift_bc[:, None, None]
    return normal * torch.sigmoid(normal), pooled_bc


@pytest.mark.parametrize("modulated", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("shape", "group"),
    [
        ((1, 8, 8, 32), 16),  # a power of two
        ((3, 4, 6, 64), 16),  # not one; odd batch
        ((1, 1, 3, 96), 32),  # a map smaller than any tile; channels not a power of two
        ((2, 40, 40, 32), 16),  # does not fit into registers: chunks, the last one not full
    ],
)
def test_against_float64(device, shape, group, dtype, modulated) -> None:
    generator = torch.Generator().manual_seed(0)
    b, *_, c = shape
    x_bhwc = (torch.randn(shape, generator=generator) * 2 + 0.5).to(device, dtype)
    modulation_bc = 0.3 * torch.randn(b, 2 * c, generator=generator)
    modulation_bc = modulation_bc.to(device, dtype) if modulated else None
    u_bhwc, pooled_bc = kernel.launch(x_bhwc, c // group, modulation_bc, 1e-5)
    expected_u, expected_pooled = expected(x_bhwc, c // group, modulation_bc)
    assert u_bhwc.dtype == pooled_bc.dtype == dtype
    assert relative_error(u_bhwc, expected_u) < rounding(dtype)
    assert (pooled_bc - expected_pooled).abs().max() < rounding(dtype)


@pytest.mark.parametrize("shape", [(1, 8, 8, 32), (1, 40, 40, 16)])  # one chunk, several
def test_large_mean(device, shape) -> None:
    """E[x^2] - E[x]^2 in float32 would have lost the variance: 1000^2 * 2^-24 is 0.06."""
    x_bhwc = 1000 + 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(1))
    x_bhwc = x_bhwc.to(device)
    u_bhwc, _ = kernel.launch(x_bhwc, shape[-1] // 16, None, 1e-5)
    expected_u, _ = expected(x_bhwc, shape[-1] // 16, None)
    # The mean itself is only known to a few 1000 * 2^-24, against a scatter of 0.1.
    assert (u_bhwc - expected_u).abs().max() < 5e-3


def test_constant_map(device) -> None:
    u_bhwc, pooled_bc = kernel.launch(torch.full((1, 8, 8, 16), 3.0, device=device), 1, None, 1e-5)
    assert not u_bhwc.any()
    assert not pooled_bc.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda device: torch.randn(2, 32, 4, 4, device=device).permute(0, 2, 3, 1),
        lambda device: torch.randn(2 * 4 * 4 * 32 + 1, device=device)[1:].view(2, 4, 4, 32),
    ],
    ids=["channels first in memory", "not aligned to 16 bytes"],
)
def test_any_memory(device, make) -> None:
    """The operator brings tensors into the form that the kernel wants."""
    x_bhwc = make(device)
    u_bhwc, _ = ops.launch_group_norm_silu(x_bhwc, None, 2, 1e-5)
    assert relative_error(u_bhwc, expected(x_bhwc, 2, None)[0]) < rounding(torch.float32)
