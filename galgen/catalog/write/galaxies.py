"""Galaxies to their places in the files of a ledger, whoever made and locked that."""

from __future__ import annotations

import numpy as np

from galgen.batch import GalaxyBatch
from galgen.catalog.format.checksum import NOTHING
from galgen.catalog.format.schema import pack_rows
from galgen.catalog.write.comparison import Comparison
from galgen.catalog.write.ledger import Ledger
from galgen.catalog.write.opening import allocate
from galgen.catalog.write.recorder import Item, Recorder
from galgen.errors import InvalidValueError


class GalaxyWriter:
    """Writes galaxies of an unfinished catalogue; `close` it, which leaves it unfinished.

    Attributes are those of `galgen.catalog.write.writer.CatalogWriter`.

    Parameters
    ----------
    ledger : Ledger
        Locked by this process, or by the one that this one helps.
    within : (first, last), optional
        Look only for records that have galaxies `first` to before `last`, the only ones to write.

    Raises
    ------
    OutputError
        If there is no room.
    """

    def __init__(self, ledger: Ledger, within: tuple[int, int] | None = None) -> None:
        self._ledger = ledger
        self.path, self.info, self.files = ledger.catalog, ledger.info, ledger.files
        for number, layout in enumerate(self.files):
            allocate(ledger, number, layout)
        with Comparison(ledger) as comparison:
            records, problems = ledger.records(within, comparison.complaint)
        for record in comparison.bad:  # before its galaxies are written again
            ledger.forget(record)
        self._sound = records
        self.problems = tuple(problems)
        self._written = ledger.union(records)
        self.missing = self._written.missing(self.info.n)
        self._recorder: Recorder | None = None
        self._closed = False

    def write(self, batch: GalaxyBatch) -> None:
        """Write a batch to its place, which its `galaxy_id_n` gives.

        Raises
        ------
        InvalidValueError
            If the batch does not fit the run, or is there already; the writer is as it was.
        OSError
            If the disk is full or fails, for this batch or one before; the writer is of no use
            then, but what is recorded stays.
        """
        start, stop = self._check(batch)
        if start == stop:
            return
        size = self.files[0].n
        items = []
        for number in range(start // size, (stop - 1) // size + 1):
            layout = self.files[number]
            piece = batch.part(max(start, layout.first), min(stop, layout.first + layout.n))
            items.append(Item(number, piece, pack_rows(piece, layout.row, self.info.tree)))
        if self._recorder is None:
            self._recorder = Recorder(self._ledger, self.files)
        for item in items:
            self._recorder.put(item)
        nothing = (NOTHING,) * len(self.files[0].hdus)
        self._written = self._written.add(start, stop, nothing)

    def _check(self, batch: GalaxyBatch) -> tuple[int, int]:
        """Refuse a batch that does not fit; return its first galaxy and the one after its last."""
        info, shape = self.info, self.files[0].stamp_shape
        self._check_open()
        if batch.bands != info.bands:
            raise InvalidValueError("bands of the batch", batch.bands, f"{info.bands}")
        if batch.stamps_nbhw.shape[1:] != shape:
            raise InvalidValueError("stamps shape", batch.stamps_nbhw.shape, f"{('n', *shape)}")
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

    def _check_open(self) -> None:
        """Refuse to write, or to finish, what is closed."""
        if self._closed:
            raise InvalidValueError("writer", "closed", "an open one")

    def close(self) -> None:
        """Record what was written and leave the catalogue unfinished.

        Raises
        ------
        OSError
            If not all of it could be recorded.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._recorder is not None:
                self._recorder.close()
        finally:
            self._ledger.close()
