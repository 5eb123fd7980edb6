"""Files on disk: their room, their bytes at given places, and their locks."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from galgen.errors import OutputError


def check_room(path: Path, size: int, there: int = 0) -> None:
    """Refuse an output that its disk has no room for, with numbers.

    Parameters
    ----------
    path : Path
        The output.
    size : int
        Bytes it will take.
    there : int
        Bytes of them that are reserved already.

    Raises
    ------
    OutputError
        If `size` bytes are more than there are.
    """
    free = shutil.disk_usage(path.parent).free + there
    if size > free:
        raise OutputError(
            f"{path}: needs {size:,} bytes, but {path.parent} has {free:,} available. "
            "Make room, ask for fewer galaxies or choose another folder."
        )


def open_allocated(path: Path, size: int) -> int:
    """Open a file for reading and writing, with room for all of it; what it holds stays.

    Any number of processes may do so: the first one reserves the room, and new bytes are zeros.

    Returns
    -------
    int
        File descriptor.

    Raises
    ------
    OutputError
        If the file cannot be opened or the room not be reserved.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"{path}: cannot be opened: {error.strerror}.") from error
    try:
        lock(fd, exclusive=True, wait=True)
        if os.fstat(fd).st_size < size:
            if hasattr(os, "posix_fallocate"):  # not on macOS
                os.posix_fallocate(fd, 0, size)
            os.ftruncate(fd, size)
        fcntl.flock(fd, fcntl.LOCK_UN)
    except OSError as error:
        os.close(fd)
        message = f"{path}: {size:,} bytes cannot be reserved: {error.strerror}."
        raise OutputError(message) from error
    return fd


def lock(fd: int, *, exclusive: bool, wait: bool = False) -> bool:
    """Lock an open file; the lock ends with the process, however that ends.

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
    bool
        Whether it is locked: True too on a file system that has no locks.
    """
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(fd, kind | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def sync_data(fd: int) -> None:
    """Wait until the bytes of a file are on disk."""
    getattr(os, "fdatasync", os.fsync)(fd)  # macOS has the latter only


def sync_folder(folder: Path) -> None:
    """Wait until names made, changed or removed in a folder are on disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def start_writeback(fd: int, offset: int, size: int) -> None:
    """Have the kernel put bytes on disk in the background: it is that much less to wait for.

    Without it, dirty pages pile up until the kernel stalls the writer, or the end.
    """
    if hasattr(os, "posix_fadvise"):  # not on macOS
        os.posix_fadvise(fd, offset, size, os.POSIX_FADV_DONTNEED)


def pwrite_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all bytes at a place in a file: one system call may write less, and 2 GiB at most."""
    view = memoryview(data).cast("B")
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done
