"""Processes of this machine that make galaxies: one per GPU, or each with a share of the cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event

from galgen.errors import InvalidValueError
from galgen.produce.worker import THIS_PROCESS
from galgen.settings import require
from galgen.system.processes import command_line_kept, end_with_parent, usable_cores

_MOST_WORKERS = 1024  # of one machine


@contextmanager
def local_pool(
    workers: int, device: str | None = None
) -> Iterator[tuple[Executor, Callable[[], None]]]:
    """Start processes for `galgen.produce.shards.produce_on`; end them with the context.

    Parameters
    ----------
    workers : int
        How many. Where there are GPUs, and `device` is not the CPU, they share these in turn.
    device : str, optional
        'cpu', or a kind of GPU; not a certain one.

    Yields
    ------
    Executor
        Calls functions in these processes.
    callable
        Tells them to end with the micro-batch in hand.

    Raises
    ------
    InvalidValueError
        If several workers are to share one GPU by name, or there are none.
    """
    check_workers(workers)
    if device is not None and ":" in device:
        raise InvalidValueError("device", device, "one kind, as each worker takes its own", "")
    places = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in _gpus()] if device != "cpu" else []
    places = places or [{"OMP_NUM_THREADS": str(max(1, usable_cores() // workers))}]
    # A fork would share the parent's threads and CUDA context, and break both.
    context = multiprocessing.get_context("spawn")
    stop, queue = context.Event(), context.SimpleQueue()
    for i in range(workers):
        queue.put(places[i % len(places)])
    with (
        command_line_kept(),
        ProcessPoolExecutor(workers, context, _begin, (queue, stop)) as pool,
    ):
        yield pool, stop.set


def check_workers(workers: int) -> None:
    """Refuse a number of processes that no machine runs, as an `InvalidValueError`."""
    require(1 <= workers <= _MOST_WORKERS, "workers", workers, f"1 to {_MOST_WORKERS}")


def default_workers(device: str | None) -> int:
    """Return one per GPU; one where there is none, or a certain device is asked for."""
    return max(1, len(_gpus())) if device in (None, "cuda") else 1


def _gpus() -> list[str]:
    """List the GPUs by their names in ``CUDA_VISIBLE_DEVICES``."""
    import torch

    count, visible = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[:count] if visible else [str(i) for i in range(count)]


def _begin(queue: SimpleQueue[dict[str, str]], stop: Event) -> None:
    """Set up a worker process, before it imports torch."""
    os.environ.update(queue.get())
    threading.Thread(target=end_with_parent, daemon=True).start()
    # Ctrl-C reaches all processes of a terminal; the parent decides what becomes of it. SIGTERM
    # reaches all of a Slurm job, and comes from the pool when it has lost a worker.
    ended = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    THIS_PROCESS.stop_when(ended, stop)
    threading.Thread(target=THIS_PROCESS.exit_after, args=(ended,), daemon=True).start()
