"""What is recorded of a catalogue, compared with what is on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from galgen.catalog.format.checksum import Sum
from galgen.catalog.write import blocks
from galgen.catalog.write.disk import open_own
from galgen.catalog.write.ledger import Ledger, Record
from galgen.catalog.write.written import Sums


class Comparison:
    """Compares records of a ledger with the bytes that they are about, each once.

    Use it in a ``with`` block, which closes its files.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    good : iterable of Record
        What need not be read: written or compared by this process.

    Attributes
    ----------
    good : set of Record
        What has been found as it was recorded.
    bad : dict of Record to str
        What has not, and what is wrong with it.
    """

    def __init__(self, ledger: Ledger, good: Iterable[Record] = ()) -> None:
        self.good, self.bad = set(good), dict[Record, str]()
        self._ledger = ledger
        self._number = self._fd = -1

    def complaint(self, record: Record) -> str | None:
        """Return what is wrong with the bytes of a record, or None."""
        if record not in self.good and record not in self.bad:
            try:
                layout = self._ledger.files[self._open(record)]
                sums = blocks.sum_data(self._fd, layout, record.start, record.stop)
            except OSError as error:
                self.note(record, str(error.strerror or error))
            else:
                self.compare(record, sums)
        return self.bad.get(record)

    def compare(self, record: Record, sums: Sums) -> None:
        """Note whether what somebody else has read sums to what is recorded."""
        if all(map(_agree, sums, record.sums)):
            self.good.add(record)
        else:
            self.note(record, "they have changed since they were recorded")

    def note(self, record: Record, reason: str) -> None:
        """Note what is wrong with a record."""
        place = self._ledger.place(record.start // self._ledger.files[0].n)
        galaxies = f"galaxies {record.start} to {record.stop - 1}"
        self.bad[record] = f"{place}: {galaxies} count as missing: {reason}."

    def _open(self, record: Record) -> int:
        """Open the file of a record, and close the one before; return its number."""
        number = record.start // self._ledger.files[0].n
        if number != self._number:
            self._close()
            self._fd, self._number = open_own(self._ledger.place(number)), number
        return number

    def _close(self) -> None:
        """Close the file that is open."""
        if self._fd >= 0:
            os.close(self._fd)
        self._number = self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()


def _agree(found: Sum, recorded: Sum) -> bool:
    """Whether data are those that were recorded, as far as older ledgers say."""
    return found.words == recorded.words and recorded.crc in (None, found.crc)
