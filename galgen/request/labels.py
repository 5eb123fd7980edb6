"""Categories of the galaxies of a table."""

from __future__ import annotations

import numpy as np

from galgen.categories import DEFAULT, Taxonomy, nearest
from galgen.errors import DataError, UnknownCategoryError
from galgen.request.table import InputTable, Rows

MISSING = -1  # category code of a galaxy without one


def category_codes(
    table: InputTable, rows: Rows = slice(None), tree: Taxonomy = DEFAULT
) -> np.ndarray:
    """Read the column of categories, each spelling looked up once.

    Parameters
    ----------
    table : InputTable
        The table; it may have no such column.
    rows : slice or ndarray of int
        Which rows; by default all.
    tree : Taxonomy
        Whose codes are wanted.

    Returns
    -------
    ndarray (n,) of int64
        Codes, `MISSING` where there is none. Synonyms are taken for the nearest category, with a
        warning.

    Raises
    ------
    DataError
        Names the row whose category is unknown, or a column with several per row.
    """
    name = table.find("category")
    if name is None:
        return np.full(table.count(rows), MISSING)
    raw = np.asarray(table.raw(name, rows))
    if raw.ndim != 1:
        raise DataError(f"{table.path}: column {name} has several values per row, not a category.")
    _, first_k, place_n = np.unique(raw, return_index=True, return_inverse=True)
    row_k = np.arange(len(table))[rows][first_k]
    codes = []
    for row, label in zip(row_k, table.labels(name, row_k), strict=True):
        try:
            codes.append(MISSING if label is None else nearest(label, tree).code)
        except UnknownCategoryError as error:
            raise DataError(f"{table.path}: row {row} (from 0), column {name}: {error}") from None
    return np.array(codes, np.int64)[place_n]
