"""A network made ready for one way of sampling: cast, compiled and captured once, run often."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor

from galgen.diffusion.denoiser import Denoiser
from galgen.generate.sampling import DTYPES, Sampling, sample
from galgen.model.embedding import Condition
from galgen.system.device import repeatable
from galgen.system.lanes import keep_memory


class Engine:
    """Draws micro-batches of stamps.

    On a GPU the first micro-batch is recorded as a CUDA graph, from noise to stamps; the others
    replay it, at the cost of one launch. Convolutions are deterministic there, and float32 is
    float32.

    Parameters
    ----------
    denoiser : Denoiser
        Network in evaluation mode; it is not changed.
    shape : tuple of int
        Height, width and bands.
    seed : int
        Seed of the run.
    sampling : Sampling
        Solver, steps, guidance, precision, and whether to compile.
    """

    def __init__(
        self, denoiser: Denoiser, shape: tuple[int, int, int], seed: int, sampling: Sampling
    ) -> None:
        if next(denoiser.parameters()).device.type == "cpu":
            keep_memory()
        self._denoiser = denoiser.cast(DTYPES[sampling.dtype])
        if sampling.compile:
            _keep_compiled_code()
            # Not "max-autotune": what it picks by timing, and so the bits, change between runs.
            self._denoiser.net.compile(fullgraph=True, dynamic=False)
        self._shape, self._seed, self._sampling = shape, seed, sampling
        self._replay: Callable[..., Tensor] | None = None

    def __call__(self, condition: Condition, index_n: Tensor) -> Tensor:
        """Draw stamps in model space.

        Parameters
        ----------
        condition : Condition
            What is asked of each galaxy, on the denoiser's device.
        index_n : Tensor
            Galaxy indices that key the noise.

        Returns
        -------
        Tensor
            (n, height, width, bands), float32; on a GPU good until the next call.
        """
        device = condition.category_n.device
        inputs = condition.category_n, condition.properties_np, index_n.to(device)
        if device.type != "cuda":
            return self._sample(*inputs)
        with torch.cuda.device(device), repeatable(device):
            if self._replay is None:
                self._replay = capture(self._sample, *inputs)
            return self._replay(*inputs)

    def _sample(self, category_n: Tensor, properties_np: Tensor, index_n: Tensor) -> Tensor:
        """Draw stamps of tensors alone, which a graph can be recorded of."""
        condition = Condition(category_n, properties_np)
        return sample(self._denoiser, condition, index_n, self._seed, self._shape, self._sampling)


def capture(function: Callable[..., Tensor], *examples: Tensor) -> Callable[..., Tensor]:
    """Record a function of CUDA tensors of fixed shapes as a graph; return what replays it.

    Parameters
    ----------
    function : callable
        Takes and returns tensors, and allocates nothing that outlives it.
    *examples : Tensor
        What it is given, in shape and dtype.

    Returns
    -------
    callable
        Takes tensors like the examples. Its result is overwritten by the next call.
    """
    inputs = [example.clone() for example in examples]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):  # compiles kernels and plans convolutions, which a capture cannot
            function(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = function(*inputs)

    def replay(*given: Tensor) -> Tensor:
        for own, new in zip(inputs, given, strict=True):
            own.copy_(new)
        graph.replay()
        return output

    return replay


def _keep_compiled_code() -> None:
    """Let torch.compile find its results again after a reboot; by default they lie under /tmp."""
    where: Path = user_cache_path("galgen") / "compiled"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(where))
