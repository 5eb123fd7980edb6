"""Write a catalogue: everything planned first, galaxies in any order, nothing lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from galgen.batch import GalaxyBatch
from galgen.catalog.write.finishing import finish_ledger
from galgen.catalog.write.folder import part_folder
from galgen.catalog.write.galaxies import GalaxyWriter
from galgen.catalog.write.opening import leave, open_ledger
from galgen.runinfo import RunInfo


def write_catalog(
    path: str | Path,
    batches: Iterable[GalaxyBatch],
    info: RunInfo,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write galaxies to a FITS catalogue as they are generated.

    Parameters
    ----------
    path : str or Path
        The output.
    batches : iterable of GalaxyBatch
        All `info.n` galaxies, each once, in any order of batches. A few batches are in memory at a
        time.
    info : RunInfo
        Provenance, for the header.
    overwrite : bool
        Replace an existing file, and an unfinished one.
    progress : callable, optional
        Called after each batch with the galaxies and the bytes given so far.

    Returns
    -------
    Path
        The output.

    Raises
    ------
    OutputError
        Before anything is written, if the output cannot be.
    InvalidValueError
        If a batch does not fit `info`.
    UnfinishedError
        If galaxies are missing at the end.

    Notes
    -----
    See `CatalogWriter` for what becomes of an interrupted run.
    """
    done = 0
    with CatalogWriter(path, info, overwrite=overwrite) as writer:
        for batch in batches:
            writer.write(batch)
            done += len(batch)
            if progress is not None:
                progress(done, done * writer.files[0].galaxy_bytes)
    return writer.path


class CatalogWriter(GalaxyWriter):
    """A catalogue under construction; use it in a ``with`` block, which finishes it.

    The file is laid out and allocated at once, in the folder ``<path>.part``, together with a
    ledger of what is in it; it gets its headers and its name when the block ends. Batches are
    written by a thread of the writer's own and recorded every two seconds. Where the block ends
    with an exception or the process is killed, what is recorded stays: write the missing galaxies
    later with `resume`, or keep those before the first missing one with `finish`. Memory does not
    depend on the number of galaxies.

    Parameters
    ----------
    path : str or Path
        The output.
    info : RunInfo
        Provenance, for the header.
    overwrite : bool
        Replace an existing file, and an unfinished one.
    resume : bool
        Go on with an unfinished catalogue of the same run, if there is one.
    shared : bool
        Other processes that say so too, on any machine, may write other galaxies of this catalogue
        at the same time; implies `resume`.
    recipe : mapping, optional
        How to make the run again, kept as JSON with the ledger.
    within : (first, last), optional
        Look only for records that have galaxies `first` to before `last`, the only ones to write.

    Attributes
    ----------
    path : Path
        The output.
    info : RunInfo
        The run.
    files : tuple of Layout
        Where everything goes, in each file.
    missing : tuple of (start, stop)
        Galaxies that were not recorded when the writer was opened.
    problems : tuple of str
        What is wrong with records of the ledger, or with the bytes that they are about, which are
        compared: their galaxies are missing.

    Raises
    ------
    OutputError
        If the output cannot be written, exists, or an unfinished one does; nothing is written then.
    LedgerError
        If there is a ledger that is damaged.
    InvalidValueError
        If `info` cannot be written as FITS, or is not that of the unfinished catalogue.
    """

    def __init__(
        self,
        path: str | Path,
        info: RunInfo,
        *,
        overwrite: bool = False,
        resume: bool = False,
        shared: bool = False,
        recipe: Mapping[str, Any] | None = None,
        within: tuple[int, int] | None = None,
    ) -> None:
        ledger = open_ledger(Path(path), info, overwrite, resume, shared, recipe)
        try:
            super().__init__(ledger, within)
        except BaseException:
            ledger.close()
            with suppress(OSError):
                leave(ledger.catalog)
            raise

    def finish(self) -> None:
        """Give the catalogue its headers and its name, whoever wrote its galaxies.

        Raises
        ------
        UnfinishedError
            If galaxies are missing.
        InvalidValueError
            If the writer is closed.
        OutputError
            If another file has appeared under the name.
        OSError
            If the disk is full or fails. Whatever is raised, what is recorded stays.
        """
        self._check_open()
        good = self._sound
        if self._recorder is not None:
            self._recorder.close()
            good = [*good, *self._recorder.records]
        finish_ledger(self._ledger, good=good)
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._leave(error)
            return
        try:
            if not self._closed:
                self.finish()
        except BaseException as late:
            self._leave(late)
            raise

    def _leave(self, error: BaseException) -> None:
        """Keep what is recorded, and say so in a note on the error; nothing, if nothing is."""
        try:
            self.close()
        except OSError as another:
            if another is not error:
                error.add_note(f"{self.path}: {another}")
        try:
            error.add_note(leave(self.path))
        except OSError as another:
            error.add_note(f"{part_folder(self.path)}: {another}")
