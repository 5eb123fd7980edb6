"""Files that are read: only files, as whoever opens a pipe waits until somebody writes to it."""

from __future__ import annotations

import stat
from io import BufferedReader
from pathlib import Path

from galgen.errors import DataError, GalgenError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_file(path: str | Path, kind: type[GalgenError] = DataError) -> None:
    """Refuse what is no file; what cannot be looked at, opening it says.

    Parameters
    ----------
    path : str or Path
        What is to be opened; it need not exist.
    kind : type of GalgenError
        What is raised.

    Raises
    ------
    GalgenError
        Of `kind`, if it is a folder, pipe, socket or device, or a link to one.
    """
    try:
        mode = stat.S_IFMT(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return
    if mode != stat.S_IFREG:
        what = _KINDS.get(mode, "something else")
        raise kind(f"{path} is {what}, not a file. Give the name of a file.")


def open_input(path: Path) -> BufferedReader:
    """Open a file for reading.

    Raises
    ------
    DataError
        If it is no file, see `check_file`.
    OSError
        If it cannot be opened.
    """
    check_file(path)
    return path.open("rb")
