"""The group_norm_silu kernel against an explicit float64 formula."""

from __future__ import annotations

import pytest
import torch

from galgen_kernels.ops.group_norm_silu import custom_op
from tests.kernels.tolerance import relative_error, rounding

pytest.importorskip("triton", reason="Triton has no build for this platform")
from galgen_kernels.ops.group_norm_silu import fused as kernel

pytestmark = pytest.mark.filterwarnings(
    # exp(-x) of a very negative x is infinite, and x / infinity the right answer, 0.
    "ignore:overflow encountered in exp:RuntimeWarning"
)


def expected(x_nhwc, groups, modulation_nc):
    """Statistics group by group, spelled out."""
    n, h, w, c = x_nhwc.shape
    x = x_nhwc.double().reshape(n, h * w, groups, c // groups)
    mean = x.mean((1, 3), keepdim=True)
    variance = (x - mean).square().mean((1, 3), keepdim=True)
    normal = ((x - mean) / (variance + 1e-5).sqrt()).reshape(n, h, w, c)
    pooled_nc = normal.mean((1, 2))
    if modulation_nc is not None:
        scale_nc, shift_nc = modulation_nc.double().chunk(2, dim=1)
        normal = normal * (1 + scale_nc[:, None, None]) + shift_nc[:, None, None]
    return normal * torch.sigmoid(normal), pooled_nc


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
    n, *_, c = shape
    x_nhwc = (torch.randn(shape, generator=generator) * 2 + 0.5).to(device, dtype)
    modulation_nc = 0.3 * torch.randn(n, 2 * c, generator=generator)
    modulation_nc = modulation_nc.to(device, dtype) if modulated else None
    u_nhwc, pooled_nc = kernel.launch(x_nhwc, c // group, modulation_nc, 1e-5)
    expected_u, expected_pooled = expected(x_nhwc, c // group, modulation_nc)
    assert u_nhwc.dtype == pooled_nc.dtype == dtype
    assert relative_error(u_nhwc, expected_u) < rounding(dtype)
    assert (pooled_nc - expected_pooled).abs().max() < rounding(dtype)


@pytest.mark.parametrize("shape", [(1, 8, 8, 32), (1, 40, 40, 16)])  # one chunk, several
def test_large_mean(device, shape) -> None:
    """E[x^2] - E[x]^2 in float32 would have lost the variance: 1000^2 * 2^-24 is 0.06."""
    x_nhwc = 1000 + 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(1))
    x_nhwc = x_nhwc.to(device)
    u_nhwc, _ = kernel.launch(x_nhwc, shape[-1] // 16, None, 1e-5)
    expected_u, _ = expected(x_nhwc, shape[-1] // 16, None)
    # The mean itself is only known to a few 1000 * 2^-24, against a scatter of 0.1.
    assert (u_nhwc - expected_u).abs().max() < 5e-3


def test_constant_map(device) -> None:
    u_nhwc, pooled_nc = kernel.launch(torch.full((1, 8, 8, 16), 3.0, device=device), 1, None, 1e-5)
    assert not u_nhwc.any()
    assert not pooled_nc.any()


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
    x_nhwc = make(device)
    u_nhwc, _ = custom_op.launch_group_norm_silu(x_nhwc, None, 2, 1e-5)
    assert relative_error(u_nhwc, expected(x_nhwc, 2, None)[0]) < rounding(torch.float32)
