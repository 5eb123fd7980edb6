"""Batches on disk and in the ledger, by a thread of its own: generation does not wait for disks."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from galgen.batch import GalaxyBatch
from galgen.catalog.format.layout import Layout
from galgen.catalog.write.blocks import write_batch
from galgen.catalog.write.disk import open_allocated, sync_data
from galgen.catalog.write.ledger import Ledger, Record
from galgen.catalog.write.written import added
from galgen.system.processes import usable_cores

# What a kill can cost: a record waits for the disk, so not after every batch.
RECORD_SECONDS = 2.0
RECORD_BYTES = 1 << 28
# Records are compared, and made again, as a whole: this many at least, if the run takes so long.
_PER_RUN = 512
_WAITING = 3  # batches
_THREADS = max(2, min(4, usable_cores()))  # a CRC takes longer than the copy to the kernel


class Item(NamedTuple):
    """A batch, all of it in file `number`, and its rows of the table, (n,)."""

    number: int
    batch: GalaxyBatch
    rows: np.ndarray


class Recorder:
    """Writes batches to the files of a ledger, and records them once they are on disk.

    Parameters
    ----------
    ledger : Ledger
        The ledger, whose folder has the files.
    layouts : sequence of Layout
        Layout of each file.

    Attributes
    ----------
    galaxies : int
        How many are written so far, recorded or not.
    records : list of Record
        What it has recorded.
    """

    def __init__(self, ledger: Ledger, layouts: Sequence[Layout]) -> None:
        self.galaxies = 0
        self.records: list[Record] = []
        self._ledger, self._layouts = ledger, layouts
        self._queue: queue.Queue[Item | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._number, self._fd = -1, -1
        self._most = ledger.info.n // _PER_RUN  # galaxies in a record that is to be continued
        self._waiting: Record | None = None  # written, not recorded yet
        self._waiting_bytes, self._waiting_since = 0, 0.0
        self._thread = threading.Thread(target=self._run, name="galgen recorder", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand a batch over; waits while several are waiting already.

        Raises
        ------
        OSError
            If the disk is full or fails: this batch or one before is not written, nor is any after.
        """
        self._put(item)

    def close(self) -> None:
        """Return when all is recorded that was handed over.

        Raises
        ------
        OSError
            If not all of it could be.
        """
        try:
            if self._thread.is_alive():
                self._put(None)
        finally:
            self._thread.join()
        self._raise_error()

    def _put(self, item: Item | None) -> None:
        """Wait for room in the queue, as long as the thread is well."""
        while True:
            self._raise_error()
            with suppress(queue.Full):
                return self._queue.put(item, timeout=0.1)

    def _raise_error(self) -> None:
        """Raise here what was raised in the thread."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        """Be the thread: record all that was written, whatever ends it."""
        try:
            with ThreadPoolExecutor(_THREADS) as threads:
                try:
                    self._serve(threads)
                finally:
                    self._record()
        except BaseException as error:
            self._error = error
        finally:
            if self._fd >= 0:
                os.close(self._fd)

    def _serve(self, threads: ThreadPoolExecutor) -> None:
        """Write what is handed over, and record it in time."""
        while True:
            try:
                item = self._queue.get(timeout=self._patience())
            except queue.Empty:
                self._record()
                continue
            if item is None:
                return
            self._write(item, threads)
            if self._waiting_bytes >= RECORD_BYTES or self._patience() == 0:
                self._record()

    def _patience(self) -> float | None:
        """Seconds until what is written has to be recorded; None if nothing waits for that."""
        if self._waiting is None:
            return None
        return max(0.0, self._waiting_since + RECORD_SECONDS - time.monotonic())

    def _write(self, item: Item, threads: ThreadPoolExecutor) -> None:
        """Write a batch; it then waits to be recorded."""
        layout = self._layouts[item.number]
        start = int(item.batch.galaxy_id_n[0])
        stop = start + len(item.batch)
        if item.number != self._number or (self._waiting and self._waiting.stop != start):
            self._record()  # which are of one file, and without a gap
        if item.number != self._number:
            self._open(item.number, layout)
        sums = write_batch(self._fd, layout, item.batch, item.rows, threads)
        if self._waiting is None:
            self._waiting, self._waiting_since = Record(start, stop, sums), time.monotonic()
        else:
            self._waiting = _joined(self._waiting, Record(start, stop, sums))
        self._waiting_bytes += len(item.batch) * layout.galaxy_bytes
        self.galaxies += len(item.batch)

    def _open(self, number: int, layout: Layout) -> None:
        """Open a file, and close the one before."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._fd = open_allocated(self._ledger.data(number), layout.total_bytes)
        self._number = number

    def _record(self) -> None:
        """Put on disk what is written, then say so: in the last record, if that goes on here."""
        if self._waiting is None:
            return
        sync_data(self._fd)
        record, replaces = self._waiting, self._continued(self._waiting)
        if replaces is not None:
            record = _joined(replaces, record)
        self._ledger.add(record, replaces)
        self.records[len(self.records) - (replaces is not None) :] = [record]
        self._waiting, self._waiting_bytes = None, 0

    def _continued(self, record: Record) -> Record | None:
        """Find the last record if another goes on where it ends, and both are not too much."""
        if not self.records:
            return None
        last, size = self.records[-1], self._layouts[0].n
        fits = record.stop - last.start <= self._most and last.start // size == record.start // size
        return last if last.stop == record.start and fits else None


def _joined(a: Record, b: Record) -> Record:
    """One record in place of two, the second of which goes on where the first one ends."""
    assert a.stop == b.start
    return Record(a.start, b.stop, added(a.sums, b.sums))
