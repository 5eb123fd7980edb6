"""Constant tensors of a CPU's memory, made once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

Made = TypeVar("Made")


def made_once(make: Callable[..., Made]) -> Callable[..., Made]:
    """Cache what a function returns, as tensors that autograd accepts whoever asks first.

    Tensors that are born in inference mode could not be saved for a backward pass.
    """

    @functools.lru_cache(maxsize=64)
    @functools.wraps(make)
    def made(*arguments: Any) -> Made:
        with torch.inference_mode(False), torch.device("cpu"):
            return make(*arguments)

    return made
