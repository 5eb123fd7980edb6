"""Places beside an output in which it grows: each is made by its writer and by nobody else.

``.NAME.<random>.part`` is a folder that only its owner may enter, so that nobody can put a link
where a file is going to be. A lock in it says that its writer is alive.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from galgen.errors import OutputError
from galgen.system.locks import lock

PART = ".part"
_LOCK = "lock"
OLD = "old"  # what a folder replaces, for as long as that takes
_PATIENCE_S = 2.0
_RANDOM_BYTES = 6
# What names aside add to a name at most, which may be that of a folder for an unfinished catalogue.
LONGEST_ADDED = len("..") + 2 * _RANDOM_BYTES + 2 * len(PART)


@contextmanager
def private_folder(path: Path, shared: bool = False) -> Iterator[Path]:
    """Make a folder beside `path`, for as long as the block lasts.

    What a killed writer of the same output has left is removed.

    Parameters
    ----------
    path : Path
        An output.
    shared : bool
        Whether others may write the same output at the same time.

    Raises
    ------
    OutputError
        If another process is writing it, unless `shared`.
    OSError
        If the folder cannot be made.
    """
    folder = path.with_name(f".{path.name}.{secrets.token_hex(_RANDOM_BYTES)}{PART}")
    fd = -1
    try:
        if shared:
            folder.mkdir(0o700)
        else:
            with _turn(path.parent):
                refuse_if_being_written(path)
                _remove_dead(path)
                folder.mkdir(0o700)
                fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                lock(fd, exclusive=True)
        yield folder
    finally:
        _remove(folder)
        if fd >= 0:
            os.close(fd)


def refuse_if_being_written(path: Path) -> None:
    """Raise OutputError if a process is alive that writes an output."""
    for folder in _folders_of(path):
        if _is_free(folder) is False:
            raise OutputError(f"{path}: another process is writing it ({folder}).")


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of a shared output have left; nobody may be writing it now."""
    for folder in _folders_of(path):
        if {*os.listdir(folder)} <= {path.name}:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_dead(path: Path) -> None:
    """Remove what killed writers have left, and put back the folder that one was replacing."""
    for folder in _folders_of(path):
        with suppress(OSError):
            folder.rmdir()  # if it is empty: its writer had no lock yet, or none any more
            continue
        if _is_free(folder) and {*os.listdir(folder)} <= {_LOCK, OLD, path.name}:
            if (folder / OLD).is_dir() and not os.path.lexists(path):
                (folder / OLD).rename(path)
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, its lock last: whatever a kill leaves of it is known to be dead."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != _LOCK:
                os.unlink(entry.path)
    shutil.rmtree(folder, ignore_errors=True)


def _folders_of(path: Path) -> list[Path]:
    """List the folders that writers of an output have made."""
    middle = rf"\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}"
    name = re.compile(rf"\.{re.escape(path.name)}{middle}{re.escape(PART)}")
    with os.scandir(path.parent) as entries:
        return [
            path.parent / entry.name
            for entry in entries
            if name.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]


def _is_free(folder: Path) -> bool | None:
    """Whether nobody holds the lock in a folder; None if that cannot be known."""
    try:
        fd = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return lock(fd, exclusive=True)
    finally:
        os.close(fd)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Look and make in a folder while nobody else does, if that is not too long to wait for."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + _PATIENCE_S
        while lock(fd, exclusive=True) is False and time.monotonic() < until:
            time.sleep(0.01)
        yield
    finally:
        with suppress(OSError):
            os.close(fd)
