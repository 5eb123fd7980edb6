"""HDF5 files of strangers: data sets whose shape is checked before memory is taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import h5py

from galgen.errors import DataError, reading
from galgen.system.bounds import check_rows, check_unpacked
from galgen.system.inputs import check_file


@contextmanager
def opened_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file; damage that is found then or in the block is a DataError.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    check_file(path)
    with reading(path, "HDF5"), h5py.File(path, "r") as file:
        yield file


def data_set(file: h5py.File, name: str, itemsize: int = 0) -> h5py.Dataset:
    """Find a data set, which may be read whole.

    Parameters
    ----------
    file : h5py.File
        Open for reading.
    name : str
        Name of the data set.
    itemsize : int
        Bytes that an element will take, if more than it has in the file.

    Raises
    ------
    DataError
        If it is none, or far larger than the file: one that was never written takes no room there.
    """
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise DataError(f"{file.filename}: {name!r} is no data set of an array.")
    itemsize = max(itemsize, found.dtype.itemsize)
    stored = Path(file.filename).stat().st_size
    # A chunk is unpacked whole, even where the data set is smaller.
    for shape in (found.shape, found.chunks or ()):
        check_unpacked(f"{file.filename}: {name!r} {shape}", itemsize * prod(shape), stored)
    check_rows(f"{file.filename}: {name!r}", len(found) if found.shape else 1, stored)
    return found
