"""Starting a catalogue, going on with an unfinished one, and leaving it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from galgen.catalog.format.layout import Layout, file_path, plan_files
from galgen.catalog.write.disk import check_room, open_allocated
from galgen.catalog.write.ledger import Ledger, part_folder
from galgen.catalog.write.written import Written
from galgen.errors import CatalogError, InvalidValueError, LedgerError, OutputError
from galgen.runinfo import RunInfo
from galgen.system.files import check_folder, check_output


def open_ledger(
    path: Path,
    info: RunInfo,
    overwrite: bool,
    resume: bool,
    shared: bool,
    recipe: Mapping[str, Any] | None,
) -> Ledger:
    """Open and lock the ledger of a run: a new one, or with `resume` or `shared` the one there is.

    Parameters and errors are those of `galgen.catalog.write.writer.CatalogWriter`.
    """
    layouts = plan_files(info)  # what cannot be a FITS file is refused before anything is there
    check_folder(path)
    if part_folder(path).exists() and not (resume or shared):
        if not overwrite:
            _refuse_if_alive(path)
            raise OutputError(
                f"{path}: there is an unfinished run of it ({part_folder(path)}). Continue it with "
                "`resume=True` or 'galgen resume', or start afresh with `overwrite=True`."
            )
        discard(path)
    if not part_folder(path).exists():
        for name in {path, *(file_path(path, info, number) for number in range(len(layouts)))}:
            check_output(name, overwrite)
        check_room(path, sum(layout.total_bytes for layout in layouts))
        ledger = Ledger.create(path, info, overwrite, recipe)
    else:
        ledger = Ledger(path)
    ledger.lock(exclusive=not shared)
    try:
        if not shared:
            ledger.sweep()
        refuse_other(ledger, info)
    except BaseException:
        ledger.close()
        raise
    return ledger


def _refuse_if_alive(path: Path) -> None:
    """Raise OutputError if a process is alive that makes a catalogue."""
    with suppress(CatalogError):
        ledger = Ledger(path)
        ledger.lock(exclusive=True)
        ledger.close()


def allocate(ledger: Ledger, number: int, layout: Layout, done: Written) -> None:
    """Reserve the room of a file.

    Parameters
    ----------
    ledger : Ledger
        The ledger of the catalogue.
    number : int
        Which file of the catalogue.
    layout : Layout
        Layout of that file.
    done : Written
        What is recorded.

    Raises
    ------
    LedgerError
        If galaxies are recorded in it that are not there.
    OutputError
        If there is no room.
    """
    data = ledger.data(number)
    there = data.stat().st_size if data.exists() else 0
    stop = layout.first + layout.n
    if there != layout.total_bytes and any(a < stop and layout.first < b for a, b in done.ranges):
        raise LedgerError(
            f"{data} is missing or of another size, though galaxies are recorded in it. Start "
            "afresh with `overwrite=True`."
        )
    os.close(open_allocated(data, layout.total_bytes))


def leave(path: Path) -> str:
    """Leave an unfinished catalogue to be resumed, unless nothing is recorded.

    Returns
    -------
    str
        What is kept and how to go on, for people.

    Raises
    ------
    CatalogError
        If there is no ledger, or it is damaged.
    OSError
        If the ledger cannot be read or removed.
    """
    ledger = Ledger(path)
    records, _ = ledger.records()
    if not records:
        discard(path)
        return f"{path} was not written."
    name = shlex.quote(str(path))
    done = sum(record.stop - record.start for record in records)
    go_on = f"Continue: galgen resume {name}" if ledger.recipe else "It can be resumed"
    return (
        f"{ledger.folder} keeps {done} of {ledger.info.n} galaxies. {go_on}. "
        f"Or make do with them: galgen finish --partial {name}"
    )


def discard(catalog: Path) -> None:
    """Remove an unfinished catalogue, damaged or not, unless a process is alive that makes it.

    Raises
    ------
    OutputError
        If one is.
    """
    folder = part_folder(catalog)
    if not folder.exists():
        return
    if not folder.is_dir():
        folder.unlink()
        return
    try:
        ledger = Ledger(catalog)
    except CatalogError:
        shutil.rmtree(folder)
        return
    ledger.lock(exclusive=True)
    ledger.remove()


def refuse_other(ledger: Ledger, info: RunInfo) -> None:
    """Raise InvalidValueError, with each difference, if a ledger is not of the run `info`."""
    if differences := ledger.differences(info):
        raise InvalidValueError(
            f"unfinished run of {ledger.catalog}",
            "; ".join(differences),
            "the same settings",
            "Give the same ones, choose another name, or start afresh with `overwrite=True`.",
        )
