"""Micro-batches side by side, one on each core.

How many threads an operation is split over changes the last bits of its sums, so a catalogue would
depend on the machine. Every micro-batch is therefore computed by one thread, and several of them at
a time: same bits anywhere, and faster too than splitting each operation.
"""

from __future__ import annotations

import ctypes
import functools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Made = TypeVar("Made")


def in_lanes(
    make: Callable[[Item], Made], items: Iterable[Item], lanes: int, first_alone: bool = False
) -> Generator[Made, None, None]:
    """Like ``map(make, items)``, with several calls at a time, each of one torch thread.

    Items are taken as results are, so either may be endless; when items end, what has begun is
    still finished.

    Parameters
    ----------
    make : callable
    items : iterable
    lanes : int
        Calls at a time; with one, there are no threads.
    first_alone : bool
        Whether the first call must be over before others begin: it compiles what they use.
    """
    if lanes == 1:
        yield from map(make, items)
        return
    waiting: deque[Future[Made]] = deque()
    room = 0 if first_alone else lanes
    with ThreadPoolExecutor(lanes, "galgen lane", torch.set_num_threads, (1,)) as threads:
        try:
            for item in items:
                waiting.append(threads.submit(make, item))
                if len(waiting) > room:
                    yield waiting.popleft().result()
                    room = lanes
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            torch.set_num_threads(lanes)  # of a new thread: it is kept once for all of them


@functools.cache
def keep_memory() -> bool:
    """Have the C library keep the memory that is freed, for the next tensor; whether it can.

    By default glibc hands large blocks back to the system, and an evaluation of the network then
    spends a fifth of its time on fresh pages. Other C libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    trim_threshold, mmap_threshold = -1, -3  # malloc.h
    # 32 MiB is the most that every version accepts for a block of the heap.
    return bool(mallopt(mmap_threshold, 32 << 20)) and bool(mallopt(trim_threshold, (1 << 31) - 1))
