"""What a GPU computes with; the settings can be looked at without one."""

from __future__ import annotations

import pytest
import torch

from galgen.system.device import on_host, repeatable, working_in

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


def settings() -> tuple[object, ...]:
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    precisions = (kind.fp32_precision for kind in (cudnn.conv, cudnn.rnn, products))
    return cudnn.deterministic, cudnn.benchmark, *precisions


REPEATABLE = (True, False, "ieee", "ieee", "ieee")


def test_as_pytorch_leaves_it() -> None:
    """TensorFloat-32 in convolutions; both of PyTorch's names for it agree all the time."""
    before = settings()
    assert before[0] is False
    assert before[2] == "tf32"
    assert torch.backends.cudnn.allow_tf32
    with repeatable(CUDA):
        assert settings() == REPEATABLE
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert settings() == before
    assert torch.backends.cudnn.allow_tf32


def test_what_a_user_has_chosen_is_put_back_after_an_error_too() -> None:
    products, before = torch.backends.cuda.matmul, settings()
    products.fp32_precision = "tf32"
    try:
        with pytest.raises(ZeroDivisionError), repeatable(CUDA):
            assert not 1 / (settings() != REPEATABLE)
        assert settings() == (*before[:-1], "tf32")
    finally:
        products.fp32_precision = before[-1]


def test_a_cpu_is_left_alone() -> None:
    before = settings()
    with repeatable(CPU):
        assert settings() == before


def test_no_stream_on_a_cpu() -> None:
    before = torch.cuda.is_initialized()
    with working_in(None):
        assert torch.cuda.is_initialized() == before


def test_what_is_in_host_memory_is_not_copied() -> None:
    given = torch.ones(3), torch.zeros(2, dtype=torch.bool)
    assert all(a is b for a, b in zip(given, on_host(*given), strict=True))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_pinned_memory_is_used_again_when_it_is_free() -> None:
    """By then, and not before, whoever had it has let it go."""
    made = torch.arange(1 << 20, device=CUDA)
    first, second = (on_host(made * k)[0] for k in (1, 2))
    assert first.is_pinned()
    address, kept = first.data_ptr(), second.numpy()
    del first, second
    (third,) = on_host(made * 3)
    assert third.data_ptr() == address
    assert (kept == 2 * made.cpu().numpy()).all()
