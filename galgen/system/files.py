"""Outputs: refused before any work is done for them, written whole or not at all."""

from __future__ import annotations

import os
import secrets
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
        raise OutputError(
            f"{path} exists. Choose another name, or replace it with `overwrite=True`."
        )


def check_folder(path: Path) -> None:
    """Refuse an output whose folder is missing or not writable.

    Raises
    ------
    OutputError
        If it is.
    """
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
        raise OutputError(
            f"{path} exists. Choose another name, or replace it with `overwrite=True`."
        )
    if not path.is_dir() or (any(path.iterdir()) and not is_ours(path)):
        raise OutputError(f"{path} is not a folder that was exported before. Remove it first.")


@contextmanager
def written_aside(path: Path, shared: bool = False) -> Iterator[Path]:
    """Give a path beside `path`, a file or a folder, which is renamed to it when the block ends.

    A file is flushed to disk before that. When the block fails, nothing is left, and what was at
    `path` is still there.

    Parameters
    ----------
    path : Path
        The output. A file replaces a file; a folder replaces a folder, unless `shared`.
    shared : bool
        Whether other processes may write the same output at the same time. Each then has a path of
        its own, and of folders the first one that is finished stays.

    Raises
    ------
    OSError
        If the disk is full or fails, or, `shared`, if there is a folder already.
    """
    aside = _own_aside(path) if shared else _aside(path)
    try:
        _remove(aside)  # what a killed run left
        yield aside
        if not aside.is_dir():
            with open(aside, "rb") as handle:
                os.fsync(handle.fileno())
        elif path.is_dir() and not shared:
            _remove(path)
        aside.replace(path)
    except BaseException:
        _remove(aside)
        raise


@contextmanager
def written_output(path: Path) -> Iterator[Path]:
    """Do as `written_aside`, for an output that a user has asked for.

    Raises
    ------
    OutputError
        For an `OSError` within the block, such as a full disk.
    """
    try:
        with written_aside(path) as aside:
            yield aside
    except GalgenError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: cannot be written ({_aside(path)}): {reason}.") from error


def remove_folder(path: Path) -> None:
    """Remove a folder in one step as far as others can see.

    Raises
    ------
    OSError
        If it is not there, or must not be removed.
    """
    aside = _own_aside(path)
    path.rename(aside)
    _remove(aside)


def remove_leftovers(path: Path) -> None:
    """Remove folders that kills during `written_aside`, shared, and `remove_folder` have left."""
    for aside in path.parent.iterdir():
        if aside.name.startswith(f".{path.name}."):
            _remove(aside)


def _aside(path: Path) -> Path:
    """Path beside an output that one process writes."""
    return path.with_name(f".{path.name}.part")


def _own_aside(path: Path) -> Path:
    """Path beside an output that several processes write, unlike those of the others."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}")


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
