"""The state of a process that makes shards: whether it is to end, and whether it is at work.

Imports no torch, whose threads and GPUs are settled by the environment before it is imported.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Flag(Protocol):
    """An event, of threads or of processes."""

    def is_set(self) -> bool:
        """Whether it has happened."""
        ...


class WorkerState:
    """What a worker process knows of itself, shared by its threads.

    At first nobody asks it to stop: Dask ends its workers in its own way.
    """

    def __init__(self) -> None:
        self._stop: tuple[Flag, ...] = ()
        self._idle = threading.Event()
        self._idle.set()

    def stop_when(self, *flags: Flag) -> None:
        """Ask the process to end with the micro-batch in hand once any of the flags is set."""
        self._stop = flags

    def asked_to_stop(self) -> bool:
        """Whether the process should end with the micro-batch in hand."""
        return any(flag.is_set() for flag in self._stop)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep `exit_after` from ending the process while a shard is made."""
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    def exit_after(self, ended: threading.Event) -> None:
        """Wait for an event, then for the shard in hand, and end; to be run in a thread."""
        ended.wait()
        self._idle.wait()
        os._exit(0)


THIS_PROCESS = WorkerState()
