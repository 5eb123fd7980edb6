"""Which implementation of the operations runs."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator

import torch
from torch import Tensor

BACKENDS = ("auto", "reference", "triton")
HAS_TRITON = importlib.util.find_spec("triton") is not None

# A plain global, which torch.compile guards on: one choice for the whole process.
_backend = os.environ.get("GALGEN_KERNELS", "auto")


class BackendError(ValueError, RuntimeError):
    """A backend was asked for that does not exist, or cannot run here."""


@contextlib.contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Choose the backend of this process inside a ``with`` block.

    Outside, the environment variable GALGEN_KERNELS chooses, or else 'auto'.

    Parameters
    ----------
    name : {'auto', 'reference', 'triton'}
        'auto' takes Triton kernels for half precision on a GPU where no gradient is recorded,
        'reference' is PyTorch everywhere.

    Raises
    ------
    BackendError
        If there is no such backend, or it cannot run here.
    """
    global _backend
    if name == "triton" and not (torch.cuda.is_available() and HAS_TRITON):
        missing = "Triton is not installed" if torch.cuda.is_available() else "there is no CUDA GPU"
        raise BackendError(f"Kernels 'triton' cannot run here: {missing}. Use 'auto'.")
    if name not in BACKENDS:
        raise _unknown(name)
    before, _backend = _backend, name
    try:
        yield
    finally:
        _backend = before


def runs_triton(device: torch.device, *, half: bool = True) -> bool:
    """Tell whether kernels on this device are Triton's.

    Parameters
    ----------
    device : torch.device
        Where the tensors are.
    half : bool
        Whether the operation is in half precision; else Triton runs only if asked for by name.

    Raises
    ------
    BackendError
        If there is no such backend, or Triton was asked for by name and cannot run there.
    """
    if _backend not in BACKENDS:
        raise _unknown(_backend)
    can = HAS_TRITON and device.type == "cuda"
    if _backend == "triton" and not can:
        missing = f"the tensor is on {device}" if HAS_TRITON else "Triton is not installed"
        raise BackendError(f"Kernels 'triton' were asked for, but {missing}. Use 'auto'.")
    return _backend == "triton" or (_backend == "auto" and can and half)


def fused(x: Tensor) -> bool:
    """Tell whether an operation of the network on `x` runs as a fused Triton kernel.

    Raises
    ------
    BackendError
        As `runs_triton`.
    """
    half = x.dtype in (torch.bfloat16, torch.float16)
    recorded = torch.is_grad_enabled() and x.requires_grad
    return runs_triton(x.device, half=half and not recorded)


def eager_on_cpu(x: Tensor) -> bool:
    """Tell whether `x` is a real tensor in a CPU's memory, and nothing is traced.

    Compilers, torch.export and fake tensors are given the plain formulas of `reference`, which they
    fuse by themselves; PyTorch 2.13 cannot compile the group normalisation of a channels-last map.
    """
    plain = type(x) in (Tensor, torch.nn.Parameter)
    return x.device.type == "cpu" and plain and not torch.compiler.is_compiling()


def _unknown(name: str) -> BackendError:
    return BackendError(f"Kernels {name!r} do not exist: choose from {', '.join(BACKENDS)}.")
