"""Which implementation of an operation runs."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import galgen_kernels
from galgen_kernels import backend
from galgen_kernels.ops.group_norm_silu import cpu


def test_which_tensors_are_given_the_form_of_a_cpu() -> None:
    assert backend.eager_on_cpu(torch.zeros(1))
    assert backend.eager_on_cpu(torch.nn.Parameter(torch.zeros(1)))
    assert not backend.eager_on_cpu(torch.zeros(1, device="meta"))
    with FakeTensorMode():
        assert not backend.eager_on_cpu(torch.zeros(1))


def test_dispatch_on_a_cpu() -> None:
    """The public functions are the form of a CPU here, whatever the precision."""
    x_nhwc = torch.randn(2, 4, 8, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    got, expected = galgen_kernels.group_norm_silu(x_nhwc, 2), cpu.group_norm_silu(x_nhwc, 2)
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
        galgen_kernels.group_norm_silu(torch.zeros(1, 4, 4, 16), 1)


def test_unknown_backend(monkeypatch) -> None:
    with (
        pytest.raises(galgen_kernels.BackendError, match="auto, reference, triton"),
        galgen_kernels.use_backend("cuda"),
    ):
        pass
    monkeypatch.setattr("galgen_kernels.backend._backend", "cuda")  # as from GALGEN_KERNELS
    with pytest.raises(galgen_kernels.BackendError, match="'cuda' do not exist"):
        galgen_kernels.group_norm_silu(torch.zeros(1, 4, 4, 16), 1)


def test_backend_is_restored() -> None:
    before = backend._backend
    with galgen_kernels.use_backend("reference"):
        assert backend._backend == "reference"
    assert backend._backend == before
