"""Where the network runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from galgen.errors import InvalidValueError


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device asked for, or the first GPU, or the CPU.

    Parameters
    ----------
    device : str or torch.device, optional
        Such as ``cuda:1``.

    Raises
    ------
    InvalidValueError
        If there is no such device here.
    """
    here = ["cuda"] if torch.cuda.is_available() else []
    here += ["mps"] if torch.backends.mps.is_available() else []
    here += ["cpu"]
    try:
        chosen = torch.device(device or here[0])
        known = chosen.type in here
        if known and chosen.type == "cuda":
            known = (chosen.index or 0) < torch.cuda.device_count()
    except RuntimeError:  # no device at all by its name
        known = False
    if not known:
        raise InvalidValueError("device", str(device), ", ".join(here))
    return chosen


def device_kind(device: torch.device) -> str:
    """Return 'cpu', or the name of the accelerator: what the last bits of a run depend on."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


@contextmanager
def working_in(stream: torch.cuda.Stream | None) -> Iterator[None]:
    """Launch what this thread launches on a GPU in a stream, beside those of other threads.

    Whatever was launched before in the stream that was current comes first, such as what made the
    weights: streams are not ordered among each other unless told.

    Parameters
    ----------
    stream : torch.cuda.Stream or None
        None leaves everything as it is: a CPU has no streams.
    """
    # torch.cuda.stream(None) would do nothing too, but start CUDA where there is a GPU.
    if stream is None:
        yield
        return
    stream.wait_stream(torch.cuda.current_stream(stream.device))
    with torch.cuda.stream(stream):  # which also makes its device the current one
        yield


def on_host(*tensors: Tensor) -> list[Tensor]:
    """Copy tensors of one device to host memory, waiting once for all of them.

    From a GPU they come in pinned memory, at twice the speed. It belongs to what is returned, and
    to arrays made of that: PyTorch uses it for other copies once they are gone, not before.

    Parameters
    ----------
    *tensors : Tensor
        Made in the current stream, or before.

    Returns
    -------
    list of Tensor
        Of host memory; the very same tensors if they are there already.
    """
    device = tensors[0].device
    if device.type != "cuda":
        return [tensor.cpu() for tensor in tensors]
    copies = [tensor.to("cpu", non_blocking=True) for tensor in tensors]
    # Blocking: a thread that waits leaves its core to those that draw and write.
    done = torch.cuda.Event(blocking=True)
    done.record(torch.cuda.current_stream(device))
    done.synchronize()
    return copies


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Compute the same bits every time, and float32 in float32.

    Left to itself, cuDNN may choose algorithms whose sums depend on the order of threads, and
    convolves float32 in TensorFloat-32, which has 10 bits of mantissa. Elsewhere than on an NVIDIA
    GPU nothing is changed.

    Parameters
    ----------
    device : torch.device
        Where what is done in this context is computed.
    """
    if device.type != "cuda":
        yield
        return
    cudnn: Any = torch.backends.cudnn  # it is a module of properties
    kinds = cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul
    before = cudnn.deterministic, cudnn.benchmark, [kind.fp32_precision for kind in kinds]
    _choose(True, False, ["ieee"] * len(kinds))
    try:
        yield
    finally:
        _choose(*before)


def _choose(deterministic: bool, benchmark: bool, precisions: list[str]) -> None:
    """Set what cuDNN does, and the precision of convolutions, recurrences and products."""
    cudnn: Any = torch.backends.cudnn
    cudnn.deterministic, cudnn.benchmark = deterministic, benchmark
    # PyTorch has an older name for the precision too, whose value must agree.
    cudnn.allow_tf32 = precisions[0] == "tf32"
    kinds = cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul
    for kind, precision in zip(kinds, precisions, strict=True):
        kind.fp32_precision = precision
