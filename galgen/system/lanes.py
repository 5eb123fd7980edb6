"""Micro-batches side by side: one on each core, or several in flight on a GPU.

How many threads an operation is split over changes the last bits of its sums, so a catalogue would
depend on the machine. Every micro-batch is therefore computed by one thread, and several of them at
a time: same bits anywhere, and faster too than splitting each operation.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from galgen.errors import InvalidValueError

_ON_A_GPU = 2  # one is drawn, measured, copied and written while another is in the network
_MOST = 256

Item = TypeVar("Item")
Made = TypeVar("Made")


def lanes_on(device: torch.device) -> int:
    """Return how many micro-batches are made at a time: what GALGEN_LANES says, if it is set.

    By default one on each core that torch uses of a CPU, and two on a GPU; each more takes as much
    of its memory again.

    Raises
    ------
    InvalidValueError
        If GALGEN_LANES is no such number.
    """
    given = os.environ.get("GALGEN_LANES")
    if given:
        if not given.isdecimal() or not 1 <= int(given) <= _MOST:
            raise InvalidValueError("GALGEN_LANES", given, f"1 to {_MOST}")
        return int(given)
    if device.type == "cpu":
        return torch.get_num_threads()
    return _ON_A_GPU if device.type == "cuda" else 1


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
        Calls at a time.
    first_alone : bool
        Whether the first call must be over before others begin: it compiles what they use.
    """
    before = torch.get_num_threads()
    if lanes == before == 1:
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
            torch.set_num_threads(before)  # of a new thread: it is kept once for all of them


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
