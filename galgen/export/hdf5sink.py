"""Where HDF5 writes to: a file that fails only when it is asked whether it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py


class Sink:
    """A file object for `h5py.File`.

    HDF5 cannot give up: after a write that failed, it crashes or prints tracebacks while it closes
    the file. Here writes always succeed as far as HDF5 can see; what is behind the first that did
    not is dropped, and `check` raises its error.

    Parameters
    ----------
    path : Path
        File to write.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the OSError of the first write that failed, if one has."""
        if self._error is not None:
            raise self._error

    def write(self, data: memoryview) -> int:
        """Write all of it, unless the disk is full."""
        left = memoryview(data).cast("B")
        try:
            while len(left) and self._error is None:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._error = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Make the file longer or shorter."""
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def readinto(self, data: memoryview) -> int:
        """Read; zeros where there is nothing."""
        view = memoryview(data).cast("B")
        n = self._file.readinto(view)
        view[n:] = bytes(len(view) - n)
        return len(view)

    def read(self, size: int = -1) -> bytes:
        """Read bytes; h5py knows file objects by this method."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a byte of the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return where the file is."""
        return self._file.tell()

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def hdf5_file(path: Path) -> Iterator[tuple[h5py.File, Sink]]:
    """Open an HDF5 file to be written, and what it writes to.

    Raises
    ------
    OSError
        At the end, if something could not be written.
    """
    sink = Sink(path)
    try:
        with h5py.File(sink, "w") as file:
            yield file, sink
    except RuntimeError:  # of h5py: HDF5 has missed what was not written
        sink.check()
        raise
    finally:
        sink.close()
    sink.check()
