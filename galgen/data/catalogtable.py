"""What a table ``CATALOG`` beside stamps of flux says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from galgen.batch import galaxy_names
from galgen.columns import numbered_dtype, read_columns
from galgen.errors import DataError

NUMBERS = ("redshift", "ra", "dec")  # columns of numbers that stamps can come with
# What the reader of stamps calls a column, and the names that it may have, the best first.
_LABELS = {
    "id": ("galaxy_id", "id"),
    "category": ("category_name", "category"),
    "group": ("group",),
}


def read_catalog_table(hdus: fits.HDUList, path: Path) -> dict[str, np.ndarray]:
    """Read the columns that training and evaluation use.

    Parameters
    ----------
    hdus : HDUList
        File with stamps; it may have no such table.
    path : Path
        The file, for messages.

    Returns
    -------
    dict of str to ndarray (n,)
        Those there are of ``id``, ``category``, ``group``, and of ``redshift``, ``ra`` and ``dec``,
        float64 with NaN where they are null. An id is GALAXY_ID; where ``galgen cat`` has put
        catalogues together, where that is there repeatedly, it is as of `galaxy_names`.

    Raises
    ------
    DataError
        If a column has several values per galaxy.
    """
    if "CATALOG" not in hdus:
        return {}
    columns = read_columns(hdus["CATALOG"].header)
    rows = hdus["CATALOG"].data.view(np.ndarray).view(numbered_dtype(columns))
    places = {column.name.lower(): i for i, column in reversed([*enumerate(columns)])}
    table = {}
    for ours, names in _LABELS.items():
        for name in [name for name in names if name in places][:1]:
            column = columns[places[name]]
            table[ours] = column.values(rows[f"{places[name]}"])
            if table[ours].ndim != 1:
                raise DataError(f"{path}: column {column.name} has several values per galaxy.")
    for name in NUMBERS:
        # A catalogue may carry others: sexagesimal text, vectors.
        if name in places and (column := columns[places[name]]).is_number:
            table[name] = column.numbers(rows[f"{places[name]}"])
    if "PARTS" in hdus and {"galaxy_id", "seed"} <= {*places}:
        first = np.sort(np.asarray(hdus["PARTS"].data["FIRST_ROW"]))
        part_n = np.searchsorted(first, np.arange(len(rows)), side="right") - 1
        seed_n = columns[places["seed"]].values(rows[f"{places['seed']}"])
        ids = galaxy_names(seed_n.tolist(), table["id"].tolist(), part_n.tolist())
        table["id"] = np.array(ids)
    return table
