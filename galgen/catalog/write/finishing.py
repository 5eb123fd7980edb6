"""From files under construction to a catalogue: the last step, by whoever comes last."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from galgen.catalog.format.index import is_index, write_index
from galgen.catalog.format.layout import Layout, file_path, plan, plan_files
from galgen.catalog.write import blocks
from galgen.catalog.write.comparison import Comparison
from galgen.catalog.write.disk import check_room, open_allocated, sync_folder
from galgen.catalog.write.ledger import Ledger, Record
from galgen.catalog.write.written import Sums, Written
from galgen.errors import OutputError, UnfinishedError
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


def finish_ledger(ledger: Ledger, partial: bool = False, good: Iterable[Record] = ()) -> int:
    """Finish the catalogue of a locked ledger and remove the ledger.

    What is recorded is compared with what is on disk before it is sealed with a checksum; only what
    is `good`, written or compared by this process, is not read again. Otherwise parameters, result
    and errors are those of `finish`. Where it is killed, another call goes on.
    """
    path, info = ledger.catalog, ledger.info
    with Comparison(ledger, good) as comparison:
        while True:  # again without what turns out to be damaged
            records, problems = ledger.records(None, comparison.bad.get)
            done = ledger.union(records)
            kept = done.prefix
            if kept < info.n and not (partial and kept):
                raise UnfinishedError("\n".join([*problems, what_is_missing(path, info, done)]))
            targets = [*_targets(path, ledger.files, kept)]
            _refuse_what_appeared(ledger, targets)
            ready = [
                _sealed(ledger, number, layout, records, comparison)
                for number, (_, layout) in enumerate(targets)
            ]
            if not comparison.bad.keys() & set(records):
                break
    _refuse_what_appeared(ledger, targets)
    for source, (name, _) in zip(ready, targets, strict=True):
        if source is not None and source != name:
            source.replace(name)
    if info.per_file is not None:
        write_index(path, info, kept, targets)
    sync_folder(path.parent)
    ledger.remove()
    return kept


def _refuse_what_appeared(ledger: Ledger, targets: Iterable[tuple[Path, Layout]]) -> None:
    """Raise OutputError if there are files of other runs that are not to be replaced."""
    ours = [(name, blocks.is_whole(name, layout)) for name, layout in targets]
    if ledger.info.per_file is not None:  # and the index
        ours.append((ledger.catalog, is_index(ledger.catalog)))
    for name, is_ours in ours:
        if name.is_dir() or (os.path.lexists(name) and not ledger.overwrite and not is_ours):
            raise OutputError(
                f"{name} has appeared meanwhile; the galaxies are in {ledger.folder}. Move it "
                f"away, then: galgen finish {shlex.quote(str(ledger.catalog))}"
            )


def _targets(path: Path, files: tuple[Layout, ...], kept: int) -> Iterator[tuple[Path, Layout]]:
    """Yield the name of each finished file and what is in it."""
    info = files[0].info
    stopped = f"Stopped after {kept} of {info.n} galaxies."
    for number, layout in enumerate(files):
        n = min(layout.n, kept - layout.first)
        if n > 0:
            whole = layout if kept == info.n else plan(info, layout.first, n, stopped)
            yield file_path(path, info, number), whole


def _sealed(
    ledger: Ledger,
    number: int,
    layout: Layout,
    records: Iterable[Record],
    comparison: Comparison,
) -> Path | None:
    """Finish a file of the ledger but for its name: as it is, or a copy if it gets shorter.

    Returns
    -------
    Path or None
        The file; None if what is recorded of it is not what is there, which `comparison` notes.
    """
    own = [r for r in records if layout.first <= r.start < layout.first + layout.n]
    data, full = ledger.place(number), ledger.files[number]
    if not os.path.lexists(data):
        for record in own:
            comparison.note(record, "the file is missing")
        return None
    if layout.n < full.n:
        return _shortened(ledger, number, layout, own, comparison)
    if {*map(comparison.complaint, own)} - {None}:  # all of them, so that all are named
        return None
    if data == ledger.data(number):  # and not named already
        fd = open_allocated(data, full.total_bytes)
        try:
            _seal(fd, layout, ledger.union(own).sums)
        finally:
            os.close(fd)
    return data


def _shortened(
    ledger: Ledger, number: int, layout: Layout, own: Iterable[Record], comparison: Comparison
) -> Path | None:
    """Copy the first galaxies of a file of the ledger, compared on the way, and finish the copy."""
    # Not moved within the file: a kill would leave what cannot be resumed.
    short = ledger.data(number).with_suffix(".short")
    short.unlink(missing_ok=True)
    check_room(ledger.catalog, layout.total_bytes)
    source_fd = open_allocated(ledger.data(number), ledger.files[number].total_bytes)
    try:
        fd = open_allocated(short, layout.total_bytes)
        try:
            for record in own:
                sums = blocks.copy(source_fd, ledger.files[number], fd, layout, *record[:2])
                comparison.compare(record, sums)
                if record in comparison.bad:
                    return None
            _seal(fd, layout, ledger.union(own).sums)
        finally:
            os.close(fd)
    finally:
        os.close(source_fd)
    return short


def _seal(fd: int, layout: Layout, sums: Sums) -> None:
    """Give a file its headers, and wait until it is on disk."""
    if any(one.crc is None for one in sums):  # of an older ledger
        sums = blocks.sum_data(fd, layout, layout.first, layout.first + layout.n)
    blocks.write_headers(fd, layout, sums)
    os.fsync(fd)


def is_finished(path: Path, info: RunInfo) -> bool:
    """Say whether a catalogue is there whole, of this very run: nothing is left to do then."""
    targets = _targets(path, plan_files(info), info.n)
    return path.is_file() and all(blocks.is_whole(name, layout) for name, layout in targets)


def what_is_missing(path: Path, info: RunInfo, done: Written) -> str:
    """Say what is missing of an unfinished catalogue of which `done` is recorded, for people."""
    missing = done.missing(info.n)
    ranges = ", ".join(f"{start}..{stop - 1}" for start, stop in missing[:_MAX_RANGES])
    more = f" and {len(missing) - _MAX_RANGES} more ranges" if len(missing) > _MAX_RANGES else ""
    return f"{path}: {info.n - done.galaxies} of {info.n} galaxies are missing ({ranges}{more})."
