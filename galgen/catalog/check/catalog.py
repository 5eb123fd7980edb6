"""Check a catalogue, whatever there is of it: one file, several, or an unfinished one."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

from galgen.catalog.check.file import Report, verify_file
from galgen.catalog.check.index import check_index
from galgen.catalog.format.index import IndexRow, read_index
from galgen.catalog.write.comparison import Comparison
from galgen.catalog.write.finishing import what_is_missing
from galgen.catalog.write.folder import part_folder
from galgen.catalog.write.ledger import Ledger
from galgen.errors import CatalogError, DataError, LedgerError


def verify(path: str | Path) -> Report:
    """Read a whole catalogue and check it; see `galgen.catalog.check.file.verify_file`.

    Of a catalogue of several files, given by its index, all are checked. An unfinished catalogue is
    never good; what is recorded in its ledger is compared with what is on disk.

    Parameters
    ----------
    path : str or Path
        The catalogue.

    Returns
    -------
    Report
        What is in all its files together, and what is wrong.

    Raises
    ------
    DataError
        If there is no such catalogue.
    """
    path = Path(path)
    if not path.exists() and part_folder(path).exists():
        return _verify_unfinished(path)
    try:
        files = read_index(path)
    except CatalogError as error:
        return Report(path, 0, 0, {}, {}, (str(error),))
    return verify_file(path) if files is None else _verify_all(path, files)


def _verify_all(path: Path, files: list[IndexRow]) -> Report:
    """Check all files of a catalogue, as one report."""
    problems = [*check_index(path, files)]
    galaxies = asked = 0
    categories: Counter[str] = Counter()
    not_measured: Counter[str] = Counter()
    at_ends: Counter[str] = Counter()
    for file, *_ in files:
        try:
            report = verify_file(file)
        except DataError as error:
            problems.append(str(error))
            continue
        problems += [f"{file.name}: {problem}" for problem in report.problems]
        galaxies, asked = galaxies + report.galaxies, asked + report.asked
        categories.update(report.categories)
        not_measured.update(report.not_measured)
        at_ends.update(report.at_ends)
    return Report(path, galaxies, asked, categories, not_measured, tuple(problems), at_ends)


def _verify_unfinished(path: Path) -> Report:
    """Compare what is recorded of an unfinished catalogue with what is on disk."""
    try:
        ledger = Ledger(path)
    except LedgerError as error:
        return Report(path, 0, 0, {}, {}, (str(error),))
    with Comparison(ledger) as comparison:
        records, problems = ledger.records(None, comparison.complaint)
    done = ledger.union(records)
    missing = what_is_missing(path, ledger.info, done)
    problems = [f"{missing} It is unfinished: galgen resume {shlex.quote(str(path))}", *problems]
    return Report(path, done.galaxies, ledger.info.n, {}, {}, tuple(problems))
