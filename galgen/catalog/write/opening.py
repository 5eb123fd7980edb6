"""Starting a catalogue, going on with an unfinished one, and leaving it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from galgen.catalog.format.layout import Layout, file_path, plan_files
from galgen.catalog.write.disk import check_room, open_allocated
from galgen.catalog.write.folder import foreign_files, part_folder, remove
from galgen.catalog.write.ledger import Ledger
from galgen.errors import CatalogError, InvalidValueError, OutputError
from galgen.runinfo import RunInfo
from galgen.system.files import check_ascii, check_folder, check_output

_MAX_NAMED = 3


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
    if info.per_file is not None:
        check_ascii(path)
    names = {path, *(file_path(path, info, number) for number in range(len(layouts)))}
    if os.path.lexists(part_folder(path)) and not (resume or shared):
        if not overwrite:
            _refuse_if_alive(path)
            raise OutputError(
                f"{path}: there is an unfinished run of it ({part_folder(path)}). Continue it with "
                "`resume=True` or 'galgen resume', or start afresh with `overwrite=True`."
            )
        for name in names:
            check_output(name, overwrite, unfinished=True)
        discard(path)
    if not os.path.lexists(part_folder(path)):
        for name in names:
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


def allocate(ledger: Ledger, number: int, layout: Layout) -> None:
    """Reserve the room of a file.

    Parameters
    ----------
    ledger : Ledger
        The ledger of the catalogue.
    number : int
        Which file of the catalogue.
    layout : Layout
        Layout of that file.

    Raises
    ------
    OutputError
        If there is no room, or its place is taken by something else.
    """
    if ledger.place(number) != ledger.data(number):  # a kill while finishing left it named
        recorded, _ = ledger.records((layout.first, layout.first + layout.n))
        if recorded:  # otherwise it is one that is to be replaced
            ledger.place(number).rename(ledger.data(number))
    os.close(open_allocated(ledger.data(number), layout.total_bytes))


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
        If one is, or there are files that are not galgen's.
    """
    folder = part_folder(catalog)
    if not os.path.lexists(folder):
        return
    if foreign := foreign_files(folder):
        some = ", ".join(foreign[:_MAX_NAMED])
        raise OutputError(f"{folder} is not galgen's, or not only ({some}). Move it away.")
    try:
        ledger = Ledger(catalog)
    except CatalogError:
        remove(folder)
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
