"""The kernels in their places: a whole network and a whole sampling loop through them."""

from __future__ import annotations

import pytest
import torch

from galgen.generate.sampling import Sampling, sample
from galgen.model.embedding import Condition
from galgen_kernels.ops.attention_fusion import custom_op as fusion
from galgen_kernels.ops.group_norm_silu import custom_op as norm
from tests.kernels.tolerance import relative_error, rounding
from tests.tiny import make_checkpoint

pytest.importorskip("triton", reason="Triton has no build for this platform")

SHAPE = (32, 32, 3)  # maps of 8 x 8, 4 x 4 and 2 x 2 cells


@pytest.fixture
def kernels(monkeypatch):
    """Send every operation to its kernel, in any precision and on any device."""
    monkeypatch.setattr("galgen_kernels.backend.runs_triton", lambda device, half=True: True)
    monkeypatch.setattr("galgen.generate.sampling.runs_triton", lambda device, half=True: True)
    monkeypatch.setattr(norm, "group_norm_silu", norm.launch_group_norm_silu)
    monkeypatch.setattr(fusion, "attention_fusion", fusion.launch_attention_fusion)


def asked(device) -> tuple[Condition, torch.Tensor]:
    """Two galaxies, the second one with properties."""
    index_n = torch.tensor([4, 2**33], device=device)
    properties_np = torch.full((2, 5), torch.nan, device=device)
    properties_np[1] = 0.5
    return Condition(torch.tensor([2, 6], device=device), properties_np), index_n


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_network(device, dtype, request) -> None:
    net = make_checkpoint().denoiser.net.to(device)
    condition, _ = asked(device)
    x_nhwc = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0)).to(device)
    level_b = torch.tensor([0.3, -0.5], device=device)
    exact = Condition(condition.category_n, condition.properties_np.double())
    expected = net.double()(x_nhwc.double(), level_b.double(), exact)
    net = net.float().cast(dtype)
    plain = net(x_nhwc, level_b, condition)
    request.getfixturevalue("kernels")
    made = net(x_nhwc, level_b, condition)
    # Rounding grows through 20 half-blocks; the reference in the same precision shows by how much.
    allowed = 2 * relative_error(plain, expected) + rounding(dtype)
    assert relative_error(made, expected) < allowed
    assert not torch.equal(made, plain)  # or the kernels did not run


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_sampling_loop(device, guidance, request) -> None:
    """Noise, solver steps and network, all through kernels."""
    denoiser = make_checkpoint().denoiser.to(device)
    condition, index_n = asked(device)
    sampling = Sampling("ddpm", steps=2, micro_batch=2, guidance=guidance)
    plain = sample(denoiser, condition, index_n, 7, SHAPE, sampling)
    request.getfixturevalue("kernels")
    made = sample(denoiser, condition, index_n, 7, SHAPE, sampling)
    assert relative_error(made, plain) < 1e-5
