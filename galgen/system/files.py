"""Outputs: refused before any work is done for them, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from galgen.errors import GalgenError, OutputError, WriteError
from galgen.system.aside import (
    LONGEST_ADDED,
    OLD,
    PART,
    private_folder,
    refuse_if_being_written,
)
from galgen.system.exchange import exchange


def check_output(
    path: Path, overwrite: bool, inputs: Iterable[Path] = (), unfinished: bool = False
) -> None:
    """Refuse an output that could not be written or would replace another.

    Parameters
    ----------
    path : Path
        A file to be written.
    overwrite : bool
        Whether it may replace an existing file.
    inputs : iterable of Path
        What it is made from, which it never replaces, under whatever name.
    unfinished : bool
        Whether an unfinished catalogue of that name may be there.

    Raises
    ------
    OutputError
        If its folder is missing or not writable, it exists and `overwrite` is False, it is no file,
        or somebody is writing it or has left it unfinished.
    """
    check_folder(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder. Give the name of a file.")
    refuse_inputs(path, inputs)
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is a device, not a file. Give the name of a file.")
    if os.path.lexists(path) and not overwrite:
        raise OutputError(
            f"{path} exists. Choose another name, or replace it with `overwrite=True`."
        )
    part = path.with_name(path.name + PART)
    if os.path.lexists(part) and not unfinished:
        raise OutputError(
            f"{path}: {part} is there, where 'galgen mass' keeps what is not finished. Finish "
            "that, or choose another name."
        )
    refuse_if_being_written(path)


def check_ascii(path: Path) -> None:
    """Refuse an output whose name a FITS table could not list.

    Raises
    ------
    OutputError
        If it is not printable ASCII.
    """
    if not (path.name.isascii() and path.name.isprintable()):
        raise OutputError(
            f"{path}: its name is listed in FITS, which has printable ASCII only. Choose another."
        )


def check_folder(path: Path) -> None:
    """Refuse an output whose folder is missing or not writable, or whose name is too long.

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
    longest = os.pathconf(folder, "PC_NAME_MAX") - LONGEST_ADDED
    if len(os.fsencode(path.name)) > longest:
        raise OutputError(f"{path}: the name is too long; {longest} bytes are possible.")


def check_folder_output(
    path: Path, overwrite: bool, is_ours: Callable[[Path], bool], inputs: Iterable[Path] = ()
) -> None:
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
    inputs : iterable of Path
        What it is made from, which must not be in it.

    Raises
    ------
    OutputError
        If it must not be written.
    """
    check_folder(path)
    refuse_if_being_written(path)
    if not os.path.lexists(path):
        return
    refuse_inputs(path, inputs)
    if not overwrite:
        raise OutputError(
            f"{path} exists. Choose another name, or replace it with `overwrite=True`."
        )
    if not path.is_dir() or (any(path.iterdir()) and not is_ours(path)):
        raise OutputError(f"{path} is not a folder that was exported before. Remove it first.")


def refuse_inputs(path: Path, inputs: Iterable[Path]) -> None:
    """Raise OutputError if an output is one of its inputs, by any name, or has one in it."""
    for given in inputs:
        whole = given.absolute()
        for there in (whole, *whole.resolve().parents):
            with suppress(FileNotFoundError):
                if path.samefile(there):
                    raise OutputError(
                        f"{path} is the input ({given}), or has it in it. Choose another name."
                    )


@contextmanager
def written_aside(path: Path, shared: bool = False, overwrite: bool = True) -> Iterator[Path]:
    """Give a path beside `path`, a file or a folder, which is renamed to it when the block ends.

    It is in a folder of its own, which nobody else can have made or write to. A file is flushed to
    disk before it is renamed. When the block fails, nothing is left, and what was at `path` is
    still there. A folder takes the place of another in one step where the system has one for that;
    elsewhere there is nothing at `path` for a moment, and the next writer puts back what a kill
    has taken away then.

    Parameters
    ----------
    path : Path
        The output. A file replaces a file; a folder replaces a folder, unless `shared`.
    shared : bool
        Whether other processes may write the same output at the same time. Of folders the first one
        that is finished stays.
    overwrite : bool
        Replace what has appeared at `path`.

    Raises
    ------
    OutputError
        If another process is writing it, or something has appeared that is not to be replaced.
    OSError
        If the disk is full or fails, or, `shared`, if there is a folder already.
    """
    with private_folder(path, shared) as folder:
        aside = folder / path.name
        yield aside
        is_folder = aside.is_dir()
        if not is_folder:
            with open(aside, "rb") as handle:
                os.fsync(handle.fileno())
        if not overwrite and os.path.lexists(path):
            raise OutputError(f"{path} has appeared meanwhile. Choose another name.")
        old = is_folder and path.is_dir() and not shared
        if old and exchange(aside, path):
            return  # what was there goes with `folder`
        if old:
            path.rename(folder / OLD)
        try:
            aside.replace(path)
        except BaseException:
            if old:
                (folder / OLD).rename(path)
            raise


@contextmanager
def written_output(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Do as `written_aside`, for an output that a user has asked for.

    Raises
    ------
    OutputError
        If another process is writing it, or something has appeared that is not to be replaced.
    WriteError
        For an `OSError` within the block, such as a full disk.
    """
    try:
        with written_aside(path, overwrite=overwrite) as aside:
            yield aside
    except GalgenError:
        raise
    except OSError as error:
        reason = error.strerror or str(error).partition("\n")[0]  # CFITSIO says more than one line
        raise WriteError(f"{path}: cannot be written: {reason}.") from error


def remove_folder(path: Path) -> None:
    """Remove a folder in one step as far as others can see.

    Raises
    ------
    OSError
        If it is not there, or must not be removed.
    """
    with private_folder(path, shared=True) as folder:
        path.rename(folder / path.name)
