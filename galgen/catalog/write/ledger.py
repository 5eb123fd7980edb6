"""The ledger of an unfinished catalogue: which galaxies are on disk for good, and of which run.

``<catalogue>.part`` is a folder with the file as it grows, the settings of the run in ``run.json``
and one small file per record. A record is written after its galaxies have reached the disk, and
under a name of its own: any number of processes on any number of machines add records without
waiting for each other, and a kill at any moment leaves whole records only. Each names its run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from galgen.catalog.format.checksum import ALL_ONES, NOTHING, Sum
from galgen.catalog.format.layout import file_path, plan_files
from galgen.catalog.write import blocks
from galgen.catalog.write.disk import open_own, sync_folder
from galgen.catalog.write.folder import RECORD, RUN, part_folder, remove
from galgen.catalog.write.jsonfile import digest, read_signed, write_signed
from galgen.catalog.write.written import Sums, Written
from galgen.errors import LedgerError, OutputError, UnfinishedError
from galgen.runinfo import RunInfo
from galgen.system.aside import remove_leftovers
from galgen.system.files import written_aside
from galgen.system.locks import lock

VERSION = 3
_NAMELESS = 1  # whose records do not name their run
_UNORDERED = 2  # whose records have sums only, as those before


class Record(NamedTuple):
    """Says that galaxies `start` to before `stop` are on disk and sum to `sums`, per HDU."""

    start: int
    stop: int
    sums: Sums

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.start:012d}-{self.stop:012d}.json"


class Ledger:
    """The ledger of an unfinished catalogue.

    Parameters
    ----------
    catalog : Path
        The finished catalogue that is to be.

    Attributes
    ----------
    catalog, folder : Path
        The same, and the folder with the ledger and the files as they grow.
    info : RunInfo
        The run.
    files : tuple of Layout
        Layout of each file: where everything goes.
    overwrite : bool
        Whether the finished catalogue may replace a file.
    recipe : mapping or None
        How to make the run again; its content means nothing here.

    Raises
    ------
    UnfinishedError
        If there is none.
    LedgerError
        If its ``run.json`` is damaged, or of another version of galgen.
    """

    def __init__(self, catalog: Path) -> None:
        self.catalog, self.folder = catalog, part_folder(catalog)
        self._run = -1
        path = self.folder / RUN
        again = "Remove its folder, or start afresh with `overwrite=True`."
        if self.folder.is_symlink():
            raise LedgerError(f"{self.folder} is a link, which galgen does not follow.")
        try:
            body = read_signed(path)
        except FileNotFoundError:
            if self.folder.exists():
                raise LedgerError(f"{path} is missing. {again}") from None
            raise UnfinishedError(f"{catalog}: there is no unfinished run of it.") from None
        except (OSError, ValueError) as error:
            raise LedgerError(f"{path} cannot be used: {error}. {again}") from error
        version = body.get("version")
        if version not in (_NAMELESS, _UNORDERED, VERSION):
            raise LedgerError(f"{path}: version {version}; this galgen reads {VERSION}. {again}")
        self._nameless, self._unordered = version == _NAMELESS, version != VERSION
        try:
            # Of the text as it is: another version of galgen may know more settings.
            self._name = digest(body["info"])
            self.info = RunInfo.from_json(body["info"])
            self.files = plan_files(self.info)
            self.overwrite, self.recipe = body["overwrite"] is True, body["recipe"]
        except (TypeError, LookupError, ValueError, AttributeError, ArithmeticError) as error:
            raise LedgerError(f"{path} is of another galgen ({error}). {again}") from None

    @classmethod
    def create(
        cls,
        catalog: Path,
        info: RunInfo,
        overwrite: bool = False,
        recipe: Mapping[str, Any] | None = None,
    ) -> Ledger:
        """Create the ledger in one step, unless there is one; return the one that is there.

        Raises
        ------
        OutputError
            If it cannot be created.
        """
        folder = part_folder(catalog)
        body = {"version": VERSION, "info": info.to_json(), "overwrite": overwrite}
        try:
            with written_aside(folder, shared=True) as aside:
                aside.mkdir()
                write_signed(aside / RUN, body | {"recipe": recipe})
            sync_folder(folder.parent)
        except OSError as error:
            if not (folder / RUN).exists():  # otherwise another process was faster
                message = f"{folder}: cannot be created: {error.strerror}."
                raise OutputError(message) from error
        return cls(catalog)

    def lock(self, *, exclusive: bool) -> None:
        """Keep others from making these galaxies: all, or those not of the same job array.

        Raises
        ------
        OutputError
            If another process is alive that makes them.
        """
        busy = OutputError(f"{self.catalog}: another process is writing it ({self.folder}).")
        path = self.folder / RUN
        try:
            self._run = open_own(path, os.O_RDWR)
        except FileNotFoundError:
            raise busy from None  # and it has finished it now
        except OSError as error:
            raise OutputError(f"{path}: cannot be opened: {error.strerror}.") from error
        locked = lock(self._run, exclusive=exclusive) is not False
        # Until it was locked, another process may have finished the catalogue, ledger and all.
        if (
            not locked
            or not path.exists()
            or not os.path.samestat(os.fstat(self._run), path.stat())
        ):
            self.close()
            raise busy

    def data(self, number: int) -> Path:
        """Path of file `number` of the catalogue while it grows."""
        return self.folder / f"{number}.data"

    def place(self, number: int) -> Path:
        """Path of file `number` wherever it is: a kill while finishing may have left it named."""
        data, name = self.data(number), file_path(self.catalog, self.info, number)
        named = not os.path.lexists(data) and blocks.is_whole(name, self.files[number])
        return name if named else data

    def differences(self, info: RunInfo) -> list[str]:
        """List the settings of another run that differ, as text."""
        ours, theirs = self.info.to_json(), info.to_json()
        return [
            f"{name} {ours.get(name)!r}, now {theirs.get(name)!r}"
            for name in ours | theirs
            if ours.get(name) != theirs.get(name)
        ]

    def add(self, record: Record, replaces: Record | None = None) -> None:
        """Write a record whose galaxies are on disk, for good, in place of one it contains.

        Raises
        ------
        OSError
            If the disk is full or fails.
        """
        body: dict[str, Any] = {"run": self._name, "start": record.start, "stop": record.stop}
        body |= {"sums": [one.words for one in record.sums]}
        write_signed(self.folder / record.name, body | {"crcs": [one.crc for one in record.sums]})
        sync_folder(self.folder)
        if replaces is not None:  # a kill before leaves both, which `records` understands
            self.forget(replaces)

    def forget(self, record: Record) -> None:
        """Remove a record: its galaxies count as missing."""
        (self.folder / record.name).unlink(missing_ok=True)

    def records(
        self,
        within: tuple[int, int] | None = None,
        complaint: Callable[[Record], str | None] = lambda record: None,
    ) -> tuple[list[Record], list[str]]:
        """Read what is on disk for good: records by galaxy, and what is wrong with others.

        Parameters
        ----------
        within : (first, last), optional
            Only records that have galaxies `first` to before `last`.
        complaint : callable
            What is wrong with a record that is not to be used; None otherwise.

        Returns
        -------
        records : list of Record
            None of which overlap, in the order of galaxies.
        problems : list of str
            One line per record that cannot be used: its galaxies count as missing.
        """
        records, problems = [], []
        first, last = within or (0, self.info.n)
        for path in sorted(self.folder.iterdir()):
            name = re.fullmatch(RECORD, path.name)
            if name is None or int(name[1]) >= last or int(name[2]) <= first:
                continue
            try:
                records.append(self._read_record(path))
            except (OSError, ValueError, KeyError, TypeError) as error:
                problems.append(f"{path} cannot be used ({error}): its galaxies count as missing.")
        # Two processes may have made the same galaxies, where one was thought dead: the bytes are
        # the same, but each may be summed only once.
        kept: list[Record] = []
        for record in sorted(records, key=lambda r: (r.start, -r.stop)):
            if kept and record.start < kept[-1].stop:
                continue
            if problem := complaint(record):
                problems.append(problem)
            else:
                kept.append(record)
        return kept, problems

    def _read_record(self, path: Path) -> Record:
        """Read a record; a ValueError, KeyError or TypeError says that it is of no use."""
        body = read_signed(path)
        name = body.get("run")
        if name != self._name and not (name is None and self._nameless):
            raise ValueError("it is of another run")
        words = body["sums"]
        known = "crcs" in body or not self._unordered
        crcs = body["crcs"] if known else [None] * len(words)
        record = Record(body["start"], body["stop"], tuple(map(Sum, words, crcs)))
        numbers = [*words, *(crcs if known else [])]
        if not all(type(number) is int for number in (record.start, record.stop, *numbers)):
            raise ValueError("not all of its numbers are whole")
        size = self.files[0].n
        if not 0 <= record.start < record.stop <= self.info.n or record.name != path.name:
            raise ValueError("its galaxies are not those of its name")
        if record.start // size != (record.stop - 1) // size:
            raise ValueError("its galaxies are of several files")
        whole = len(words) == len(crcs) == len(self.files[0].hdus)
        if not whole or not all(0 <= number <= ALL_ONES for number in numbers):
            raise ValueError("its sums are none")
        return record

    def union(self, records: Iterable[Record]) -> Written:
        """Add up records, none of which overlap."""
        union = Written((), (NOTHING,) * len(self.files[0].hdus))
        for record in records:
            union = union.add(*record)
        return union

    def sweep(self) -> None:
        """Remove what kills have left beside the ledger, which is locked alone."""
        remove_leftovers(self.folder)

    def remove(self) -> None:
        """Remove the ledger and what is with it, in one step as far as others can see.

        Files that others have put there stay, and the folder with them.

        Raises
        ------
        OSError
            If it must not be removed.
        """
        remove(self.folder)
        self.close()

    def close(self) -> None:
        """Give the lock back."""
        if self._run >= 0:
            os.close(self._run)
            self._run = -1
