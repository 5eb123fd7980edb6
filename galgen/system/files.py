"""Outputs: refused before any work is done for them, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from galgen.errors import GalgenError, OutputError


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


def check_folder_output(path: Path, overwrite: bool, is_ours: Callable[[Path], bool]) -> None:
    """Refuse an output folder that could not be written or would replace another's.

    Parameters
    ----------
    path : Path
        A folder to be written.
    overwrite : bool
        Whether it may replace an existing folder. That takes away all that is in it, so only an
        empty one or one that `is_ours` is replaced.
    is_ours : callable
        Whether a folder is an earlier output of the same kind.

    Raises
    ------
    OutputError
        If it must not be written.
    """
    check_folder(path)
    if not path.exists():
        return
    if not overwrite:
        raise OutputError(f"{path} exists. Choose another name, or overwrite it.")
    if not path.is_dir() or (any(path.iterdir()) and not is_ours(path)):
        raise OutputError(f"{path} is not a folder that was exported before. Remove it first.")


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


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path beside `path`, a file or a folder, which is renamed to it when the block ends.

    When the block fails, nothing is left, and what was at `path` is still there.

    Raises
    ------
    OutputError
        For an `OSError` within the block, such as a full disk.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        _remove(aside)  # what a killed run left
        yield aside
        if not aside.is_dir():
            with open(aside, "rb") as handle:
                os.fsync(handle.fileno())
        if path.is_dir():
            _remove(path)
        aside.replace(path)
    except OSError as error:
        _remove(aside)
        if isinstance(error, GalgenError):
            raise
        reason = error.strerror or error
        raise OutputError(f"{path}: cannot be written ({aside}): {reason}.") from error
    except BaseException:
        _remove(aside)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
