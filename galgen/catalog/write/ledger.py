"""The ledger of an unfinished catalogue: which galaxies are on disk for good, and of which run.

``<catalogue>.part`` is a folder with the file as it grows, the settings of the run in ``run.json``
and one small file per record. A record is written after its galaxies have reached the disk, and
under a name of its own: any number of processes on any number of machines add records without
waiting for each other, and a kill at any moment leaves whole records only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from galgen.catalog.format.layout import Layout, plan_files
from galgen.catalog.write.disk import lock, sync_folder
from galgen.catalog.write.written import Sums, Written
from galgen.errors import LedgerError, OutputError, UnfinishedError
from galgen.runinfo import RunInfo
from galgen.system.files import remove_folder, remove_leftovers, written_aside

VERSION = 1
_RUN = "run.json"


class Record(NamedTuple):
    """Says that galaxies `start` to before `stop` are on disk and sum to `sums`, per HDU."""

    start: int
    stop: int
    sums: Sums

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.start:012d}-{self.stop:012d}.json"


def part_folder(catalog: Path) -> Path:
    """Name the folder that a catalogue is in while it is unfinished."""
    return catalog.with_name(f"{catalog.name}.part")


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
        path = self.folder / _RUN
        again = "Remove its folder, or start afresh with `overwrite=True`."
        try:
            body = _read_json(path)
        except FileNotFoundError:
            if self.folder.exists():
                raise LedgerError(f"{path} is missing. {again}") from None
            raise UnfinishedError(f"{catalog}: there is no unfinished run of it.") from None
        except (OSError, ValueError) as error:
            raise LedgerError(f"{path} cannot be used: {error}. {again}") from error
        if body.get("version") != VERSION:
            found = body.get("version")
            raise LedgerError(f"{path}: version {found}; this galgen reads {VERSION}. {again}")
        try:
            self.info = RunInfo.from_json(body["info"])
            self.overwrite, self.recipe = body["overwrite"], body["recipe"]
        except (TypeError, KeyError, ValueError) as error:
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
                _write_json(aside / _RUN, body | {"recipe": recipe})
            sync_folder(folder.parent)
        except OSError as error:
            if not (folder / _RUN).exists():  # otherwise another process was faster
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
        path = self.folder / _RUN
        try:
            self._run = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise busy from None  # and it has finished it now
        except OSError as error:
            raise OutputError(f"{path}: cannot be opened: {error.strerror}.") from error
        locked = lock(self._run, exclusive=exclusive)
        # Until it was locked, another process may have finished the catalogue, ledger and all.
        if (
            not locked
            or not path.exists()
            or not os.path.samestat(os.fstat(self._run), path.stat())
        ):
            self.close()
            raise busy

    @cached_property
    def files(self) -> tuple[Layout, ...]:
        """Layout of each file: where everything goes."""
        return plan_files(self.info)

    def data(self, number: int) -> Path:
        """Path of file `number` of the catalogue while it grows."""
        return self.folder / f"{number}.data"

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
        body = {"start": record.start, "stop": record.stop, "sums": list(record.sums)}
        _write_json(self.folder / record.name, body)
        sync_folder(self.folder)
        if replaces is not None:  # a kill before leaves both, which `records` understands
            (self.folder / replaces.name).unlink(missing_ok=True)

    def records(self, within: tuple[int, int] | None = None) -> tuple[list[Record], list[str]]:
        """Read what is on disk for good: records by galaxy, and what is wrong with others.

        Parameters
        ----------
        within : (first, last), optional
            Only records that have galaxies `first` to before `last`.

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
            name = re.fullmatch(r"(\d{12,})-(\d{12,})\.json", path.name)
            if name is None or int(name[1]) >= last or int(name[2]) <= first:
                continue
            try:
                body = _read_json(path)
                record = Record(body["start"], body["stop"], tuple(body["sums"]))
                if not 0 <= record.start < record.stop <= self.info.n:
                    raise ValueError("it is of another run")
                records.append(record)
            except (OSError, ValueError, KeyError, TypeError) as error:
                problems.append(f"{path} cannot be used ({error}): its galaxies count as missing.")
        # Two processes may have made the same galaxies, where one was thought dead: the bytes are
        # the same, but each may be summed only once.
        kept: list[Record] = []
        for record in sorted(records, key=lambda r: (r.start, -r.stop)):
            if not kept or record.start >= kept[-1].stop:
                kept.append(record)
        return kept, problems

    def union(self, records: Iterable[Record]) -> Written:
        """Add up records, none of which overlap."""
        union = Written((), (0,) * len(self.files[0].hdus))
        for record in records:
            union = union.add(*record)
        return union

    def sweep(self) -> None:
        """Remove what kills have left beside the ledger, which is locked alone."""
        remove_leftovers(self.folder)

    def remove(self) -> None:
        """Remove the ledger and what is with it, in one step as far as others can see.

        Raises
        ------
        OSError
            If it must not be removed.
        """
        remove_folder(self.folder)
        self.close()

    def close(self) -> None:
        """Give the lock back."""
        if self._run >= 0:
            os.close(self._run)
            self._run = -1


def _write_json(path: Path, body: dict[str, Any]) -> None:
    """Write JSON with its digest, whole or not at all."""
    with written_aside(path, shared=True) as aside:
        aside.write_text(json.dumps(body | {"sha256": _digest(body)}) + "\n")


def _read_json(path: Path) -> dict[str, Any]:
    """Read what `_write_json` wrote; a ValueError says that it is damaged."""
    body = json.loads(path.read_bytes())
    if not isinstance(body, dict) or body.pop("sha256", None) != _digest(body):
        raise ValueError("its digest does not fit")
    return body


def _digest(body: dict[str, Any]) -> str:
    """SHA-256 of JSON, whatever the order of its keys."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
