"""What kernels may be given: the types of their arguments, and tensors as they want them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

ALIGNMENT = 16  # bytes; every pointer of a kernel is a multiple of it

POINTER_TYPES = {
    torch.float32: "*fp32",
    torch.bfloat16: "*bf16",
    torch.float16: "*fp16",
    torch.float64: "*fp64",
    torch.int64: "*i64",
    torch.int32: "*i32",
    torch.int16: "*i16",
    torch.uint8: "*u8",
}
"""Triton's types of pointers to tensors."""


def ready(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the tensor as kernels want it: of their dtype, contiguous, aligned to 16 bytes."""
    tensor = tensor.to(dtype).contiguous()
    return tensor.clone() if tensor.data_ptr() % ALIGNMENT else tensor


def check(arguments: Iterable[Any], types: Iterable[str]) -> None:
    """Assert that arguments are of these types, and tensors as `ready` makes them."""
    for argument, kind in zip(arguments, types, strict=True):
        if isinstance(argument, Tensor):
            assert POINTER_TYPES.get(argument.dtype) == kind
            assert argument.is_contiguous()
            assert argument.data_ptr() % ALIGNMENT == 0
        elif kind == "i32":
            assert -(2**31) <= argument < 2**31
