"""Files on disk: their room, and their bytes at given places."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

from galgen.errors import OutputError
from galgen.system.locks import lock, unlock


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


def open_own(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file that galgen has made: never what a link points to, nor a device or a pipe.

    Returns
    -------
    int
        File descriptor.

    Raises
    ------
    OSError
        If there is no such file, or it is something else.
    """
    # Without waiting for somebody at the other end of a pipe.
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a file")
    return fd


def read_own(path: Path, most: int) -> bytes:
    """Read a small file that galgen has made, see `open_own`.

    Raises
    ------
    OSError
        If it cannot be read, or has more than `most` bytes.
    """
    with os.fdopen(open_own(path), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes")
    return data


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
        If the file cannot be opened, is a link or no file, or the room cannot be reserved.
    """
    try:
        fd = open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise OutputError(f"{path}: cannot be opened: {reason}.") from error
    try:
        lock(fd, exclusive=True, wait=True)
        there = os.fstat(fd).st_size
        if there < size and hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(fd, 0, size)
        if there != size:
            os.ftruncate(fd, size)
        unlock(fd)
    except OSError as error:
        os.close(fd)
        message = f"{path}: {size:,} bytes cannot be reserved: {error.strerror}."
        raise OutputError(message) from error
    return fd


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
