"""Locks on open files, which end with the process that holds them, however that ends."""

from __future__ import annotations

import fcntl
from contextlib import suppress


def lock(fd: int, *, exclusive: bool, wait: bool = False) -> bool | None:
    """Lock an open file.

    Parameters
    ----------
    fd : int
        Open for writing too, which network file systems need for exclusive locks.
    exclusive : bool
        Alone, rather than with other shared locks.
    wait : bool
        Wait for it.

    Returns
    -------
    bool or None
        Whether it is locked; None on a file system that has no locks.
    """
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(fd, kind | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def unlock(fd: int) -> None:
    """Give a lock back, where there are locks."""
    with suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_UN)
