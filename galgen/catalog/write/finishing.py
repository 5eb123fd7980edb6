"""From files under construction to a catalogue: the last step, by whoever comes last."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from galgen.catalog.format import checksum
from galgen.catalog.format.index import write_index
from galgen.catalog.format.layout import Layout, file_path, plan, plan_files
from galgen.catalog.write import blocks
from galgen.catalog.write.disk import check_room, open_allocated, sync_folder
from galgen.catalog.write.ledger import Ledger, Record
from galgen.catalog.write.written import Written
from galgen.errors import LedgerError, OutputError, UnfinishedError
from galgen.runinfo import RunInfo

_MAX_RANGES = 5


def finish(path: str | Path, partial: bool = False) -> int:
    """Finish a catalogue whose galaxies are all there: those of a job array, for instance.

    Parameters
    ----------
    path : str or Path
        The catalogue.
    partial : bool
        If galaxies are missing, keep those before the first missing one in a shorter catalogue
        (``NGAL`` below ``NASKED``) and drop the others: it cannot be resumed then.

    Returns
    -------
    int
        Galaxies in the finished catalogue.

    Raises
    ------
    UnfinishedError
        If galaxies are missing: any, or with `partial` the first; or there is nothing to finish.
    LedgerError
        If the ledger is damaged.
    OutputError
        If the catalogue cannot be written, or another process is writing it.
    """
    ledger = Ledger(Path(path))
    ledger.lock(exclusive=True)
    try:
        return finish_ledger(ledger, partial)
    finally:
        ledger.close()


def finish_ledger(ledger: Ledger, partial: bool = False) -> int:
    """Finish the catalogue of a locked ledger and remove the ledger.

    Parameters, result and errors are those of `finish`. Where it is killed, another call goes on.
    """
    path, info = ledger.catalog, ledger.info
    records, problems = ledger.records()
    done = ledger.union(records)
    kept = done.prefix
    if kept < info.n and not (partial and kept):
        raise UnfinishedError("\n".join([*problems, what_is_missing(path, info, done)]))
    targets = [*_targets(path, ledger.files, kept)]
    for name, layout in targets:
        if name.exists() and not ledger.overwrite and not _is_whole(name, layout):
            raise OutputError(
                f"{name} has appeared meanwhile; the galaxies are in {ledger.folder}. Move it "
                f"away, then: galgen finish {shlex.quote(str(path))}"
            )
    ready = []
    for number, (name, layout) in enumerate(targets):
        if ledger.data(number).exists():
            own = [r for r in records if layout.first <= r.start < layout.first + layout.n]
            ready.append((_finished_file(ledger, number, layout, own), name))
        elif not _is_whole(name, layout):
            raise LedgerError(
                f"{ledger.data(number)} is missing. Start afresh with `overwrite=True`."
            )
    for source, name in ready:
        source.replace(name)
    if info.per_file is not None:
        write_index(path, info, kept, targets)
    sync_folder(path.parent)
    ledger.remove()
    return kept


def _targets(path: Path, files: tuple[Layout, ...], kept: int) -> Iterator[tuple[Path, Layout]]:
    """Yield the name of each finished file and what is in it."""
    info = files[0].info
    stopped = f"Stopped after {kept} of {info.n} galaxies."
    for number, layout in enumerate(files):
        n = min(layout.n, kept - layout.first)
        if n > 0:
            whole = layout if kept == info.n else plan(info, layout.first, n, stopped)
            yield file_path(path, info, number), whole


def _finished_file(ledger: Ledger, number: int, layout: Layout, records: list[Record]) -> Path:
    """Finish a file of the ledger but for its name: as it is, or a copy if it gets shorter."""
    data, full = ledger.data(number), ledger.files[number]
    source_fd = fd = open_allocated(data, full.total_bytes)
    try:
        if layout.n == full.n:
            sums = ledger.union(records).sums
        else:
            # Not moved within the file: a kill would leave what cannot be resumed.
            data = data.with_suffix(".short")
            check_room(ledger.catalog, layout.total_bytes)
            data.unlink(missing_ok=True)
            fd = open_allocated(data, layout.total_bytes)
            sums = blocks.copy(source_fd, full, fd, layout)
        blocks.write_headers(fd, layout, sums)
        os.fsync(fd)
    finally:
        os.close(source_fd)
        if fd != source_fd:
            os.close(fd)
    return data


def is_finished(path: Path, info: RunInfo) -> bool:
    """Say whether a catalogue is there whole, of this very run: nothing is left to do then."""
    return (
        all(_is_whole(name, layout) for name, layout in _targets(path, plan_files(info), info.n))
        and path.is_file()
    )


def _is_whole(path: Path, layout: Layout) -> bool:
    """Whether a finished file of this layout is there."""
    header = checksum.header_bytes(layout.hdus[0].header, 0)
    if not path.is_file() or path.stat().st_size != layout.total_bytes:
        return False
    with path.open("rb") as file:
        return file.read(len(header)) == header


def what_is_missing(path: Path, info: RunInfo, done: Written) -> str:
    """Say what is missing of an unfinished catalogue of which `done` is recorded, for people."""
    missing = done.missing(info.n)
    ranges = ", ".join(f"{start}..{stop - 1}" for start, stop in missing[:_MAX_RANGES])
    more = f" and {len(missing) - _MAX_RANGES} more ranges" if len(missing) > _MAX_RANGES else ""
    return f"{path}: {info.n - done.galaxies} of {info.n} galaxies are missing ({ranges}{more})."
