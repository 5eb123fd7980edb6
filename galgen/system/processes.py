"""Cores and processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def command_line_kept() -> Iterator[None]:
    """Keep the command line from the processes that are started in the block.

    Python tells it to each, through a pipe of which whoever starts a process holds both ends: if it
    is longer than the pipe's buffer, 64 KiB, and the process dies too early, the other waits for
    ever.
    """
    whole, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = whole


def end_with_parent() -> None:
    """Wait for the parent process to end, then end this one; to be run in a thread."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # it was killed: nobody waits for this process, or would end it
