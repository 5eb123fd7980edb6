"""How long a call takes, without the cost of launching it.

On a GPU calls are recorded as a CUDA graph, as they are when galaxies are made, and timed by the
round of several calls. On a CPU they are just called.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable
from time import perf_counter

import torch

Call = Callable[[], object]

ROUNDS = 15
ROUND_SECONDS = 3e-3  # of one graph: a hundred times what it costs to launch it and to wait
MAX_CALLS = 200  # in one graph
FLUSH_BYTES = 1 << 30  # far more than an L2 cache, and 0.3 ms in which the CPU gets ahead


def warm_seconds(call: Call, rounds: int = ROUNDS) -> float:
    """Median time of one of many calls in a row: L2 holds what fits of the operands."""
    run, calls = repeated(call)
    return _median(run, rounds) / calls


def cold_seconds(call: Call, rounds: int = ROUNDS) -> float | None:
    """Median time of a call that finds none of its operands in L2; None on a CPU."""
    if not torch.cuda.is_available():
        return None
    flush = _flush_buffer()
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(rounds)]
    call()
    for start, end in pairs:
        flush.zero_()
        start.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in pairs) / 1e3


def repeated(call: Call, *, capture: bool = True) -> tuple[Call, int]:
    """Return a function that runs `call` several times and waits for it, and how many times.

    Parameters
    ----------
    call : callable
        The same work every time.
    capture : bool
        Record a CUDA graph; what copies from the host's memory cannot be recorded.
    """
    if not torch.cuda.is_available():
        call()
        return call, 1
    record = _captured if capture else _looped
    run = record(call, 1)
    calls = max(1, min(MAX_CALLS, round(ROUND_SECONDS / _median(run, 3))))
    return (run if calls == 1 else record(call, calls)), calls


def _looped(call: Call, calls: int) -> Call:
    def run() -> None:
        for _ in range(calls):
            call()
        torch.cuda.synchronize()

    return run


def _captured(call: Call, calls: int) -> Call:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):  # compiles kernels and plans convolutions, which a capture cannot
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(calls):
            call()

    def run() -> None:
        graph.replay()
        torch.cuda.synchronize()

    return run


def _median(run: Call, rounds: int) -> float:
    run()
    seconds = []
    for _ in range(rounds):
        start = perf_counter()
        run()
        seconds.append(perf_counter() - start)
    return statistics.median(seconds)


@functools.cache
def _flush_buffer() -> torch.Tensor:
    return torch.empty(FLUSH_BYTES, dtype=torch.uint8, device="cuda")
