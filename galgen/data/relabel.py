"""Corrections of labels, kept apart from the data they correct."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from galgen.categories.taxonomy import Taxonomy
from galgen.data.stamps import StampSet
from galgen.errors import DataError, UnknownCategoryError, reading
from galgen.system.inputs import check_file

_SHOWN = 10  # ids in a message


def relabel(stamps: StampSet, corrections: str | Path) -> StampSet:
    """Replace the categories of some galaxies.

    Parameters
    ----------
    stamps : StampSet
        Galaxies to correct.
    corrections : str or Path
        CSV table with the columns ``id`` and ``category`` (any spelling that the tree of the stamps
        takes); others are ignored.

    Returns
    -------
    StampSet
        The same galaxies in the same order.

    Raises
    ------
    DataError
        Names the table: it cannot be read or lacks a column, a category is unknown, a galaxy is in
        it twice or not in `stamps`.
    """
    wanted = _read(Path(corrections), stamps.tree)
    row_of = {galaxy: row for row, galaxy in enumerate(stamps.ids.tolist())}
    if unknown := [galaxy for galaxy in wanted if galaxy not in row_of]:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise DataError(
            f"{corrections}: {len(unknown)} of {len(wanted)} galaxies are not in the data: "
            f"{', '.join(unknown[:_SHOWN])}{more}. Ids are those of labels.csv, or file names "
            "without folder and suffix."
        )
    category = stamps.category.copy()
    for galaxy, code in wanted.items():
        category[row_of[galaxy]] = code
    return replace(stamps, category=category)


def _read(path: Path, tree: Taxonomy) -> dict[str, np.int16]:
    """Read a table of category codes by id."""
    check_file(path)
    with reading(path, "a table"), open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, restval="")
        header, table = list(rows.fieldnames or []), list(rows)
    if not {"id", "category"} <= set(header):
        raise DataError(f"{path}: has columns {header}; 'id' and 'category' are required.")
    wanted: dict[str, np.int16] = {}
    for row in table:
        galaxy = row["id"].strip()
        if galaxy in wanted:
            raise DataError(f"{path}: galaxy {galaxy!r} is listed twice. Keep one of the lines.")
        try:
            wanted[galaxy] = np.int16(tree.get(row["category"].strip()).code)
        except UnknownCategoryError as error:
            raise DataError(f"{path}: galaxy {galaxy!r}: {error}") from None
    return wanted
