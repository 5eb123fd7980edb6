"""A file that gets its name only when it is finished."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import numpy as np

from galgen.errors import OutputError
from galgen.output import check_output


class PartFile:
    """``<name>.part`` beside the output, preallocated, renamed by `commit`.

    Parameters
    ----------
    path : Path
        The output.
    size : int
        Bytes to allocate; they read as zeros.
    overwrite : bool
        Replace an existing output, at `commit`.

    Attributes
    ----------
    fd : int
        File descriptor of the ``.part`` file, open for reading and writing.
    path : Path
        The ``.part`` file.

    Raises
    ------
    OutputError
        If the folder is missing or not writable, the output exists, another process is writing it,
        or there is not enough room. Then nothing has been left behind.

    Notes
    -----
    A ``.part`` file of a killed process is replaced: the lock that tells a live writer from a dead
    one ends with its process.
    """

    def __init__(self, path: Path, size: int, overwrite: bool) -> None:
        self.target, self.overwrite = path, overwrite
        self.path = path.with_name(path.name + ".part")
        self._check(size)
        try:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be created: {error.strerror}.") from error
        try:
            self._lock()
        except OutputError:
            os.close(self.fd)
            raise
        try:
            os.ftruncate(self.fd, 0)
            if hasattr(os, "posix_fallocate"):  # not on macOS
                os.posix_fallocate(self.fd, 0, size)
            else:
                os.ftruncate(self.fd, size)
        except OSError as error:
            self.discard()
            raise OutputError(
                f"{path}: {size:,} bytes cannot be reserved: {error.strerror}."
            ) from error

    def _check(self, size: int) -> None:
        check_output(self.target, self.overwrite)
        folder = self.target.parent
        free = shutil.disk_usage(folder).free
        if self.path.exists():
            free += self.path.stat().st_blocks * 512  # what a killed run left gives its room
        if size > free:
            raise OutputError(
                f"{self.target}: needs {size:,} bytes, but {folder} has {free:,} available. "
                "Make room, ask for fewer galaxies or choose another folder."
            )

    def _lock(self) -> None:
        busy = OutputError(f"{self.target}: another process is writing it ({self.path}).")
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        except OSError:
            pass  # a file system without locks
        # The other process may have finished, and renamed this very file, before the lock was free.
        if not self.path.exists() or not os.path.samestat(os.fstat(self.fd), self.path.stat()):
            raise busy

    def commit(self, size: int) -> None:
        """Cut the file to `size` bytes and, once they are on disk, give it its name."""
        os.ftruncate(self.fd, size)
        os.fsync(self.fd)
        if self.target.exists() and not self.overwrite:
            raise OutputError(f"{self.target} has appeared; the finished file is {self.path}.")
        os.replace(self.path, self.target)
        self.close()
        folder = os.open(self.target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # the new name
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close the file and leave it as it is."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def start_writeback(fd: int, offset: int, size: int) -> None:
    """Have the kernel put bytes on disk in the background: it is that much less for `fsync`.

    Without it, dirty pages pile up until the kernel stalls the writer, or the end.
    """
    if hasattr(os, "posix_fadvise"):  # not on macOS
        os.posix_fadvise(fd, offset, size, os.POSIX_FADV_DONTNEED)


def pwrite_all(fd: int, data: bytes | np.ndarray, offset: int) -> None:
    """``os.pwrite`` of all bytes: the system call may write less, and 2 GiB at most."""
    view = memoryview(data).cast("B")
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done
