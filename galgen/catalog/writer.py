"""Write a catalogue: everything planned first, galaxies in any order, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import numpy as np

from galgen.batch import GalaxyBatch, RunInfo
from galgen.catalog import blocks
from galgen.catalog.layout import plan
from galgen.catalog.partfile import PartFile
from galgen.catalog.written import Written
from galgen.errors import InvalidValueError


def write_catalog(
    path: str | Path,
    batches: Iterable[GalaxyBatch],
    info: RunInfo,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    date: datetime | None = None,
) -> Path:
    """Write galaxies to a FITS catalogue as they are generated.

    Parameters
    ----------
    path : str or Path
        The output.
    batches : iterable of GalaxyBatch
        All `info.n` galaxies, each once, in any order of batches. One batch is in memory at a time.
    info : RunInfo
        Provenance, for the header.
    overwrite : bool
        Replace an existing file.
    progress : callable, optional
        Called after each batch with the galaxies and the bytes written so far.
    date : datetime, optional
        Written as ``DATE``; by default that of ``SOURCE_DATE_EPOCH``, or none: otherwise the bytes
        of the file depend on `info` and the galaxies only.

    Returns
    -------
    Path
        The output.

    Raises
    ------
    OutputError
        Before anything is written, if the output cannot be.
    InvalidValueError
        If a batch does not fit `info`, or galaxies are missing at the end.

    Notes
    -----
    See `CatalogWriter` for what becomes of an interrupted run.
    """
    with CatalogWriter(path, info, overwrite, date) as writer:
        for batch in batches:
            writer.write(batch)
            if progress is not None:
                progress(writer.galaxies, writer.galaxies * writer.layout.galaxy_bytes)
    return writer.path


class CatalogWriter:
    """A catalogue under construction; use it in a ``with`` block.

    The file is laid out and allocated as ``<path>.part`` at once, and gets its headers and its name
    when the block ends. Where the block ends with an exception, Ctrl-C or a full disk included, the
    galaxies before the first missing one are kept as a valid shorter catalogue (``NGAL`` below
    ``NASKED``, and a COMMENT), and a note on the exception says so; where there are none, nothing
    is left. Memory does not depend on the number of galaxies.

    Parameters
    ----------
    path, info, overwrite, date
        See `write_catalog`.

    Attributes
    ----------
    path : Path
    layout : Layout
        Where everything goes.

    Raises
    ------
    OutputError
        If the output cannot be written.
    InvalidValueError
        If `info` cannot be written as FITS.
    """

    def __init__(
        self,
        path: str | Path,
        info: RunInfo,
        overwrite: bool = False,
        date: datetime | None = None,
    ) -> None:
        self.path = Path(path)
        self._date = date or _source_date()
        self.layout = plan(info, date=self._date)
        self._written = Written((), (0,) * len(self.layout.hdus))
        self._part = PartFile(self.path, self.layout.total_bytes, overwrite)
        self._closed = False

    @property
    def galaxies(self) -> int:
        """Galaxies written so far."""
        return self._written.galaxies

    def write(self, batch: GalaxyBatch) -> None:
        """Write a batch to its place, which its `galaxy_id_n` gives.

        Raises
        ------
        InvalidValueError
            If the batch does not fit the run, or is there already; the file is as it was.
        OSError
            If the disk is full or fails; the batch counts as missing and can be written again.
        """
        start, stop = self._check(batch)
        if start < stop:
            sums = blocks.write_batch(self._part.fd, self.layout, batch)
            self._written = self._written.add(start, stop, sums)

    def _check(self, batch: GalaxyBatch) -> tuple[int, int]:
        info = self.layout.info
        if self._closed:
            raise InvalidValueError("writer", "closed", "an open one")
        if batch.bands != info.bands:
            raise InvalidValueError("bands of the batch", batch.bands, f"{info.bands}")
        if batch.stamps_nbhw.shape[1:] != self.layout.stamp_shape:
            shape, allowed = batch.stamps_nbhw.shape, ("n", *self.layout.stamp_shape)
            raise InvalidValueError("stamps shape", shape, f"{allowed}")
        if batch.seed != info.seed:
            raise InvalidValueError("seed of the batch", batch.seed, f"{info.seed}")
        if len(batch) == 0:
            return 0, 0
        start = int(batch.galaxy_id_n[0])
        stop = start + len(batch)
        if not np.array_equal(batch.galaxy_id_n, np.arange(start, stop)):
            raise InvalidValueError("galaxy_id", batch.galaxy_id_n, "consecutive, rising")
        if not 0 <= start < stop <= info.n:
            raise InvalidValueError("galaxy_id", (start, stop - 1), f"0..{info.n - 1}")
        self._written.check_missing(start, stop)
        return start, stop

    def close(self) -> None:
        """Finish the file.

        Raises
        ------
        InvalidValueError
            If galaxies are missing; those before the first missing one are kept.
        """
        if self._closed:
            return
        n, kept = self.layout.n, self._finish("incomplete input")
        if kept < n:
            raise InvalidValueError("galaxies given", kept, f"all {n} of the run", self._kept(kept))

    def __enter__(self) -> CatalogWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        elif not self._closed:
            try:
                error.add_note(self._kept(self._finish(kind.__name__)))
            except OSError as another:
                error.add_note(f"{self._part.path} could not be finished: {another}")

    def _finish(self, reason: str) -> int:
        """Keep what is good under the output's name; return how many galaxies that is."""
        self._closed = True
        part, layout, sums = self._part, self.layout, self._written.sums
        kept = self._written.prefix
        if kept == 0:
            part.discard()
            return 0
        try:
            if kept < layout.n:
                stopped = f"Stopped after {kept} of {layout.n} galaxies: {reason}."
                layout = plan(layout.info, kept, stopped, self._date)
                sums = blocks.compact(part.fd, self.layout, layout)
            blocks.write_headers(part.fd, layout, sums)
            part.commit(layout.total_bytes)
        except BaseException:
            part.close()
            raise
        return kept

    def _kept(self, kept: int) -> str:
        if kept == 0:
            return f"{self.path} was not written."
        return f"{self.path} keeps the first {kept} of {self.layout.n} galaxies."


def _source_date() -> datetime | None:
    """The date of reproducible builds (https://reproducible-builds.org/specs/source-date-epoch)."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        allowed = "whole seconds since 1970-01-01"
        raise InvalidValueError("SOURCE_DATE_EPOCH", seconds, allowed) from None
