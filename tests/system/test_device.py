"""What a GPU computes with; the settings can be looked at without one."""

from __future__ import annotations

import pytest
import torch

from galgen.system.device import repeatable

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


def settings() -> tuple[object, ...]:
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    precisions = (kind.fp32_precision for kind in (cudnn.conv, cudnn.rnn, products))
    return cudnn.deterministic, cudnn.benchmark, *precisions


REPEATABLE = (True, False, "ieee", "ieee", "ieee")


def test_as_pytorch_leaves_it() -> None:
    """TensorFloat-32 in convolutions; both of PyTorch's names for it agree all the time."""
    before = settings()
    assert before[:3] == (False, False, "tf32")
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
