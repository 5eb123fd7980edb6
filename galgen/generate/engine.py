"""A network made ready for one way of sampling: cast, compiled and captured once, run often."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor

from galgen.diffusion.denoiser import Denoiser
from galgen.generate.sampling import DTYPES, Sampling, sample
from galgen.model.embedding import Condition
from galgen.system.device import repeatable, working_in
from galgen.system.lanes import keep_memory

Draw = Callable[[Condition, Tensor], Tensor]
# PyTorch: only one capture may be underway at a time in the process.
_RECORDING = threading.Lock()


@dataclass(eq=False)
class Lane:
    """What one micro-batch at a time is made with.

    Attributes
    ----------
    stream : torch.cuda.Stream or None
        Where its work goes on a GPU.
    replay : callable or None
        Draws stamps there as it was recorded, into memory of its own.
    """

    stream: torch.cuda.Stream | None
    replay: Callable[..., Tensor] | None = None


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
    lanes : int
        Micro-batches that will be made at a time. A GPU has a graph for each, with memory of its
        own, and records them all with the first micro-batch.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        shape: tuple[int, int, int],
        seed: int,
        sampling: Sampling,
        lanes: int = 1,
    ) -> None:
        self._device = next(denoiser.parameters()).device
        if self._device.type == "cpu":
            keep_memory()
        self._denoiser = denoiser.cast(DTYPES[sampling.dtype])
        if sampling.compile:
            _keep_compiled_code()
            # Not "max-autotune": what it picks by timing, and so the bits, change between runs.
            for network in self._denoiser.networks:
                network.compile(fullgraph=True, dynamic=False)
        self._shape, self._seed, self._sampling = shape, seed, sampling
        self._free = deque(self._new_lane() for _ in range(lanes))

    @contextmanager
    def lane(self) -> Iterator[Draw]:
        """Take a lane to make one micro-batch in, whatever other threads are making.

        On a GPU all that this thread launches in the context goes to the lane's stream.

        Yields
        ------
        callable
            Takes what is asked of each galaxy, on the denoiser's device, and galaxy indices that
            key the noise; draws stamps in model space, (n, height, width, bands), float32. They are
            good until the context ends: on a GPU, the lane's next ones overwrite them.
        """
        # Nothing to wait for: a forked process would wait for lanes of threads that it has not.
        try:
            lane = self._free.pop()
        except IndexError:
            lane = self._new_lane()
        try:
            with working_in(lane.stream):
                yield partial(self._draw, lane)
        finally:
            self._free.append(lane)

    def _new_lane(self) -> Lane:
        return Lane(torch.cuda.Stream(self._device) if self._device.type == "cuda" else None)

    def _draw(self, lane: Lane, condition: Condition, index_n: Tensor) -> Tensor:
        """Draw stamps in a lane, whose stream is the current one."""
        inputs = condition.category_n, condition.properties_np, index_n.to(self._device)
        if lane.stream is None:
            return self._sample(*inputs)
        if lane.replay is None:
            self._record(lane, *inputs)
        assert lane.replay is not None
        return lane.replay(*inputs)

    def _record(self, lane: Lane, *examples: Tensor) -> None:
        """Record graphs for a lane and those that are free, which are then not free meanwhile."""
        with _RECORDING, repeatable(self._device):
            warm_up(self._sample, *examples)
            lanes = [lane]
            with suppress(IndexError):
                while True:
                    lanes.append(self._free.pop())
            try:
                for each in lanes:
                    if each.replay is None and each.stream is not None:
                        each.replay = capture(self._sample, each.stream, *examples)
            finally:
                self._free.extend(lanes[1:])

    def _sample(self, category_n: Tensor, properties_np: Tensor, index_n: Tensor) -> Tensor:
        """Draw stamps of tensors alone, which a graph can be recorded of."""
        condition = Condition(category_n, properties_np)
        return sample(self._denoiser, condition, index_n, self._seed, self._shape, self._sampling)


def warm_up(function: Callable[..., Tensor], *examples: Tensor) -> None:
    """Call a function of CUDA tensors as `capture` needs it to have been called, by its thread.

    Kernels are compiled and convolutions planned then, which a capture cannot do.
    """
    with working_in(torch.cuda.Stream()):
        for _ in range(2):
            function(*examples)
    # What it has freed is free for that stream alone; the capture, which waits for all that the
    # device does, hands it back.


def capture(
    function: Callable[..., Tensor], stream: torch.cuda.Stream, *examples: Tensor
) -> Callable[..., Tensor]:
    """Record a function of CUDA tensors of fixed shapes as a graph; return what replays it.

    Graphs that are replayed at the same time need streams of their own: those recorded in one
    stream share the workspace of cuBLAS (github.com/pytorch/pytorch/issues/193402), and its results
    are the same every time only if each stream has one. They need memory pools of their own too,
    which is PyTorch's default.

    Parameters
    ----------
    function : callable
        Takes and returns tensors, and allocates nothing that outlives it; see `warm_up`.
    stream : torch.cuda.Stream
        Where it is recorded, and to be replayed.
    *examples : Tensor
        What it is given, in shape and dtype.

    Returns
    -------
    callable
        Takes tensors like the examples, in that stream. Its result is overwritten by the next call.
    """
    with working_in(stream):
        inputs = [example.clone() for example in examples]
        graph = torch.cuda.CUDAGraph()
        # Other threads may go on meanwhile: what they allocate is none of the graph's business.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
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
