"""A folder of weights, which is replaced as a whole and read as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TypeVar

from galgen.errors import WeightsError
from galgen.system.files import written_aside

CONFIG, CARD = "config.json", "README.md"
_OURS = (CONFIG, CARD, "model*.safetensors")

T = TypeVar("T")


@contextmanager
def written_weights(folder: Path) -> Iterator[Path]:
    """Give an empty folder, which takes the place of `folder` when the block ends.

    Until then, or if the block fails, the weights that were there are there. Whatever else was in
    the folder, such as a user's notes, is in the new one too.

    Raises
    ------
    OutputError
        If another process is writing it.
    OSError
        If the disk is full or fails.
    """
    folder = folder.resolve()  # a link to a folder stays one
    folder.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(folder) as aside:
        aside.mkdir()
        yield aside
        if folder.is_dir():
            _take_along(folder, aside)


def read_weights(folder: Path, read: Callable[[Path], T]) -> T:
    """Return what `read` makes of a folder, all of it of the same weights.

    Where they were replaced while they were read, they are read again.

    Raises
    ------
    WeightsError
        As `read` does of weights that nobody has replaced meanwhile.
    """
    while True:
        before = _which(folder)
        try:
            found = read(folder)
        except (WeightsError, OSError):
            if _which(folder) == before:
                raise
        else:
            if _which(folder) == before:
                return found


def _which(folder: Path) -> tuple[int, int] | None:
    """Tell folders apart that have the same name at different times; None if there is none."""
    try:
        there = folder.stat()
    except OSError:
        return None
    return there.st_dev, there.st_ino


def _take_along(old: Path, new: Path) -> None:
    """Have what is not of the weights in both folders: the old one may have to stay."""

    def ours(where: str, names: list[str]) -> list[str]:
        top = Path(where) == old
        return [name for name in names if top and any(fnmatch(name, one) for one in _OURS)]

    shutil.copytree(old, new, True, ours, _link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    """Give a file another name, or make a copy where a file may have one only."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target)
