"""Outputs: refused before any work is done for them, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from galgen.errors import OutputError


def check_output(path: Path, overwrite: bool) -> None:
    """Refuse an output that could not be written or would replace another.

    Parameters
    ----------
    path : Path
        A file to be written.
    overwrite : bool
        Whether it may replace an existing file.

    Raises
    ------
    OutputError
        If its folder is missing or not writable, it exists and `overwrite` is False, or it is a
        folder.
    """
    check_folder(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder. Give the name of a file.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists. Choose another name, or overwrite it.")


def check_folder(path: Path) -> None:
    """Refuse an output whose folder is missing or not writable, as an `OutputError`."""
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path}: there is no folder {folder}. Create it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {folder} is not writable.")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call ``write(aside)``, flush that file to disk and rename it to `path`."""
    aside = path.with_name(f".{path.name}.part")
    try:
        write(aside)
        with open(aside, "rb") as handle:
            os.fsync(handle.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)  # only there if writing failed
